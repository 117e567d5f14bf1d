// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/port.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using testing::port_of;
using usb::testing::FakeDevice;

// PORTSC (§5.4.8)
constexpr std::uint32_t kCcs = 1u << 0;
constexpr std::uint32_t kPed = 1u << 1;
constexpr std::uint32_t kPr = 1u << 4;
constexpr std::uint32_t kPp = 1u << 9;
constexpr std::uint32_t kLws = 1u << 16;
constexpr std::uint32_t kCsc = 1u << 17;
constexpr std::uint32_t kWrc = 1u << 19;
constexpr std::uint32_t kPrc = 1u << 21;
constexpr std::uint32_t kPlc = 1u << 22;
constexpr std::uint32_t kWce = 1u << 25;
constexpr std::uint32_t kWpr = 1u << 31;
constexpr std::uint32_t kChanges = 0xfe'0000;

constexpr unsigned kU0 = 0;
constexpr unsigned kU3 = 3;
constexpr unsigned kDisabled = 4;
constexpr unsigned kRxDetect = 5;
constexpr unsigned kPolling = 7;
constexpr unsigned kResume = 15;

class PortTest : public ::testing::Test {
 protected:
  PortTest() { rig_.driver.start(); }
  ~PortTest() override {
    for (FakeDevice* device : attached_) rig_.controller.detach(*device);
  }

  unsigned attach(FakeDevice& device) {
    attached_.push_back(&device);
    return rig_.controller.attach(device).value().value;
  }
  void detach(FakeDevice& device) {
    std::erase(attached_, &device);
    rig_.controller.detach(device);
  }
  /// Attached, reset and acknowledged.
  unsigned ready(FakeDevice& device) {
    const unsigned port = attach(device);
    write(port, kPr);
    clear(port);
    return port;
  }
  void write(unsigned port, std::uint32_t bits) { rig_.driver.write_portsc(port, kPp | bits); }
  void write_link(unsigned port, unsigned state) { write(port, kLws | state << 5); }
  void clear(unsigned port) {
    write(port, kChanges);
    (void)rig_.driver.drain();
  }
  std::uint32_t portsc(unsigned port) { return rig_.driver.portsc(port); }
  unsigned link(unsigned port) { return portsc(port) >> 5 & 0xf; }
  unsigned speed(unsigned port) { return portsc(port) >> 10 & 0xf; }
  std::uint32_t changes(unsigned port) { return portsc(port) & kChanges; }
  /// The ports that Port Status Change Events named since the last time.
  std::vector<unsigned> changed_ports() {
    std::vector<unsigned> ports;
    for (const Trb& event : rig_.driver.drain()) {
      EXPECT_EQ(event.type(), TrbType::port_status_change_event);
      EXPECT_EQ(testing::code_of(event), CompletionCode::success);
      ports.push_back(port_of(event));
    }
    return ports;
  }

  testing::Rig rig_;
  FakeDevice usb2_{rig_.time, Speed::high};
  FakeDevice usb3_{rig_.time, Speed::super};

 private:
  std::vector<FakeDevice*> attached_;
};

TEST_F(PortTest, AnEmptyPortIsPoweredAndWaits) {
  EXPECT_EQ(portsc(1), kPp | kRxDetect << 5);
  EXPECT_EQ(portsc(5), kPp | kRxDetect << 5);
}

TEST_F(PortTest, EachSpeedHasItsDefaultIdAndItsKindOfPort) {
  FakeDevice low(rig_.time, Speed::low);
  FakeDevice full(rig_.time, Speed::full);
  FakeDevice plus(rig_.time, Speed::super_plus);
  EXPECT_EQ(speed(attach(full)), 1u);
  EXPECT_EQ(speed(attach(low)), 2u);
  EXPECT_EQ(speed(attach(usb2_)), 3u);
  EXPECT_EQ(speed(attach(usb3_)), 4u);
  const unsigned last = attach(plus);
  EXPECT_EQ(speed(last), 5u);
  EXPECT_EQ(last, 6u) << "USB3 ports come after the four USB2 ports";
  for (FakeDevice* device : {&low, &full, &plus}) detach(*device);
}

TEST_F(PortTest, AConnectedUsb2PortWaitsForItsReset) {
  const unsigned port = attach(usb2_);
  EXPECT_EQ(portsc(port) & (kCcs | kPed | kCsc), kCcs | kCsc);
  EXPECT_EQ(link(port), kPolling);
  EXPECT_EQ(changed_ports(), std::vector{port});
  write(port, kPr);
  EXPECT_EQ(portsc(port) & (kCcs | kPed | kPr), kCcs | kPed);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(changes(port), kCsc | kPrc);
  EXPECT_EQ(usb2_.resets, 1u);
}

TEST_F(PortTest, AConnectedUsb3PortIsEnabledByItself) {
  const unsigned port = attach(usb3_);
  EXPECT_EQ(portsc(port) & (kCcs | kPed | kCsc), kCcs | kPed | kCsc);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(usb3_.resets, 0u);
}

