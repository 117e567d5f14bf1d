// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr std::uint16_t kHalted = 0x20;

class ControllerTest : public ::testing::Test {
 protected:
  Rig rig_;
  Driver& driver_ = rig_.driver;
};

TEST_F(ControllerTest, RegistersReadAsAfterPowerOn) {
  EXPECT_EQ(driver_.command(), 0);
  EXPECT_EQ(driver_.status(), kHalted);
  EXPECT_EQ(driver_.in16(0x04), 0);
  EXPECT_EQ(driver_.frame_number(), 0);
  EXPECT_EQ(driver_.in16(0x0c), 0x40);
  EXPECT_EQ(driver_.portsc(1), 0x0080);
  EXPECT_EQ(driver_.portsc(2), 0x0080);
  EXPECT_EQ(driver_.portsc(3), 0) << "drivers count the ports by bit 7";
}

TEST_F(ControllerTest, AnOddNumberOfPortsEndsWhereItSays) {
  Rig three({.ports = 3});
  EXPECT_EQ(three.driver.portsc(3), 0x0080);
  EXPECT_EQ(three.driver.portsc(4), 0);
}

TEST_F(ControllerTest, AWriteToOneHalfOfADwordLeavesTheOtherAlone) {
  driver_.start();
  rig_.time.advance(3ms);
  driver_.out16(0x04, 0x0005);
  EXPECT_EQ(driver_.frame_number(), 4) << "frames 0 to 3 have begun";
  driver_.out16(0x00, 0x00c1);
  EXPECT_EQ(driver_.status(), 0) << "the command's bits clear no status";
  rig_.controller.write(0x04, Bytes{std::byte{0x0f}});
  EXPECT_EQ(driver_.in16(0x04), 0x000f);
}

TEST_F(ControllerTest, FramesAreCountedWhileItRuns) {
  driver_.start();
  EXPECT_EQ(driver_.status() & kHalted, 0);
  rig_.time.advance(100ms);
  EXPECT_NEAR(driver_.frame_number(), 100, 1);
  driver_.stop();
  EXPECT_EQ(driver_.status() & kHalted, kHalted);
  const std::uint16_t stopped = driver_.frame_number();
  rig_.time.advance(100ms);
  EXPECT_EQ(driver_.frame_number(), stopped);
}

TEST_F(ControllerTest, TheFrameNumberCanBeSetOnlyWhileHalted) {
  driver_.out16(0x06, 0x07fe);
  EXPECT_EQ(driver_.frame_number(), 0x07fe);
  driver_.start();
  driver_.stop();
  driver_.out16(0x06, 0x07fe);
  driver_.run();
  driver_.out16(0x06, 0x0123);
  rig_.time.advance(3500us);
  EXPECT_EQ(driver_.frame_number(), 0x0002) << "it has 11 bits";
}

