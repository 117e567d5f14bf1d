// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr std::uint16_t kConnected = 0x0091;  // always 1, D+, connected
constexpr std::uint16_t kEnabled = 0x0004;
constexpr std::uint16_t kSuspended = 0x1000;
constexpr std::uint16_t kResume = 0x0040;

class PortTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::uint16_t portsc() const { return rig_.driver.portsc(1); }
  void write(std::uint16_t value) const { rig_.driver.write_portsc(1, value); }

  Rig rig_;
};

TEST_F(PortTest, AConnectionIsAChangeWithALineStatus) {
  rig_.plug();
  EXPECT_EQ(portsc(), kConnected | 0x0002);
  write(0x0002);
  EXPECT_EQ(portsc(), kConnected);
  rig_.unplug();
  EXPECT_EQ(portsc(), 0x0082);
}

TEST_F(PortTest, ALowSpeedDevicePullsTheOtherLine) {
  usb::testing::FakeDevice low(rig_.time, Speed::low);
  ASSERT_TRUE(rig_.controller.attach(low));
  EXPECT_EQ(portsc(), 0x01a3);
  rig_.controller.detach(low);
}

TEST_F(PortTest, ResetLastsUntilTheGuestEndsItAndEnablingIsTheGuestsToo) {
  rig_.plug();
  write(0x0202);
  EXPECT_EQ(portsc(), kConnected | 0x0200);
  EXPECT_EQ(rig_.device.resets, 1u);
  write(0x0204);
  EXPECT_EQ(portsc(), kConnected | 0x0200) << "not while it is being reset";
  write(0x0000);
  EXPECT_EQ(portsc(), kConnected);
  write(kEnabled);
  EXPECT_EQ(portsc(), kConnected | kEnabled);
  EXPECT_EQ(rig_.device.resets, 1u);
}

TEST_F(PortTest, AnEmptyPortCannotBeEnabled) {
  write(kEnabled);
  EXPECT_EQ(portsc(), 0x0080);
}

TEST_F(PortTest, UnpluggingDisablesWithAChange) {
  rig_.bring_up();
  rig_.unplug();
  EXPECT_EQ(portsc(), 0x008a) << "both changes";
}

TEST_F(PortTest, UnpluggingFailsWhatIsQueued) {
  rig_.bring_up();
  const auto tds = rig_.driver.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 128), 64);
  rig_.time.advance(10ms);
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.unplug();
  rig_.time.advance(10ms);
  EXPECT_TRUE(rig_.driver.stalled(tds[0]));
  EXPECT_TRUE(rig_.driver.timed_out(tds[0]));
  EXPECT_EQ(rig_.device.cancels.size(), 0u) << "nobody calls what is unplugged";
}

TEST_F(PortTest, ADisabledPortLetsNothingThrough) {
  rig_.bring_up();
  write(0x0000);
  const auto tds = rig_.driver.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(20ms);
  EXPECT_TRUE(rig_.driver.timed_out(tds[0]));
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(PortTest, ResetTakesTheAddressAway) {
  rig_.bring_up();
  rig_.driver.enable_port(1);
  const auto tds = rig_.driver.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(20ms);
  EXPECT_TRUE(rig_.driver.timed_out(tds[0]));
}

TEST_F(PortTest, ResetCancelsWhatTheDeviceHolds) {
  rig_.bring_up();
  rig_.driver.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(20ms);
  write(0x0200);
  EXPECT_EQ(rig_.device.cancels.size(), 2u) << "by the pipe, and by the device that is reset";
}

TEST_F(PortTest, SuspendAndResumeAreTimedByTheGuest) {
  rig_.bring_up();
  write(kEnabled | kSuspended);
  EXPECT_EQ(rig_.device.suspends, 1u);
  write(kEnabled | kSuspended | kResume);
  EXPECT_EQ(portsc(), kConnected | kEnabled | kSuspended | kResume);
  EXPECT_EQ(rig_.device.resumes, 0u);
  write(kEnabled);
  EXPECT_EQ(rig_.device.resumes, 1u);
  EXPECT_EQ(portsc(), kConnected | kEnabled);
}

TEST_F(PortTest, ASleepingDeviceCanAskForResume) {
  rig_.bring_up();
  write(kEnabled | kSuspended);
  rig_.device.wake_up();
  EXPECT_EQ(portsc(), kConnected | kEnabled | kSuspended | kResume);
  write(kEnabled);
  EXPECT_EQ(rig_.device.resumes, 1u);
}

TEST_F(PortTest, APortThatSleepsOnASleepingBusTellsWhoWokeIt) {
  rig_.bring_up();
  write(kEnabled | kSuspended);
  rig_.driver.stop();
  rig_.driver.out16(0x00, 0x48);  // CF and EGSM: Linux's root hub goes to sleep after its ports
  rig_.device.wake_up();
  EXPECT_EQ(rig_.driver.status() & 0x04, 0x04) << "Resume Detect";
  rig_.driver.out16(0x00, 0x40);
  EXPECT_EQ(portsc(), kConnected | kEnabled | kSuspended | kResume) << "by which the driver knows the port";
  EXPECT_EQ(rig_.device.resumes, 0u);
  write(kEnabled);
  EXPECT_EQ(rig_.device.resumes, 1u);
}

TEST_F(PortTest, ResumeNeedsASuspendedPort) {
  rig_.bring_up();
  write(kEnabled | kResume);
  EXPECT_EQ(portsc(), kConnected | kEnabled);
  rig_.device.wake_up();
  EXPECT_EQ(portsc(), kConnected | kEnabled);
}

}  // namespace
}  // namespace periplex::usb::uhci
