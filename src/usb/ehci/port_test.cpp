// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/port.hpp"

#include <gtest/gtest.h>

#include "usb/ehci/testing/rig.hpp"

namespace periplex::usb::ehci {
namespace {

using testing::Driver;
using testing::FakeCompanion;
using testing::Rig;
using usb::testing::FakeDevice;

// PORTSC, as printed
constexpr std::uint32_t kConnected = 1u << 0;
constexpr std::uint32_t kConnectChange = 1u << 1;
constexpr std::uint32_t kEnabled = 1u << 2;
constexpr std::uint32_t kResume = 1u << 6;
constexpr std::uint32_t kSuspend = 1u << 7;
constexpr std::uint32_t kReset = 1u << 8;
constexpr std::uint32_t kLineStatus = 3u << 10;
constexpr std::uint32_t kLineK = 1u << 10;
constexpr std::uint32_t kLineJ = 2u << 10;
constexpr std::uint32_t kPower = 1u << 12;
constexpr std::uint32_t kOwner = 1u << 13;

/// Two ports, both with a companion; the driver has taken them.
class PortTest : public ::testing::Test {
 protected:
  PortTest() { driver_.start(); }
  ~PortTest() override {
    for (FakeDevice* device : {&high_, &full_, &low_}) {
      if (plugged_.contains(device)) rig_.controller.detach(*device);
    }
  }
  unsigned attach(FakeDevice& device) {
    plugged_.insert(&device);
    return rig_.controller.attach(device).value().value;
  }
  void detach(FakeDevice& device) {
    plugged_.erase(&device);
    rig_.controller.detach(device);
  }
  [[nodiscard]] Device* at_companion(unsigned port) {
    const auto found = companion_.devices.find(port);
    return found == companion_.devices.end() ? nullptr : found->second;
  }
  void acknowledge(unsigned port) {
    driver_.write_portsc(port, driver_.portsc(port));
    driver_.acknowledge(Driver::kPortChange);
  }

