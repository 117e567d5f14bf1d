// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/irq_lines.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include "vfio_user/testing/served_function.hpp"

namespace periplex::vfio_user {
namespace {

using testing::events;
using testing::make_event;
using testing::open_descriptors;

constexpr std::uint32_t kTrigger = IrqSet::kActionTrigger;
constexpr std::uint32_t kMask = IrqSet::kActionMask;
constexpr std::uint32_t kUnmask = IrqSet::kActionUnmask;

class IrqLinesTest : public ::testing::Test {
 protected:
  using Done = std::expected<void, std::errc>;

  static UniqueFd copy(const UniqueFd& fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }
  static std::uint32_t available(std::uint32_t index) {
    return index == kIrqIntx || index == kIrqMsi ? 1 : index == kIrqMsix ? 8 : 0;
  }

  Done set_fds(std::uint32_t index, std::uint32_t start, const std::vector<const UniqueFd*>& fds,
               std::uint32_t action = kTrigger, std::uint32_t count = 0) {
    std::vector<UniqueFd> copies;
    copies.reserve(fds.size());
    for (const UniqueFd* fd : fds) copies.push_back(copy(*fd));
    const auto number = count != 0 ? count : static_cast<std::uint32_t>(fds.size());
    return lines.set({.flags = IrqSet::kDataEventfd | action, .index = index, .start = start, .count = number}, {},
                     copies, available(index));
  }
  Done arm(std::uint32_t index, std::uint32_t start, const UniqueFd& fd) { return set_fds(index, start, {&fd}); }
  Done disarm(std::uint32_t index, std::uint32_t start) { return set_fds(index, start, {}, kTrigger, 1); }
  Done act(std::uint32_t index, std::uint32_t action, std::uint32_t start = 0, std::uint32_t count = 1) {
    return lines.set({.flags = IrqSet::kDataNone | action, .index = index, .start = start, .count = count}, {}, {},
                     available(index));
  }