TEST_F(PortTest, UnpluggingEmptiesThePort) {
  const unsigned port = ready(usb2_);
  detach(usb2_);
  EXPECT_EQ(portsc(port), kPp | kRxDetect << 5 | kCsc);
  EXPECT_EQ(changed_ports(), std::vector{port});
  EXPECT_FALSE(usb2_.wake_up);
}

TEST_F(PortTest, ChangeBitsAreClearedOneByOneByWritingOne) {
  const unsigned port = attach(usb2_);
  write(port, kPr);
  ASSERT_EQ(changes(port), kCsc | kPrc);
  write(port, 0);
  EXPECT_EQ(changes(port), kCsc | kPrc);
  write(port, kCsc);
  EXPECT_EQ(changes(port), kPrc);
  write(port, kPrc);
  EXPECT_EQ(changes(port), 0u);
  EXPECT_NE(portsc(port) & kPed, 0u);
}

TEST_F(PortTest, WhileAChangeBitIsSetThereIsNoSecondEvent) {
  const unsigned port = attach(usb2_);
  write(port, kPr);
  detach(usb2_);
  EXPECT_EQ(changed_ports(), std::vector{port});
  clear(port);
  attach(usb2_);
  EXPECT_EQ(changed_ports(), std::vector{port});
}

TEST_F(PortTest, WritingOneToPedDisablesTheUsb2Port) {
  const unsigned port = ready(usb2_);
  write(port, kPed);
  EXPECT_EQ(portsc(port) & (kCcs | kPed), kCcs);
  EXPECT_EQ(link(port), kPolling);
  write(port, kPr);
  EXPECT_NE(portsc(port) & kPed, 0u);
}

TEST_F(PortTest, WritingOneToPedDisablesTheUsb3Port) {
  const unsigned port = ready(usb3_);
  write(port, kPed);
  EXPECT_EQ(portsc(port) & kPed, 0u);
  EXPECT_EQ(link(port), kDisabled);
}

TEST_F(PortTest, WritingOneToPedOfADisabledPortDoesNotEnableIt) {
  const unsigned port = attach(usb2_);
  write(port, kPed);
  EXPECT_EQ(portsc(port) & kPed, 0u);
}

TEST_F(PortTest, AWarmResetIsForUsb3Only) {
  const unsigned port3 = ready(usb3_);
  write(port3, kWpr);
  EXPECT_EQ(changes(port3), kWrc | kPrc);
  EXPECT_EQ(portsc(port3) & kWpr, 0u) << "reads as zero";
  EXPECT_EQ(usb3_.resets, 2u);
  const unsigned port2 = ready(usb2_);
  write(port2, kWpr);
  EXPECT_EQ(changes(port2), 0u);
  EXPECT_EQ(usb2_.resets, 1u);
}

TEST_F(PortTest, ResettingAnEmptyPortDoesNothing) {
  write(1, kPr);
  write(5, kWpr);
  EXPECT_EQ(portsc(1), kPp | kRxDetect << 5);
  EXPECT_EQ(portsc(5), kPp | kRxDetect << 5);
  EXPECT_TRUE(changed_ports().empty());
}

TEST_F(PortTest, SuspendAndResumeOfUsb2GoThroughTheResumeState) {
  const unsigned port = ready(usb2_);
  write_link(port, kU3);
  EXPECT_EQ(link(port), kU3);
  EXPECT_EQ(usb2_.suspends, 1u);
  EXPECT_EQ(changes(port), 0u);
  write_link(port, kResume);
  EXPECT_EQ(link(port), kResume);
  EXPECT_EQ(usb2_.resumes, 0u);
  write_link(port, kU0);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(usb2_.resumes, 1u);
  EXPECT_EQ(changes(port), kPlc);
  EXPECT_EQ(changed_ports(), std::vector{port});
}

TEST_F(PortTest, SuspendAndResumeOfUsb3NeedOnlyU0) {
  const unsigned port = ready(usb3_);
  write_link(port, kU3);
  write_link(port, kResume);
  EXPECT_EQ(link(port), kU3) << "Resume is a USB2 state to write";
  write_link(port, kU0);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(usb3_.resumes, 1u);
  EXPECT_EQ(changes(port), kPlc);
}

TEST_F(PortTest, TheLinkStateNeedsItsStrobe) {
  const unsigned port = ready(usb2_);
  write(port, kU3 << 5);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(portsc(port) & kLws, 0u);
}

TEST_F(PortTest, LinkStatesThatCannotFollowAreIgnored) {
  const unsigned port = ready(usb2_);
  write_link(port, kResume);
  write_link(port, kU0);
  for (const unsigned state : {1u, 2u, kDisabled, kRxDetect, 6u, kPolling, 8u, 9u, 10u, 11u, 14u}) {
    write_link(port, state);
    EXPECT_EQ(link(port), kU0) << state;
  }
  EXPECT_EQ(changes(port), 0u);
  const unsigned other = attach(usb3_);
  write_link(other, kRxDetect);
  EXPECT_EQ(link(other), kU0);
}

