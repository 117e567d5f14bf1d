// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/queue_head_view.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"
#include "usb/ehci/testing/driver.hpp"

namespace periplex::usb::ehci {
namespace {

using batching::Outcome;
using batching::Pid;
using guest::GuestAddress;
using testing::Driver;

constexpr GuestAddress kBuffer{0x40000};

/// Stands in for a controller's registers where only queues matter.
class NoRegisters final : public pci::BarModel {
 public:
  void read(std::uint64_t, MutableByteView out) override { std::ranges::fill(out, std::byte{0}); }
  void write(std::uint64_t, ByteView) override {}
};

class QueueHeadViewTest : public ::testing::Test {
 protected:
  QueueHeadViewTest() {
    driver_.start();
    queue_ = driver_.add_queue({.address = 1, .endpoint = 2, .packet_size = 512});
  }
  /// A new visit.
  QueueHeadView view() {
    walk_ = {};
    const auto address = static_cast<std::uint32_t>(queue_.head.value);
    return {*memory_, address, QueueHead::read(*memory_, address).value(), walk_};
  }

  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(1u << 20);
  NoRegisters registers_;
  Driver driver_{registers_, *memory_};
  Driver::Queue queue_;
  Walk walk_;
};

TEST_F(QueueHeadViewTest, AnEmptyQueueHasNoHeadAndIsLeftAsItIs) {
  const std::uint32_t next = driver_.overlay(queue_, 0);
  EXPECT_FALSE(view().head());
  EXPECT_EQ(driver_.overlay(queue_, 0), next);
  EXPECT_EQ(driver_.word(queue_.head + 12), 0u);
}

TEST_F(QueueHeadViewTest, TheHeadIsBroughtToTheOverlay) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .buffer = kBuffer + 0x123, .length = 5000}});
  const auto head = view().head();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->address, qtds[0]);
  EXPECT_EQ(head->pid, Pid::in);
  EXPECT_EQ(head->length, 5000u);
  EXPECT_EQ(head->packet_size, 512u);
  EXPECT_EQ(GuestAddress(driver_.word(queue_.head + 12)), qtds[0]) << "Current qTD Pointer";
  EXPECT_EQ(driver_.overlay_token(queue_), driver_.token(qtds[0]));
  EXPECT_EQ(driver_.overlay(queue_, 3), 0x40123u);
}

TEST_F(QueueHeadViewTest, ABufferIsCutAtItsPages) {
  driver_.append(queue_, {{.buffer = kBuffer + 0xf00, .length = 0x1200}});
  const auto head = view().head();
  ASSERT_TRUE(head);
  ASSERT_EQ(head->piece_count, 3);
  EXPECT_EQ(head->pieces()[0].address, kBuffer + 0xf00);
  EXPECT_EQ(head->pieces()[0].length, 0x100u);
  EXPECT_EQ(head->pieces()[1].address, kBuffer + 0x1000);
  EXPECT_EQ(head->pieces()[1].length, 0x1000u);
  EXPECT_EQ(head->pieces()[2].length, 0x100u);
}

TEST_F(QueueHeadViewTest, LookingAheadChangesNothing) {
  const auto qtds = driver_.append(queue_, {{.length = 512}, {.length = 512}, {.length = 100}});
  QueueHeadView visit = view();
  (void)visit.head();
  const std::uint32_t token = driver_.overlay_token(queue_);
  EXPECT_EQ(visit.after(qtds[0])->address, qtds[1]);
  EXPECT_EQ(visit.after(qtds[1])->address, qtds[2]);
  EXPECT_FALSE(visit.after(qtds[2]));
  EXPECT_EQ(driver_.overlay_token(queue_), token);
  EXPECT_EQ(visit.head()->address, qtds[0]);
}

TEST_F(QueueHeadViewTest, RetiringWritesTheDescriptorAndTheOverlayAndMovesOn) {
  const auto qtds = driver_.append(queue_, {{.buffer = kBuffer, .length = 6000, .interrupt = true}, {.length = 512}});
  QueueHeadView visit = view();
  EXPECT_TRUE(visit.retire(*visit.head(), {Status::ok, 6000}));
  EXPECT_FALSE(driver_.active(qtds[0]));
  EXPECT_EQ(driver_.left(qtds[0]), 0u);
  EXPECT_EQ(driver_.token(qtds[0]) >> 12 & 7, 1u) << "C_Page";
  EXPECT_EQ(driver_.word(qtds[0] + 12) & 0xfff, 6000u - 4096) << "Current Offset";
  EXPECT_EQ(driver_.overlay_token(queue_), driver_.token(qtds[0]));
  EXPECT_TRUE(walk_.interrupt);
  EXPECT_EQ(visit.head()->address, qtds[1]);
}

TEST_F(QueueHeadViewTest, TheToggleIsTheQueueHeads) {
  driver_.append(queue_, {{.length = 512}, {.length = 1024}, {.length = 0}});
  QueueHeadView visit = view();
  visit.retire(*visit.head(), {Status::ok, 512});
  EXPECT_NE(driver_.overlay_token(queue_) >> 31, 0u);
  visit.retire(*visit.head(), {Status::ok, 1024});
  EXPECT_NE(driver_.overlay_token(queue_) >> 31, 0u);
  visit.retire(*visit.head(), {Status::ok, 0});
  EXPECT_EQ(driver_.overlay_token(queue_) >> 31, 0u);
}