  EventLoop loop;
  IrqLines lines{loop};
  UniqueFd event = make_event();
  UniqueFd resample = make_event();
};

TEST_F(IrqLinesTest, AMessageIsOneEvent) {
  ASSERT_TRUE(arm(kIrqMsix, 3, event));
  lines.send_message(3);
  lines.send_message(3);
  lines.send_message(2);
  EXPECT_EQ(events(event), 2u);
  EXPECT_FALSE(lines.message_pending(3));
}

TEST_F(IrqLinesTest, TheMessageOfMsiIsVector0) {
  ASSERT_TRUE(arm(kIrqMsi, 0, event));
  lines.send_message(0);
  EXPECT_EQ(events(event), 1u);
  ASSERT_FALSE(arm(kIrqMsi, 1, event)) << "there is one";
  ASSERT_TRUE(act(kIrqMsi, kTrigger, 0, 0)) << "all of the index are disabled";
  lines.send_message(0);
  EXPECT_EQ(events(event), 0u);
  EXPECT_TRUE(lines.message_pending(0));
}

TEST_F(IrqLinesTest, AMessageWithoutATakerIsSentWhenItsVectorIsArmed) {
  lines.send_message(1);
  lines.send_message(1);
  EXPECT_TRUE(lines.message_pending(1));
  ASSERT_TRUE(arm(kIrqMsix, 1, event));
  EXPECT_EQ(events(event), 1u);
  EXPECT_FALSE(lines.message_pending(1));
}

TEST_F(IrqLinesTest, AVectorIsDisarmedWithoutDescriptorsAndArmedAgainWithAnother) {
  const UniqueFd second = make_event();
  ASSERT_TRUE(arm(kIrqMsix, 0, event));
  ASSERT_TRUE(disarm(kIrqMsix, 0));
  lines.send_message(0);
  EXPECT_EQ(events(event), 0u);
  ASSERT_TRUE(arm(kIrqMsix, 0, second));
  EXPECT_EQ(events(second), 1u);
  ASSERT_TRUE(arm(kIrqMsix, 0, event)) << "without being disarmed";
  lines.send_message(0);
  EXPECT_EQ(events(event), 1u);
  EXPECT_EQ(events(second), 0u);
}

TEST_F(IrqLinesTest, SwitchingTheTypeOffDropsAllItsDescriptors) {
  ASSERT_TRUE(set_fds(kIrqMsix, 0, {&event, &event, &event}));
  ASSERT_TRUE(act(kIrqMsix, kTrigger, 0, 0));
  lines.send_message(1);
  EXPECT_EQ(events(event), 0u);
  EXPECT_TRUE(lines.message_pending(1));
  lines.forget_pending();
  EXPECT_FALSE(lines.message_pending(1));
}

TEST_F(IrqLinesTest, TheClientCanTriggerVectorsItself) {
  ASSERT_TRUE(arm(kIrqMsix, 2, event));
  ASSERT_TRUE(act(kIrqMsix, kTrigger, 2));
  const Bytes booleans{std::byte{0}, std::byte{1}, std::byte{0}};
  ASSERT_TRUE(
      lines.set({.flags = IrqSet::kDataBool | kTrigger, .index = kIrqMsix, .start = 1, .count = 3}, booleans, {}, 8));
  EXPECT_EQ(events(event), 2u);
}

TEST_F(IrqLinesTest, TheFunctionsOwnEventsCannotBlockUs) {
  const UniqueFd blocking(::eventfd(0, EFD_CLOEXEC));
  ASSERT_TRUE(arm(kIrqMsix, 0, blocking));
  const std::uint64_t full = ~std::uint64_t{1};
  ASSERT_EQ(::write(blocking.get(), &full, sizeof full), std::ssize(std::as_bytes(std::span(&full, 1))));
  lines.send_message(0);  // would wait for ever on a blocking descriptor
  EXPECT_EQ(events(blocking), full);
}

TEST_F(IrqLinesTest, APinThatIsSentIsMaskedUntilUnmasked) {
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  lines.set_pin(true);
  lines.set_pin(false);
  lines.set_pin(true);
  EXPECT_EQ(events(event), 1u);
  ASSERT_TRUE(act(kIrqIntx, kUnmask));
  EXPECT_EQ(events(event), 1u) << "the level is still high";
  lines.set_pin(false);
  ASSERT_TRUE(act(kIrqIntx, kUnmask));
  EXPECT_EQ(events(event), 0u);
  lines.set_pin(true);
  EXPECT_EQ(events(event), 1u) << "unmasked while low: the next edge is sent at once";
}

TEST_F(IrqLinesTest, AMaskedPinIsSentWhenUnmasked) {
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  ASSERT_TRUE(act(kIrqIntx, kMask));
  lines.set_pin(true);
  EXPECT_EQ(events(event), 0u);
  ASSERT_TRUE(act(kIrqIntx, kUnmask));
  EXPECT_EQ(events(event), 1u);
}

TEST_F(IrqLinesTest, APinThatIsHighBeforeItIsArmedIsSentThen) {
  lines.set_pin(true);
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  EXPECT_EQ(events(event), 1u);
  ASSERT_TRUE(act(kIrqIntx, kTrigger, 0, 0));
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  EXPECT_EQ(events(event), 1u) << "armed again, as after MSI-X was used";
}

TEST_F(IrqLinesTest, TheResampleDescriptorOfKvmUnmasksThePin) {
  // QEMU with KVM: MASK, UNMASK with a descriptor, UNMASK; then no message any more.
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  ASSERT_TRUE(act(kIrqIntx, kMask));
  ASSERT_TRUE(set_fds(kIrqIntx, 0, {&resample}, kUnmask));
  ASSERT_TRUE(act(kIrqIntx, kUnmask));
  lines.set_pin(true);
  EXPECT_EQ(events(event), 1u);
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_EQ(::eventfd_write(resample.get(), 1), 0);
    loop.run_once(Nanoseconds(0));
    EXPECT_EQ(events(event), 1u) << "still high at the end of interrupt";
    EXPECT_EQ(events(resample), 0u) << "taken by us";
  }
  lines.set_pin(false);
  ASSERT_EQ(::eventfd_write(resample.get(), 1), 0);
  loop.run_once(Nanoseconds(0));
  EXPECT_EQ(events(event), 0u);
}

TEST_F(IrqLinesTest, AnotherResampleDescriptorReplacesTheFirst) {
  const UniqueFd second = make_event();
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  ASSERT_TRUE(set_fds(kIrqIntx, 0, {&resample}, kUnmask));
  ASSERT_TRUE(set_fds(kIrqIntx, 0, {&second}, kUnmask));
  lines.set_pin(true);
  EXPECT_EQ(events(event), 1u);
  ASSERT_EQ(::eventfd_write(resample.get(), 1), 0);
  loop.run_once(Nanoseconds(0));
  EXPECT_EQ(events(event), 0u);
  ASSERT_EQ(::eventfd_write(second.get(), 1), 0);
  loop.run_once(Nanoseconds(0));
  EXPECT_EQ(events(event), 1u);
  ASSERT_TRUE(set_fds(kIrqIntx, 0, {}, kUnmask, 1)) << "and none removes it";
  ASSERT_EQ(::eventfd_write(second.get(), 1), 0);
  loop.run_once(Nanoseconds(0));
  EXPECT_EQ(events(event), 0u);
}

TEST_F(IrqLinesTest, ALostClientLeavesNothingArmedButTheLevel) {
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  ASSERT_TRUE(arm(kIrqMsix, 0, event));
  lines.set_pin(true);
  EXPECT_EQ(events(event), 1u);
  lines.disarm();
  lines.send_message(0);
  EXPECT_EQ(events(event), 0u);
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  EXPECT_EQ(events(event), 1u);
}

TEST_F(IrqLinesTest, RefusesWhatHasNoMeaning) {
  const auto refused = [&](IrqSet set) { return !lines.set(set, {}, {}, available(set.index)); };
  EXPECT_TRUE(refused({.flags = 0, .index = kIrqMsix, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone, .index = kIrqMsix, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kTrigger | kMask, .index = kIrqIntx, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | IrqSet::kDataBool | kTrigger, .index = kIrqIntx, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kTrigger | 1u << 9, .index = kIrqIntx, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kTrigger, .index = kIrqMsix, .start = 8, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kTrigger, .index = kIrqMsix, .start = 1, .count = ~0u}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataBool | kTrigger, .index = kIrqMsix, .count = 1})) << "no booleans";
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kTrigger, .index = kIrqReq, .count = 1}));
  EXPECT_TRUE(refused({.flags = IrqSet::kDataNone | kMask, .index = kIrqMsix, .count = 1}));
  EXPECT_FALSE(set_fds(kIrqMsix, 0, {&event}, kTrigger, 2)) << "one descriptor for two vectors";
  EXPECT_FALSE(set_fds(kIrqMsix, 0, {&event}, kUnmask));
  EXPECT_FALSE(set_fds(kIrqIntx, 0, {&event}, kMask));
}