TEST_F(ControllerTest, ThereIsNoTimerWhileHaltedOrWithoutADevice) {
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.start();
  rig_.time.advance(10ms);
  EXPECT_EQ(rig_.time.armed_timers(), 1u) << "a driver may wait for a frame";
  rig_.time.advance(2s);
  EXPECT_EQ(rig_.time.armed_timers(), 0u) << "no port is enabled";
  const std::uint16_t before = driver_.frame_number();
  rig_.time.advance(500ms);
  EXPECT_EQ((driver_.frame_number() - before) & 0x7ff, 500) << "but frames pass";
  rig_.plug();
  driver_.enable_port(1);
  rig_.time.advance(10s);
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  driver_.stop();
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(ControllerTest, AnIdleScheduleIsLookedAtSeldomAndABusyOneOften) {
  rig_.bring_up();
  rig_.time.advance(1s);
  // Queued at any time, a packet is seen within the longest pause.
  driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(FrameClock::kLongestPause);
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.device.complete_ok();
  rig_.time.advance(100us);
  // Behind progress, much sooner than a frame.
  driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(2 * FrameClock::kFastPoll);
  EXPECT_EQ(rig_.device.held(), 1u);
}

TEST_F(ControllerTest, HostControllerResetDisablesPortsButDoesNotReachDevices) {
  rig_.bring_up();
  const unsigned resets = rig_.device.resets;
  driver_.out16(0x00, 0x0002);
  EXPECT_EQ(driver_.command(), 0);
  EXPECT_EQ(driver_.status(), kHalted);
  EXPECT_EQ(driver_.in16(0x08), 0);
  EXPECT_EQ(driver_.portsc(1), 0x0093) << "connected, changed, D+";
  EXPECT_EQ(rig_.device.resets, resets);
}

TEST_F(ControllerTest, GlobalResetReachesDevicesAndLastsUntilItIsCleared) {
  rig_.bring_up();
  const unsigned resets = rig_.device.resets;
  driver_.out16(0x00, 0x0004);
  EXPECT_EQ(rig_.device.resets, resets + 1);
  EXPECT_EQ(driver_.command(), 0x0004);
  driver_.out16(0x00, 0x0000);
  EXPECT_EQ(driver_.command(), 0x0000);
}

TEST_F(ControllerTest, GlobalSuspendStopsTimeAndAWakeUpIsAResumeDetectInterrupt) {
  rig_.bring_up();
  driver_.stop();
  driver_.out16(0x04, 0x0002);
  driver_.out16(0x00, 0x0048);  // EGSM
  EXPECT_EQ(rig_.device.suspends, 1u);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  rig_.device.wake_up();
  EXPECT_EQ(driver_.status() & 0x04, 0x04);
  EXPECT_EQ(driver_.command() & 0x10, 0x10) << "it signals resume by itself";
  EXPECT_TRUE(rig_.pin.asserted);
  driver_.clear_status(0x04);
  EXPECT_FALSE(rig_.pin.asserted);
  driver_.out16(0x00, 0x0058);  // and the guest 20 ms long
  driver_.out16(0x00, 0x0040);
  EXPECT_EQ(rig_.device.resumes, 1u);
  EXPECT_EQ(driver_.command() & 0x18, 0);
  driver_.run();
  EXPECT_EQ(driver_.status() & kHalted, 0);
}

TEST_F(ControllerTest, PluggingInDuringGlobalSuspendIsAResumeDetectInterrupt) {
  driver_.start();
  driver_.out16(0x00, 0x0048);
  EXPECT_EQ(driver_.status() & kHalted, kHalted);
  rig_.plug();
  EXPECT_TRUE(rig_.pin.asserted);
}

TEST_F(ControllerTest, TheSameInterruptStaysUntilItsStatusIsCleared) {
  rig_.bring_up();
  driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(1ms);
  rig_.device.complete_ok();
  rig_.time.advance(100us);
  EXPECT_TRUE(rig_.pin.asserted);
  EXPECT_EQ(driver_.status(), 0x01);
  const unsigned rises = rig_.pin.rises;
  driver_.clear_status(0x02);
  EXPECT_TRUE(rig_.pin.asserted);
  EXPECT_EQ(rig_.pin.rises, rises + 1) << "a guest that is told by messages hears of what is left";
  driver_.out16(0x04, 0x000b);
  EXPECT_FALSE(rig_.pin.asserted) << "IOC is not enabled";
  driver_.out16(0x04, 0x000f);
  EXPECT_TRUE(rig_.pin.asserted);
  driver_.clear_status(0x01);
  EXPECT_FALSE(rig_.pin.asserted);
}

TEST_F(ControllerTest, OnlyLowAndFullSpeedFit) {
  usb::testing::FakeDevice high(rig_.time, Speed::high);
  EXPECT_EQ(rig_.controller.attach(high).error(), AttachError::speed_unsupported);
  usb::testing::FakeDevice low(rig_.time, Speed::low);
  EXPECT_EQ(rig_.controller.attach(low).value(), PortNumber(1));
  usb::testing::FakeDevice full(rig_.time, Speed::full);
  EXPECT_EQ(rig_.controller.attach(full).value(), PortNumber(2));
  usb::testing::FakeDevice third(rig_.time, Speed::full);
  EXPECT_EQ(rig_.controller.attach(third).error(), AttachError::no_free_port);
  rig_.controller.detach(low);
  rig_.controller.attach_at(PortNumber(1), third);
  rig_.controller.detach(full);
  rig_.controller.detach(third);
}

}  // namespace
}  // namespace periplex::usb::uhci