TEST_F(PortTest, AnEmptyPortHasNoLinkToSteer) {
  for (unsigned state = 0; state < 16; ++state) {
    write_link(1, state);
    write_link(5, state);
  }
  EXPECT_EQ(link(1), kRxDetect);
  EXPECT_EQ(link(5), kRxDetect);
}

TEST_F(PortTest, ADisabledUsb3LinkTrainsAgainFromRxDetect) {
  const unsigned port = ready(usb3_);
  write_link(port, kDisabled);
  EXPECT_EQ(link(port), kDisabled);
  EXPECT_EQ(portsc(port) & kPed, 0u);
  write_link(port, kRxDetect);
  EXPECT_EQ(link(port), kU0);
  EXPECT_NE(portsc(port) & kPed, 0u);
  EXPECT_EQ(changes(port), kPlc);
}

TEST_F(PortTest, ADisabledPortCannotBeSuspended) {
  const unsigned port = attach(usb2_);
  write_link(port, kU3);
  EXPECT_EQ(link(port), kPolling);
  EXPECT_EQ(usb2_.suspends, 0u);
}

TEST_F(PortTest, ADeviceThatWakesUpBringsThePortToResume) {
  const unsigned port = ready(usb2_);
  write_link(port, kU3);
  usb2_.wake_up();
  EXPECT_EQ(link(port), kResume);
  EXPECT_EQ(changes(port), kPlc);
  EXPECT_EQ(changed_ports(), std::vector{port});
  usb2_.wake_up();
  EXPECT_TRUE(changed_ports().empty());
  clear(port);
  write_link(port, kU0);
  EXPECT_EQ(link(port), kU0);
  EXPECT_EQ(usb2_.resumes, 1u);
}

TEST_F(PortTest, ADeviceThatIsNotSuspendedCannotWakeThePort) {
  const unsigned port = ready(usb3_);
  usb3_.wake_up();
  EXPECT_EQ(link(port), kU0);
  EXPECT_TRUE(changed_ports().empty());
}

TEST_F(PortTest, WakeEnablesAndLinkRegistersKeepWhatIsWritten) {
  write(1, kWce);
  EXPECT_EQ(portsc(1) & kWce, kWce);
  FakeDevice device(rig_.time, Speed::high);
  attach(device);
  EXPECT_EQ(portsc(1) & kWce, kWce) << "plugging changes only what shows the connection";
  for (const std::uint32_t offset : {0x4u, 0x8u, 0xcu}) {
    rig_.write32(rig_.driver.port_register(1) + offset, 0x1234);
    EXPECT_EQ(rig_.read32(rig_.driver.port_register(1) + offset), 0x1234u);
  }
  detach(device);
}

TEST_F(PortTest, WhileHaltedChangesAreShownWithoutEvents) {
  rig_.driver.halt();
  const unsigned port = attach(usb2_);
  EXPECT_EQ(changes(port), kCsc);
  EXPECT_NE(rig_.driver.usbsts() & 1u << 4, 0u) << "PCD";
  EXPECT_TRUE(changed_ports().empty());
  rig_.driver.run();
  write(port, kPr);
  EXPECT_TRUE(changed_ports().empty()) << "CSC is still set";
  clear(port);
  detach(usb2_);
  EXPECT_EQ(changed_ports(), std::vector{port});
}

TEST_F(PortTest, AControllerResetShowsWhatIsPluggedInAsNew) {
  const unsigned port2 = ready(usb2_);
  const unsigned port3 = ready(usb3_);
  write(port2, kWce);
  write_link(port3, kU3);
  rig_.driver.reset();
  EXPECT_EQ(portsc(port2), kPp | kCcs | kCsc | kPolling << 5 | 3u << 10);
  EXPECT_EQ(portsc(port3), kPp | kCcs | kPed | kCsc | kU0 << 5 | 4u << 10);
  EXPECT_EQ(usb2_.resets, 2u);
}

TEST_F(PortTest, TheBusSaysWhenItCannotTakeADevice) {
  std::vector<std::unique_ptr<FakeDevice>> devices;
  for (unsigned i = 0; i < 4; ++i) {
    devices.push_back(std::make_unique<FakeDevice>(rig_.time, Speed::full));
    EXPECT_EQ(attach(*devices.back()), i + 1);
  }
  EXPECT_EQ(rig_.controller.attach(usb2_).error(), AttachError::no_free_port);
  detach(*devices[1]);
  EXPECT_EQ(attach(usb2_), 2u) << "the port that is free again";
  for (const unsigned i : {0u, 2u, 3u}) detach(*devices[i]);
  testing::Rig no_usb3({}, {.usb3_ports = 0});
  EXPECT_EQ(no_usb3.controller.attach(usb3_).error(), AttachError::speed_unsupported);
}

}  // namespace
}  // namespace periplex::usb::xhci