TEST_F(IrqLinesTest, TakesNoDescriptorThatCouldHarmUs) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const UniqueFd device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const UniqueFd* fd : {&reader, &writer, &file, &device}) {
    EXPECT_FALSE(arm(kIrqMsix, 0, *fd));
    EXPECT_FALSE(set_fds(kIrqIntx, 0, {fd}, kUnmask));
  }
}

TEST_F(IrqLinesTest, AResampleDescriptorThatCannotBeEmptiedIsDropped) {
  const UniqueFd nested(::epoll_create1(EPOLL_CLOEXEC));  // always ready, never readable
  epoll_event ready{.events = EPOLLOUT, .data = {}};
  ASSERT_EQ(::epoll_ctl(nested.get(), EPOLL_CTL_ADD, event.get(), &ready), 0);
  ASSERT_TRUE(arm(kIrqIntx, 0, event));
  const std::ptrdiff_t before = open_descriptors();
  ASSERT_TRUE(set_fds(kIrqIntx, 0, {&nested}, kUnmask));
  EXPECT_EQ(open_descriptors(), before + 1);
  lines.set_pin(true);
  loop.run_once(Nanoseconds(0));
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(events(event), 1u) << "and unmasked nothing";
}

}  // namespace
}  // namespace periplex::vfio_user