  FakeCompanion companion_;
  Rig rig_{{.ports = 2}, {{&companion_, PortNumber(1)}, {&companion_, PortNumber(2)}}};
  Driver& driver_ = rig_.driver;
  FakeDevice high_{rig_.time, Speed::high};
  FakeDevice full_{rig_.time, Speed::full};
  FakeDevice low_{rig_.time, Speed::low};
  std::set<FakeDevice*> plugged_;
};

TEST_F(PortTest, AnEmptyPortHasPowerAndNothingElse) {
  EXPECT_EQ(driver_.portsc(1), kPower);
}

TEST_F(PortTest, PluggingInRaisesPortChangeDetect) {
  const unsigned port = attach(high_);
  EXPECT_EQ(driver_.portsc(port), kPower | kConnected | kConnectChange | kLineJ);
  EXPECT_NE(driver_.status() & Driver::kPortChange, 0u);
  EXPECT_TRUE(rig_.pin.high);
  acknowledge(port);
  EXPECT_FALSE(rig_.pin.high);
  EXPECT_EQ(driver_.portsc(port), kPower | kConnected | kLineJ);
}

TEST_F(PortTest, AResetEnablesAHighSpeedDeviceWhenItEnds) {
  const unsigned port = attach(high_);
  driver_.write_portsc(port, kReset);
  EXPECT_EQ(high_.resets, 1u);
  EXPECT_EQ(driver_.portsc(port) & (kReset | kEnabled), kReset);
  driver_.write_portsc(port, 0);
  EXPECT_EQ(driver_.portsc(port) & (kReset | kEnabled), kEnabled);
}

TEST_F(PortTest, AFullSpeedDeviceIsNotEnabledAndHandedOver) {
  const unsigned port = attach(full_);
  EXPECT_EQ(driver_.portsc(port) & kLineStatus, kLineJ);
  driver_.reset_port(port);
  EXPECT_EQ(driver_.portsc(port) & (kConnected | kEnabled), kConnected);
  driver_.write_portsc(port, kOwner);
  EXPECT_EQ(driver_.portsc(port), kPower | kOwner | kConnectChange);
  EXPECT_EQ(at_companion(port), &full_);
}

TEST_F(PortTest, ALowSpeedDeviceShowsKStateSoThatItIsHandedOverUnreset) {
  const unsigned port = attach(low_);
  EXPECT_EQ(driver_.portsc(port) & kLineStatus, kLineK);
  driver_.write_portsc(port, kOwner);
  EXPECT_EQ(low_.resets, 0u);
  EXPECT_EQ(at_companion(port), &low_);
}

TEST_F(PortTest, WhenAHandedOverDeviceIsGoneThePortComesBack) {
  const unsigned port = attach(full_);
  driver_.write_portsc(port, kOwner);
  acknowledge(port);
  detach(full_);
  EXPECT_EQ(driver_.portsc(port), kPower) << "ours, and nothing has changed in our sight";
  EXPECT_EQ(at_companion(port), nullptr);
}

TEST_F(PortTest, APortCanBeTakenBackFromTheCompanion) {
  const unsigned port = attach(full_);
  driver_.write_portsc(port, kOwner);
  acknowledge(port);
  driver_.write_portsc(port, 0);
  EXPECT_EQ(driver_.portsc(port), kPower | kConnected | kConnectChange | kLineJ);
  EXPECT_EQ(at_companion(port), nullptr);
}

TEST_F(PortTest, WithoutTheConfigureFlagDevicesAppearAtTheCompanion) {
  driver_.write_reg(Driver::kConfigflag, 0);
  EXPECT_EQ(driver_.portsc(1), kPower | kOwner);
  const unsigned port = attach(full_);
  EXPECT_EQ(driver_.portsc(port), kPower | kOwner);
  EXPECT_EQ(at_companion(port), &full_);
}

TEST_F(PortTest, WithoutTheConfigureFlagAPortCannotBeTaken) {
  driver_.write_reg(Driver::kConfigflag, 0);
  driver_.write_portsc(1, 0);
  EXPECT_EQ(driver_.portsc(1), kPower | kOwner);
}

TEST_F(PortTest, TheConfigureFlagBringsDevicesOverWithConnectChangesOnBothSides) {
  driver_.write_reg(Driver::kConfigflag, 0);
  const unsigned port = attach(high_);
  Device* const slow = at_companion(port);
  ASSERT_NE(slow, nullptr);
  EXPECT_EQ(slow->speed(), Speed::full) << "a high-speed device runs at full speed there";
  driver_.write_reg(Driver::kConfigflag, 1);
  EXPECT_EQ(at_companion(port), nullptr);
  EXPECT_EQ(driver_.portsc(port), kPower | kConnected | kConnectChange | kLineJ);
  driver_.write_reg(Driver::kConfigflag, 0);
  EXPECT_NE(at_companion(port), nullptr);
  EXPECT_EQ(driver_.portsc(port), kPower | kOwner | kConnectChange);
}

TEST_F(PortTest, AControllerResetGivesPortsToTheCompanionAndDisturbsNothingThere) {
  const unsigned mine = attach(high_);
  const unsigned theirs = attach(full_);
  driver_.write_portsc(theirs, kOwner);
  full_.wake_up = [] {};  // as the companion would set it; a new connection would clear it
  driver_.command(Driver::kHcreset);
  EXPECT_EQ(driver_.portsc(mine), kPower | kOwner);
  EXPECT_NE(at_companion(mine), nullptr);
  EXPECT_EQ(at_companion(theirs), &full_);
  EXPECT_TRUE(full_.wake_up);
}

TEST_F(PortTest, WritingZeroToPortEnabledDisables) {
  const unsigned port = attach(high_);
  driver_.reset_port(port);
  driver_.write_portsc(port, 0);
  EXPECT_EQ(driver_.portsc(port), kPower | kConnected | kLineJ);
  driver_.write_portsc(port, kEnabled);  // software cannot enable
  EXPECT_EQ(driver_.portsc(port) & kEnabled, 0u);
}

TEST_F(PortTest, SuspendAndResumeReachTheDevice) {
  const unsigned port = attach(high_);
  driver_.reset_port(port);
  driver_.write_portsc(port, kEnabled | kSuspend);
  EXPECT_EQ(high_.suspends, 1u);
  EXPECT_EQ(driver_.portsc(port) & kSuspend, kSuspend);
  driver_.write_portsc(port, kEnabled | kSuspend | kResume);
  EXPECT_EQ(driver_.portsc(port) & (kSuspend | kResume), kSuspend | kResume);
  EXPECT_EQ(high_.resumes, 0u);
  driver_.write_portsc(port, kEnabled | kSuspend);  // Suspend as it was read
  EXPECT_EQ(driver_.portsc(port) & (kEnabled | kSuspend | kResume), kEnabled);
  EXPECT_EQ(high_.resumes, 1u);
  EXPECT_EQ(high_.suspends, 1u);
}

TEST_F(PortTest, ADeviceWakesASuspendedPort) {
  const unsigned port = attach(high_);
  driver_.reset_port(port);
  driver_.acknowledge(Driver::kPortChange);
  high_.wake_up();
  EXPECT_EQ(driver_.portsc(port) & kResume, 0u) << "not while it is awake";
  driver_.write_portsc(port, kEnabled | kSuspend);
  high_.wake_up();
  EXPECT_EQ(driver_.portsc(port) & kResume, kResume);
  EXPECT_NE(driver_.status() & Driver::kPortChange, 0u);
  driver_.write_portsc(port, kEnabled | kSuspend);
  EXPECT_EQ(driver_.portsc(port) & (kSuspend | kResume), 0u);
}

TEST_F(PortTest, WithoutCompanionsOnlyHighSpeedDevicesAreTaken) {
  Rig alone({.ports = 2});
  EXPECT_EQ(alone.driver.capability(4) >> 8 & 0xff, 0u) << "N_CC and N_PCC";
  EXPECT_EQ(alone.controller.attach(full_).error(), AttachError::speed_unsupported);
  EXPECT_EQ(alone.controller.attach(low_).error(), AttachError::speed_unsupported);
  ASSERT_TRUE(alone.controller.attach(high_).has_value());
  EXPECT_EQ(alone.driver.portsc(1) & (kConnected | kOwner), kConnected) << "whatever the Configure Flag says";
  alone.driver.start();
  alone.driver.write_portsc(1, kOwner);
  EXPECT_EQ(alone.driver.portsc(1) & kOwner, 0u);
  alone.controller.detach(high_);
}

TEST_F(PortTest, SuperSpeedDevicesAreRefusedAndFullBusesToo) {
  FakeDevice super(rig_.time, Speed::super);
  EXPECT_EQ(rig_.controller.attach(super).error(), AttachError::speed_unsupported);
  attach(high_);
  attach(full_);
  EXPECT_EQ(rig_.controller.attach(low_).error(), AttachError::no_free_port);
}

TEST_F(PortTest, EndpointsOfAHandedOverDeviceAreTheCompanionsToTell) {
  const unsigned port = attach(full_);
  driver_.write_portsc(port, kOwner);
  unsigned seen = 0;
  rig_.controller.for_each_endpoint(full_, [&](EndpointAddress, TransferType, const EndpointCounters&) { ++seen; });
  EXPECT_EQ(seen, 1u);
}

TEST_F(PortTest, ByteWritesTouchOnlyTheirBits) {
  const unsigned port = attach(high_);
  driver_.reset_port(port);
  const std::byte zero{0};
  rig_.controller.write(0x20 + 0x40 + 4 * port + 1, ByteView(&zero, 1));  // bits 15:8
  EXPECT_EQ(driver_.portsc(port) & kEnabled, kEnabled);
}

}  // namespace
}  // namespace periplex::usb::ehci
