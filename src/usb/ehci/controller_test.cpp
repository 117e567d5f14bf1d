// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/controller.hpp"

#include <gtest/gtest.h>

#include "usb/ehci/testing/rig.hpp"

namespace periplex::usb::ehci {
namespace {

using testing::Driver;
using testing::FakeCompanion;
using testing::Pid;
using testing::Rig;
using usb::testing::FakeDevice;

constexpr std::uint32_t kPeriodicStatus = 1u << 14;
constexpr std::uint32_t kAsyncStatus = 1u << 15;

class ControllerTest : public ::testing::Test {
 protected:
  Rig rig_;
  Driver& driver_ = rig_.driver;
};

// --- registers

TEST_F(ControllerTest, CapabilitiesSayWhatThereIs) {
  FakeCompanion first;
  FakeCompanion second;
  const std::vector<CompanionPort> companions{
      {&first, PortNumber(1)}, {&first, PortNumber(2)}, {&second, PortNumber(1)}, {&second, PortNumber(2)}};
  Rig rig({.ports = 4}, companions);
  EXPECT_EQ(rig.driver.capability(0), 0x0100'0020u);
  EXPECT_EQ(rig.driver.capability(4), 0x0000'2204u);  // N_CC 2, N_PCC 2, 4 ports
  EXPECT_EQ(rig.driver.capability(8), 0x0000'6886u);  // EECP 68h, holds a frame, park and frame list size
}

TEST_F(ControllerTest, ResetValuesAreThoseOfTheManual) {
  EXPECT_EQ(driver_.reg(Driver::kUsbcmd), 0x0008'0b00u);
  EXPECT_EQ(driver_.status(), Driver::kHalted);
  EXPECT_EQ(driver_.reg(Driver::kUsbintr), 0u);
  EXPECT_EQ(driver_.reg(Driver::kFrindex), 0u);
  EXPECT_EQ(driver_.reg(0x10), 0u);
  EXPECT_EQ(driver_.reg(Driver::kConfigflag), 0u);
}

TEST_F(ControllerTest, AControllerResetRestoresThem) {
  driver_.start();
  rig_.settle(std::chrono::milliseconds(5));
  driver_.command(Driver::kHcreset);
  EXPECT_EQ(driver_.reg(Driver::kUsbcmd), 0x0008'0b00u);
  EXPECT_EQ(driver_.status(), Driver::kHalted);
  EXPECT_EQ(driver_.reg(Driver::kUsbintr), 0u);
  EXPECT_EQ(driver_.reg(Driver::kFrindex), 0u);
  EXPECT_EQ(driver_.reg(Driver::kAsynclistaddr), 0u);
  EXPECT_EQ(driver_.reg(Driver::kPeriodiclistbase), 0u);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(ControllerTest, StatusFollowsTheEnablesWhileItRuns) {
  driver_.command(Driver::kAsyncEnable | Driver::kPeriodicEnable);
  EXPECT_EQ(driver_.status() & (kAsyncStatus | kPeriodicStatus), 0u);
  driver_.start();
  EXPECT_EQ(driver_.status() & (kAsyncStatus | kPeriodicStatus | Driver::kHalted), kAsyncStatus | kPeriodicStatus);
  driver_.command(0, Driver::kAsyncEnable);
  EXPECT_EQ(driver_.status() & (kAsyncStatus | kPeriodicStatus), kPeriodicStatus);
  driver_.command(0, Driver::kRun);
  EXPECT_EQ(driver_.status() & (kAsyncStatus | kPeriodicStatus | Driver::kHalted), Driver::kHalted);
}

TEST_F(ControllerTest, ThePinIsWhatStatusAndEnablesHaveInCommon) {
  driver_.start();
  driver_.command(Driver::kDoorbell);
  rig_.settle();
  EXPECT_TRUE(rig_.pin.high);
  driver_.write_reg(Driver::kUsbintr, 0);
  EXPECT_FALSE(rig_.pin.high);
  driver_.write_reg(Driver::kUsbintr, Driver::kAsyncAdvance);
  EXPECT_TRUE(rig_.pin.high);
  driver_.acknowledge(Driver::kAsyncAdvance);
  EXPECT_FALSE(rig_.pin.high);
}

// --- the frame index

TEST_F(ControllerTest, TheFrameIndexCountsMicroframesWhileItRuns) {
  driver_.start();
  const std::uint32_t before = driver_.reg(Driver::kFrindex);
  rig_.time.advance(std::chrono::milliseconds(10));
  EXPECT_EQ(driver_.reg(Driver::kFrindex) - before, 80u);
  driver_.command(0, Driver::kRun);
  const std::uint32_t halted = driver_.reg(Driver::kFrindex);
  rig_.time.advance(std::chrono::milliseconds(10));
  EXPECT_EQ(driver_.reg(Driver::kFrindex), halted);
}

TEST_F(ControllerTest, TheFrameIndexCanBeSetWhileHaltedAndWraps) {
  driver_.write_reg(Driver::kFrindex, 0x3ff8);
  EXPECT_EQ(driver_.reg(Driver::kFrindex), 0x3ff8u);
  driver_.command(Driver::kRun);
  driver_.write_reg(Driver::kFrindex, 0x100);  // not while it runs
  rig_.time.advance(std::chrono::milliseconds(2));
  EXPECT_EQ(driver_.reg(Driver::kFrindex), 8u);
  EXPECT_NE(driver_.status() & Driver::kRollover, 0u);
}

TEST_F(ControllerTest, FrameListRolloverInterruptsWithBothSchedulesOff) {
  driver_.start();
  driver_.command(0, Driver::kAsyncEnable | Driver::kPeriodicEnable);
  driver_.write_reg(Driver::kUsbintr, Driver::kRollover);
  rig_.settle();
  EXPECT_FALSE(rig_.pin.high);
  rig_.time.advance(std::chrono::milliseconds(1024));
  EXPECT_TRUE(rig_.pin.high);
  driver_.acknowledge(Driver::kRollover);
  EXPECT_FALSE(rig_.pin.high);
  rig_.time.advance(std::chrono::milliseconds(1024));
  EXPECT_TRUE(rig_.pin.high);
}

TEST_F(ControllerTest, ASmallFrameListRollsOverMoreOften) {
  driver_.command(Driver::kRun | 2u << 2);  // 256 frames
  rig_.time.advance(std::chrono::milliseconds(200));
  EXPECT_EQ(driver_.status() & Driver::kRollover, 0u);
  rig_.time.advance(std::chrono::milliseconds(100));
  EXPECT_NE(driver_.status() & Driver::kRollover, 0u);
}

// --- the clock

TEST_F(ControllerTest, NoTimerRunsWhileStoppedOrWithBothSchedulesOff) {
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.start();
  rig_.settle();
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  driver_.command(0, Driver::kAsyncEnable | Driver::kPeriodicEnable);
  rig_.settle();
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.command(Driver::kAsyncEnable);
  rig_.settle();
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  driver_.command(0, Driver::kRun);
  rig_.settle();
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(ControllerTest, NoTimerRunsWhileAllPortsAreSuspended) {
  FakeDevice device(rig_.time, Speed::high);
  driver_.start();
  const unsigned port = rig_.plug(device);
  rig_.settle();
  driver_.write_portsc(port, 0x84);
  rig_.settle(std::chrono::seconds(1));
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.write_portsc(port, 0xc4);
  driver_.write_portsc(port, 0x84);
  rig_.settle();
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  rig_.controller.detach(device);
}

TEST(PaceTest, WalksAreCloseAfterProgressThenAFrameApartThenFurther) {
  Pace pace;
  const Nanoseconds start = std::chrono::seconds(1);
  EXPECT_EQ(pace.interval(start), Pace::kIdleInterval);
  pace.walked(start, batching::Activity::pending);
  EXPECT_EQ(pace.interval(start), Pace::kIdleInterval);
  pace.walked(start, batching::Activity::progressed);
  EXPECT_EQ(pace.interval(start), Pace::kBusyInterval);
  EXPECT_EQ(pace.interval(start + Pace::kBusy), kFrame);
  EXPECT_EQ(pace.interval(start + Pace::kRecent), Pace::kIdleInterval);
  pace.touched(start + Pace::kRecent);
  EXPECT_EQ(pace.interval(start + Pace::kRecent), kFrame);
}

TEST_F(ControllerTest, ADeviceThatAppearsWhileTheControllerIsGoneIsNotCalled) {
  FakeDevice device(rig_.time, Speed::high);
  {
    Rig other;
    ASSERT_TRUE(other.controller.attach(device).has_value());
    other.controller.detach(device);
  }
  EXPECT_FALSE(device.wake_up);
}

TEST_F(ControllerTest, AccessesOfAnyWidthAreAnswered) {
  for (std::uint32_t offset = 0; offset < Controller::kRegisterSpace + 8; ++offset) {
    for (const std::size_t size : {1u, 2u, 4u, 8u}) {
      Bytes bytes(size, std::byte{0xff});
      rig_.controller.read(offset, bytes);
      rig_.controller.write(offset, bytes);
    }
  }
  rig_.settle();
}

}  // namespace
}  // namespace periplex::usb::ehci