TEST_F(QueueHeadViewTest, AShortPacketTakesTheAlternatePointer) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .length = 1024}, {.pid = Pid::in, .length = 1024}});
  const auto rest = driver_.allocate(32);
  driver_.set_word(rest, 1);
  driver_.set_word(rest + 4, 1);
  driver_.set_word(rest + 8, 64u << 16 | 1u << 8 | Driver::kActive);
  driver_.set_word(qtds[0] + 4, static_cast<std::uint32_t>(rest.value));
  QueueHeadView visit = view();
  EXPECT_TRUE(visit.retire(*visit.head(), {Status::ok, 100}));
  EXPECT_EQ(driver_.left(qtds[0]), 924u);
  EXPECT_TRUE(walk_.interrupt);
  EXPECT_EQ(visit.head()->address, rest);
  EXPECT_TRUE(driver_.active(qtds[1]));
}

TEST_F(QueueHeadViewTest, AShortPacketWithoutAlternateGoesToTheNext) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .length = 1024}, {.pid = Pid::in, .length = 1024}});
  QueueHeadView visit = view();
  visit.retire(*visit.head(), {Status::ok, 100});
  EXPECT_EQ(visit.head()->address, qtds[1]);
}

struct Ending {
  Status status;
  std::uint32_t bits;
  std::uint32_t errors_left;
};
class HaltTest : public QueueHeadViewTest, public ::testing::WithParamInterface<Ending> {};

TEST_P(HaltTest, AnErrorHaltsTheQueue) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .length = 1024}, {.pid = Pid::in, .length = 1024}});
  QueueHeadView visit = view();
  EXPECT_FALSE(visit.retire(*visit.head(), {GetParam().status, 512}));
  EXPECT_EQ(driver_.token(qtds[0]) & 0xff, GetParam().bits);
  EXPECT_EQ(driver_.token(qtds[0]) >> 10 & 3, GetParam().errors_left);
  EXPECT_EQ(driver_.left(qtds[0]), 512u);
  EXPECT_EQ(driver_.overlay_token(queue_), driver_.token(qtds[0]));
  EXPECT_TRUE(walk_.error_interrupt);
  EXPECT_FALSE(visit.head());
  EXPECT_FALSE(view().head()) << "until the driver has cleared the halt";
  EXPECT_TRUE(driver_.active(qtds[1]));
}

INSTANTIATE_TEST_SUITE_P(Statuses, HaltTest,
                         ::testing::Values(Ending{Status::stall, 0x40, 3}, Ending{Status::babble, 0x50, 3},
                                           Ending{Status::error, 0x48, 0}, Ending{Status::cancelled, 0x48, 0},
                                           Ending{Status::disconnected, 0x48, 0}));

TEST_F(QueueHeadViewTest, ADriverMayTryAgainWhereItHalted) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .length = 1024}});
  QueueHeadView visit = view();
  visit.retire(*visit.head(), {Status::error, 0});
  const std::uint32_t again = (driver_.token(qtds[0]) & ~0x40u) | Driver::kActive | 3u << 10;
  driver_.set_word(qtds[0] + 8, again);
  driver_.set_word(queue_.head + 24, again);
  EXPECT_EQ(view().head()->address, qtds[0]);
}

TEST_F(QueueHeadViewTest, APidThatDoesNotExistHaltsTheQueue) {
  const auto qtds = driver_.append(queue_, {{.length = 512}});
  driver_.set_word(qtds[0] + 8, driver_.token(qtds[0]) | 3u << 8);
  EXPECT_FALSE(view().head());
  EXPECT_EQ(driver_.token(qtds[0]) & 0xff, 0x48u);
  EXPECT_TRUE(walk_.error_interrupt);
}

TEST_F(QueueHeadViewTest, ALengthBeyondTheFivePagesIsCut) {
  const auto qtds = driver_.append(queue_, {{.buffer = kBuffer + 0x800, .length = 0x7fff}});
  const auto head = view().head();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->length, 5u * 4096 - 0x800);
  EXPECT_EQ(head->piece_count, 5);
}

TEST_F(QueueHeadViewTest, OnlyOneDirectionIsShownWhereThePipeHasOne) {
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .length = 512}, {.pid = Pid::out, .length = 512}});
  QueueHeadView visit = view();
  visit.show_only(Direction::in);
  ASSERT_TRUE(visit.head());
  EXPECT_FALSE(visit.after(qtds[0]));
  visit.retire(*visit.head(), {Status::ok, 512});
  EXPECT_FALSE(visit.head());
  EXPECT_EQ(view().head()->address, qtds[1]);
}

TEST_F(QueueHeadViewTest, ADescriptorOutsideMemoryIsAFault) {
  driver_.set_word(queue_.head + 16, 0xf000'0000);
  EXPECT_FALSE(view().head());
  EXPECT_EQ(walk_.fault, guest::Fault::unmapped);
}

}  // namespace
}  // namespace periplex::usb::ehci
