// SPDX-License-Identifier: Apache-2.0
// What QEMU 11 does and Cloud Hypervisor does not.
#include <gtest/gtest.h>

#include "vfio_user/shared_ram.hpp"
#include "vfio_user/testing/served_function.hpp"

namespace periplex::vfio_user {
namespace {

using testing::events;
using testing::make_event;
using testing::ScratchFunction;

constexpr std::string_view kCapabilities =
    R"({"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, )"
    R"("migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}})";
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kArm = IrqSet::kDataEventfd | IrqSet::kActionTrigger;

class QemuTest : public testing::ServedFunction {
 protected:
  QemuTest() { EXPECT_TRUE(client.negotiate({.major = 0, .minor = 0}, kCapabilities)); }

  void set_irqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start, std::uint32_t count,
                std::span<const int> fds = {}) {
    EXPECT_TRUE(client.set_irqs({.flags = flags, .index = index, .start = start, .count = count}, fds));
  }
  void send(const DmaMap& map, std::span<const int> fds = {}) {
    EXPECT_TRUE(client.send(Command::dma_map, map.packed(), fds));
  }
  void send(const DmaUnmap& unmap) { EXPECT_TRUE(client.send(Command::dma_unmap, unmap.packed())); }
  void drive_pin(bool high) {
    // Writes to memory BARs are posted; the read makes sure that this one has been handled.
    EXPECT_TRUE(client.post<std::uint32_t>(0, ScratchFunction::kPin, high));
    EXPECT_TRUE(client.read<std::uint32_t>(0, 0));
  }

  Client client = connect();
};

TEST_F(QemuTest, RemapsAllMemoryInOneGoWhileFirmwareRuns) {
  const SharedRam ram(16 * kMiB);
  const int fd[] = {ram.fd()};
  constexpr std::uint32_t kReadWrite = 3;
  send(DmaMap{.flags = kReadWrite, .offset = 0, .address = 0, .size = 0xa0000}, fd);
  send(DmaMap{.flags = 1, .address = 0xc0000, .size = 0x20000});
  send(DmaMap{.flags = kReadWrite, .offset = kMiB, .address = kMiB, .size = 15 * kMiB}, fd);
  unsigned replies = 3;
  for (unsigned round = 0; round < 12; ++round) {
    send(DmaUnmap{.address = 0, .size = 0xa0000});
    send(DmaUnmap{.address = kMiB, .size = 15 * kMiB});
    send(DmaMap{.flags = kReadWrite, .offset = 0, .address = 0, .size = 0xa0000}, fd);
    send(DmaMap{.flags = kReadWrite, .offset = kMiB, .address = kMiB, .size = 15 * kMiB}, fd);
    replies += 4;
  }
  for (unsigned i = 0; i < replies; ++i) {
    const auto reply = client.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->header.flags, Header::kTypeReply) << name(reply->header.command);
    EXPECT_EQ(reply->header.size, reply->header.command == Command::dma_unmap ? 40u : 16u);
  }
  EXPECT_EQ(server.memory().mapped_bytes(), 0xa0000 + 15 * kMiB);
}

TEST_F(QemuTest, ArmsVectorsOneByOneAsTheGuestUnmasksThem) {
  const UniqueFd first = make_event();
  const UniqueFd third = make_event();
  const int first_fd[] = {first.get()};
  const int third_fd[] = {third.get()};
  set_irqs(kArm, kIrqMsix, 0, 1);  // MSI-X enable starts without a descriptor
  EXPECT_TRUE(client.post<std::uint8_t>(0, ScratchFunction::kMessage, 3));
  EXPECT_EQ(client.read<std::uint64_t>(0, ScratchFunction::kPba).value(), 8u);
  set_irqs(kArm, kIrqMsix, 0, 1, first_fd);
  set_irqs(kArm, kIrqMsix, 3, 1, third_fd);
  EXPECT_EQ(events(third), 1u) << "what was pending is sent";
  EXPECT_EQ(client.read<std::uint64_t>(0, ScratchFunction::kPba).value(), 0u);
  const UniqueFd again = make_event();  // masked and unmasked: a new descriptor for the same vector
  const int again_fd[] = {again.get()};
  set_irqs(kArm, kIrqMsix, 0, 1, again_fd);
  EXPECT_TRUE(client.post<std::uint8_t>(0, ScratchFunction::kMessage, 0));
  EXPECT_TRUE(client.read<std::uint32_t>(0, 0));
  EXPECT_EQ(events(first), 0u);
  EXPECT_EQ(events(again), 1u);
}

