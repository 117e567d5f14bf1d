// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/pci_function.hpp"

#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint32_t kMsixEnable = 1u << 31;
constexpr std::uint32_t kOperational = 0x40;

class PciFunctionTest : public ::testing::Test {
 protected:
  std::uint32_t config(std::uint32_t offset) {
    std::uint32_t value = 0;
    function_.config_read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
    return value;
  }
  void write_config(std::uint32_t offset, std::uint32_t value) {
    function_.config_write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), 4));
  }
  std::uint32_t bar(std::uint64_t offset) {
    std::uint32_t value = 0;
    function_.bar_read(0, offset, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
    return value;
  }
  void write_bar(std::uint64_t offset, std::uint32_t value) {
    function_.bar_write(0, offset, ByteView(reinterpret_cast<const std::byte*>(&value), 4));
  }
  /// The offset of capability `id`, or 0.
  std::uint32_t capability(std::uint8_t id) {
    std::uint32_t at = config(0x34) & 0xff;
    while (at != 0 && (config(at) & 0xff) != id) at = config(at) >> 8 & 0xff;
    return at;
  }

  periplex::testing::VirtualTime time_;
  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(0x10000);
  guest::testing::RecordedInterrupts interrupts_;
  PciFunction function_{Options{}, *memory_, interrupts_, time_};
};

TEST_F(PciFunctionTest, DriversFindItByItsClassCode) {
  EXPECT_EQ(config(0x08) >> 8, 0x0c0330u);
}

TEST_F(PciFunctionTest, TheReleaseNumberIsUsb3) {
  EXPECT_EQ(config(0x60) & 0xff, 0x30u);
}

TEST_F(PciFunctionTest, TheBarIs64BitsWideAnd16KiBLarge) {
  write_config(0x10, 0xffff'ffff);
  EXPECT_EQ(config(0x10), 0xffff'c004u);
}

TEST_F(PciFunctionTest, PowerStatesCanBeEnteredWithoutLosingState) {
  const std::uint32_t power = capability(0x01);
  ASSERT_NE(power, 0u);
  EXPECT_NE(config(power + 4) & 1u << 3, 0u) << "No_Soft_Reset";
  write_bar(kOperational + 0x38, 5);
  write_config(power + 4, 3);
  write_config(power + 4, 0);
  EXPECT_EQ(bar(kOperational + 0x38), 5u);
}

TEST_F(PciFunctionTest, MsixHasAVectorForEachInterrupter) {
  const std::uint32_t msix = capability(0x11);
  ASSERT_NE(msix, 0u);
  EXPECT_EQ((config(msix) >> 16 & 0x7ff) + 1, 8u);
  EXPECT_EQ(config(msix + 4), 0x3000u);
  EXPECT_EQ(config(msix + 8), 0x3800u);
  EXPECT_EQ(bar(0x300c), 1u) << "masked after reset";
}

TEST_F(PciFunctionTest, InterruptsGoThroughThePinUntilMsixIsEnabled) {
  // An event ring of interrupter 0 at 0x1000, and a port change to fill it.
  const std::uint32_t interrupter = 0x1020;
  ASSERT_TRUE(memory_->write(guest::GuestAddress(0x1000), std::uint64_t{0x2000}));
  ASSERT_TRUE(memory_->write(guest::GuestAddress(0x1008), std::uint64_t{16}));
  write_bar(interrupter + 0x08, 1);
  write_bar(interrupter + 0x18, 0x2000);
  write_bar(interrupter + 0x10, 0x1000);
  write_bar(interrupter + 0x14, 0);
  write_bar(interrupter, 2);
  write_bar(kOperational, 5);
  testing::FakeDevice device(time_, Speed::high);
  ASSERT_TRUE(function_.bus().attach(device));
  EXPECT_TRUE(interrupts_.pin);
  EXPECT_EQ(interrupts_.count(0), 0u);
  write_config(capability(0x11), kMsixEnable);
  EXPECT_FALSE(interrupts_.pin);
  EXPECT_EQ(interrupts_.count(0), 1u) << "what was pending goes the new way";
  function_.bus().detach(device);
}

TEST_F(PciFunctionTest, AFunctionResetKeepsWhatIsPluggedIn) {
  testing::FakeDevice device(time_, Speed::super);
  ASSERT_TRUE(function_.bus().attach(device));
  write_bar(kOperational + 0x38, 5);
  write_bar(kOperational, 1);
  write_config(capability(0x11), kMsixEnable);
  function_.reset();
  EXPECT_EQ(bar(kOperational + 0x38), 0u);
  EXPECT_EQ(bar(kOperational + 0x04), 1u) << "halted";
  EXPECT_EQ(config(capability(0x11)) & kMsixEnable, 0u);
  EXPECT_EQ(bar(kOperational + 0x440) & 3, 3u) << "connected and enabled";
  EXPECT_EQ(device.resets, 1u);
  function_.bus().detach(device);
}

TEST_F(PciFunctionTest, ALostMonitorIsAReset) {
  write_bar(kOperational + 0x38, 5);
  function_.on_disconnect();
  EXPECT_EQ(bar(kOperational + 0x38), 0u);
}

}  // namespace
}  // namespace periplex::usb::xhci
