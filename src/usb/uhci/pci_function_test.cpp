// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/pci_function.hpp"

#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::usb::uhci {
namespace {

class PciFunctionTest : public ::testing::Test {
 protected:
  static std::uint32_t config(const PciFunction& function, std::uint32_t offset) {
    std::uint32_t value = 0;
    function.config_read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
    return value;
  }
  static void write_config(PciFunction& function, std::uint32_t offset, std::uint32_t value) {
    function.config_write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), 4));
  }

  periplex::testing::VirtualTime time_;
  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(0x10000);
  guest::testing::RecordedInterrupts interrupts_;
  PciFunction function_{Options{}, *memory_, interrupts_, time_};
};

TEST_F(PciFunctionTest, DriversFindItByItsClassCodeOrAsAPiix3) {
  EXPECT_EQ(config(function_, 0x00), 0x7020'8086u);
  EXPECT_EQ(config(function_, 0x08) >> 8, 0x0c0300u);
}

TEST_F(PciFunctionTest, ACompanionIsOneOfTheIch9) {
  const PciFunction companion(Options{.companion = true}, *memory_, interrupts_, time_);
  EXPECT_EQ(config(companion, 0x00), 0x2934'8086u);
}

TEST_F(PciFunctionTest, ThirtyTwoIoPortsLieBehindBar4) {
  write_config(function_, 0x20, 0xffff'ffff);
  EXPECT_EQ(config(function_, 0x20), 0xffff'ffe1u);
  EXPECT_EQ(config(function_, 0x3c) >> 8 & 0xff, 1u) << "INTA#";
}

TEST_F(PciFunctionTest, ItsOnlyCapabilityIsMsi) {
  EXPECT_EQ(config(function_, config(function_, 0x34) & 0xff), 0x0080'0005u);
}

TEST_F(PciFunctionTest, TheReleaseNumberIsUsb1) {
  EXPECT_EQ(config(function_, 0x60) & 0xff, 0x10u);
}

TEST_F(PciFunctionTest, LegacySupportIsOffAndNothingEverTrapped) {
  EXPECT_EQ(config(function_, 0xc0), 0x2000u);
  write_config(function_, 0xc0, 0x8f00);  // what drivers write to take over
  EXPECT_EQ(config(function_, 0xc0), 0x0000u);
  write_config(function_, 0xc0, 0x2000);
  EXPECT_EQ(config(function_, 0xc0), 0x2000u);
}

TEST_F(PciFunctionTest, AFunctionResetKeepsWhatIsPluggedIn) {
  usb::testing::FakeDevice device(time_, Speed::full);
  ASSERT_TRUE(function_.bus().attach(device));
  function_.reset();
  std::uint16_t portsc = 0;
  function_.bar_read(4, 0x10, MutableByteView(reinterpret_cast<std::byte*>(&portsc), 2));
  EXPECT_EQ(portsc & 1, 1);
  EXPECT_EQ(device.resets, 1u);
  function_.bus().detach(device);
}

}  // namespace
}  // namespace periplex::usb::uhci