TEST_F(QemuTest, WithoutKvmThePinIsUnmaskedByTheFirstAccess) {
  const UniqueFd event = make_event();
  const int fd[] = {event.get()};
  set_irqs(kArm, kIrqIntx, 0, 1, fd);
  drive_pin(true);
  EXPECT_EQ(events(event), 1u);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionUnmask, kIrqIntx, 0, 1);
  EXPECT_EQ(events(event), 1u);
  drive_pin(false);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionUnmask, kIrqIntx, 0, 1);
  EXPECT_EQ(events(event), 0u);
}

TEST_F(QemuTest, WithKvmThePinIsUnmaskedByTheResampleDescriptor) {
  const UniqueFd event = make_event();
  const UniqueFd resample = make_event();
  const int event_fd[] = {event.get()};
  const int resample_fd[] = {resample.get()};
  set_irqs(kArm, kIrqIntx, 0, 1, event_fd);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionMask, kIrqIntx, 0, 1);
  set_irqs(IrqSet::kDataEventfd | IrqSet::kActionUnmask, kIrqIntx, 0, 1, resample_fd);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionUnmask, kIrqIntx, 0, 1);
  drive_pin(true);
  EXPECT_EQ(events(event), 1u);
  ASSERT_EQ(::eventfd_write(resample.get(), 1), 0);
  turn_until([&] { return events(event) == 1; });
  drive_pin(false);
  ASSERT_EQ(::eventfd_write(resample.get(), 1), 0);
  turn();
  EXPECT_EQ(events(event), 0u);
}

TEST_F(QemuTest, ArmsTheErrorInterruptAndTakesItBack) {
  EXPECT_EQ(client.irq_info(kIrqErr)->count, 1u) << "QEMU warns its user without it";
  const UniqueFd event = make_event();
  const int fd[] = {event.get()};
  set_irqs(kArm, kIrqErr, 0, 1, fd);
  set_irqs(kArm, kIrqErr, 0, 1);
}

TEST_F(QemuTest, SwitchesBetweenPinAndMessages) {
  const UniqueFd pin = make_event();
  const UniqueFd message = make_event();
  const int pin_fd[] = {pin.get()};
  const int message_fd[] = {message.get()};
  set_irqs(kArm, kIrqIntx, 0, 1, pin_fd);
  drive_pin(true);
  EXPECT_EQ(events(pin), 1u);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionTrigger, kIrqIntx, 0, 0);
  set_irqs(kArm, kIrqMsix, 0, 1, message_fd);
  EXPECT_TRUE(client.post<std::uint8_t>(0, ScratchFunction::kMessage, 0));
  EXPECT_TRUE(client.read<std::uint32_t>(0, 0));
  EXPECT_EQ(events(message), 1u);
  set_irqs(IrqSet::kDataNone | IrqSet::kActionTrigger, kIrqMsix, 0, 0);
  set_irqs(kArm, kIrqIntx, 0, 1, pin_fd);
  EXPECT_EQ(events(pin), 1u) << "the level was high all the time";
}

TEST_F(QemuTest, ResetsTheDeviceAtEverySystemReset) {
  drive_pin(true);
  for (unsigned i = 1; i <= 3; ++i) {
    ASSERT_TRUE(client.reset());
    EXPECT_EQ(function.resets, i);
  }
  const UniqueFd event = make_event();
  const int fd[] = {event.get()};
  set_irqs(kArm, kIrqIntx, 0, 1, fd);
  EXPECT_EQ(events(event), 0u) << "the pin went low with the reset";
}

}  // namespace
}  // namespace periplex::vfio_user
