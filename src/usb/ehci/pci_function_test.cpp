// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/pci_function.hpp"

#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::usb::ehci {
namespace {

class PciFunctionTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::uint32_t config(std::uint32_t offset) {
    std::uint32_t value = 0;
    function_.config_read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value));
    return value;
  }
  void write_config(std::uint32_t offset, std::uint32_t value) {
    function_.config_write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }
  void write_operational(std::uint32_t offset, std::uint32_t value) {
    constexpr std::uint32_t kOperational = 0x20;
    function_.bar_write(0, kOperational + offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }

  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(1u << 20);
  guest::testing::RecordedInterrupts interrupts_;
  periplex::testing::VirtualTime time_;
  PciFunction function_{{}, {}, *memory_, interrupts_, time_};
};

TEST_F(PciFunctionTest, DriversFindAnEhciController) {
  EXPECT_EQ(config(0x00), 0x293a'8086u);
  EXPECT_EQ(config(0x08) >> 8, 0x0c0320u);
  EXPECT_EQ(config(0x3c) >> 8 & 0xff, 1u);  // INTA#
}

TEST_F(PciFunctionTest, TheBarIsOneKibibyteOf32BitMemory) {
  write_config(0x10, 0xffff'ffff);
  EXPECT_EQ(config(0x10), 0xffff'fc00u);
}

TEST_F(PciFunctionTest, ReleaseNumberAndFrameLengthStandWhereTheManualSays) {
  EXPECT_EQ(config(0x60), 0x0000'2020u) << "SBRN 2.0, FLADJ for 60000 bit times, no wake capability";
}

TEST_F(PciFunctionTest, TheHandoverSemaphoresBelongToTheGuest) {
  EXPECT_EQ(config(0x68), 0x0000'0001u) << "no BIOS owns it";
  write_config(0x68, 1u << 24);
  EXPECT_EQ(config(0x68), 0x0100'0001u);
  write_config(0x6c, 0);
  EXPECT_EQ(config(0x6c), 0u);
}

TEST_F(PciFunctionTest, ItSleepsWithoutPme) {
  const std::uint32_t capability = config(0x34) & 0xff;
  EXPECT_EQ(config(capability) & 0xffff'00ff, 0x0003'0001u);
}

TEST_F(PciFunctionTest, WithMsiAnInterruptIsAMessageAndThePinStaysQuiet) {
  const std::uint32_t capability = config(config(0x34) & 0xff) >> 8 & 0xff;
  EXPECT_EQ(config(capability), 0x0080'0005u);
  write_config(capability, 0x0001'0000);
  write_operational(0x08, 0x24);         // USBINTR: Interrupt on Async Advance, Port Change
  write_operational(0x00, 1u << 6 | 1);  // USBCMD: doorbell, run
  time_.run_until_idle();
  EXPECT_EQ(interrupts_.count(0), 1u);
  write_operational(0x04, 0x20);
  EXPECT_EQ(interrupts_.count(0), 1u) << "nothing is left to tell of";
  EXPECT_FALSE(interrupts_.pin);
}

TEST_F(PciFunctionTest, OfTheCausesThatAreLeftAfterAnAcknowledgementTheGuestIsToldAgain) {
  const std::uint32_t capability = config(config(0x34) & 0xff) >> 8 & 0xff;
  write_config(capability, 0x0001'0000);
  usb::testing::FakeDevice device(time_, Speed::high);
  write_operational(0x40, 1);  // CONFIGFLAG: the ports are this controller's
  ASSERT_TRUE(function_.bus().attach(device));
  write_operational(0x08, 0x24);
  write_operational(0x00, 1u << 6 | 1);
  time_.run_until_idle();
  EXPECT_EQ(interrupts_.count(0), 1u) << "for both";
  write_operational(0x04, 0x20);
  EXPECT_EQ(interrupts_.count(0), 2u);
  write_operational(0x04, 0x04);
  EXPECT_EQ(interrupts_.count(0), 2u);
  function_.bus().detach(device);
}

TEST_F(PciFunctionTest, AnInterruptReachesThePinAndAResetTakesItBack) {
  write_operational(0x08, 0x20);
  write_operational(0x00, 1u << 6 | 1);
  time_.run_until_idle();
  EXPECT_TRUE(interrupts_.pin);
  function_.reset();
  EXPECT_FALSE(interrupts_.pin);
}

}  // namespace
}  // namespace periplex::usb::ehci
