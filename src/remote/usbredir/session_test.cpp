// SPDX-License-Identifier: Apache-2.0
// Importer and exporter back to back, with devices of our own behind.
#include <gmock/gmock.h>

#include "remote/usbredir/testing/session_pair.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::remote::usbredir {
namespace {

using testing::SessionPair;
using usb::EndpointAddress;
using usb::device::HidKeyboard;
using usb::device::KeyUsage;

constexpr usb::SetupPacket kGetDevice{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
constexpr usb::SetupPacket kGetConfiguration{.request_type = 0x80, .request = 8, .value = 0, .index = 0, .length = 1};
constexpr usb::SetupPacket kGetInterface{.request_type = 0x81, .request = 10, .value = 0, .index = 0, .length = 1};
constexpr usb::SetupPacket kGetProtocol{.request_type = 0xa1, .request = 3, .value = 0, .index = 0, .length = 1};
constexpr usb::SetupPacket kLeds{.request_type = 0x21, .request = 9, .value = 0x0200, .index = 0, .length = 1};
constexpr usb::SetupPacket kNonsense{.request_type = 0xc0, .request = 77, .value = 0, .index = 0, .length = 8};
constexpr EndpointAddress kReports = HidKeyboard::kInterruptIn;
constexpr Nanoseconds kLong = std::chrono::seconds(1);

class SessionTest : public ::testing::Test {
 protected:
  void offer_keyboard(usb::Speed speed = usb::Speed::high) {
    auto device = std::make_unique<HidKeyboard>("tested", speed, pair.time);
    keyboard = device.get();
    pair.exporter.offer(std::move(device));
  }
  void connect_keyboard(usb::Speed speed = usb::Speed::high) {
    offer_keyboard(speed);
    pair.connect();
    ASSERT_NE(pair.guest.device, nullptr);
    ASSERT_EQ(pair.configure(), "");
  }
  void type(unsigned usage) {
    ASSERT_TRUE(keyboard->press(KeyUsage(static_cast<std::uint8_t>(usage))));
    keyboard->release(KeyUsage(static_cast<std::uint8_t>(usage)));
  }
  usb::TransferId poll() { return pair.log().in(kReports, 8); }

  SessionPair pair;
  HidKeyboard* keyboard = nullptr;
};

TEST_F(SessionTest, ADeviceArrivesWithItsSpeedAndEndpoints) {
  for (const usb::Speed speed : {usb::Speed::full, usb::Speed::high, usb::Speed::super}) {
    SessionPair fresh;
    fresh.exporter.offer(std::make_unique<HidKeyboard>("tested", speed, fresh.time));
    fresh.connect();
    ASSERT_NE(fresh.guest.device, nullptr) << fresh.guest.failure << fresh.host.failure << fresh.to_guest.carried;
    EXPECT_EQ(fresh.guest.device->speed(), speed);
    EXPECT_EQ(fresh.guest.device->endpoint_type(kReports), usb::TransferType::interrupt);
    EXPECT_EQ(fresh.guest.device->endpoint_type(EndpointAddress(0x82)), std::nullopt);
    EXPECT_EQ(fresh.importer.peer(), "periplex");
    EXPECT_EQ(fresh.exporter.peer(), "periplex");
  }
}

TEST_F(SessionTest, BytesMayComeOneByOne) {
  pair.to_guest.piece = 1;
  pair.to_host.piece = 1;
  connect_keyboard();
  EXPECT_EQ(pair.ask(kGetDevice).substr(0, 11), "12 01 00 02");
}

TEST_F(SessionTest, ControlTransfersReachTheDeviceBothWays) {
  connect_keyboard();
  EXPECT_EQ(pair.ask(kGetProtocol), "01");
  EXPECT_EQ(pair.ask(kLeds, Bytes{std::byte{2}}), "");
  EXPECT_TRUE(keyboard->leds().caps_lock);
  EXPECT_EQ(pair.ask(kNonsense), "stall");
}

TEST_F(SessionTest, TheConfigurationAndSettingsAreAskedForAndSet) {
  connect_keyboard();
  EXPECT_EQ(pair.ask(kGetConfiguration), "01");
  EXPECT_EQ(pair.ask(kGetInterface), "00");
  EXPECT_EQ(pair.configure(7), "stall");
  EXPECT_EQ(pair.configure(0), "");
  EXPECT_EQ(pair.ask(kGetConfiguration), "00");
  EXPECT_EQ(pair.guest.device->endpoint_type(kReports), std::nullopt);
  EXPECT_EQ(pair.configure(1), "");
  EXPECT_EQ(pair.guest.device->endpoint_type(kReports), usb::TransferType::interrupt);
}

TEST_F(SessionTest, ReportsArePushedAndNoneIsLost) {
  connect_keyboard();
  const usb::TransferId first = poll();
  EXPECT_EQ(pair.told(first), "-");
  for (unsigned i = 0; i < 20; ++i) type(4 + i);
  pair.time.advance(kLong);
  EXPECT_EQ(pair.told(first), "00 00 04 00 00 00 00 00");
  for (unsigned i = 0; i < 20; ++i) {
    if (i > 0) {
      EXPECT_EQ(pair.told(poll()).substr(6, 2), hex(Bytes{std::byte(4 + i)}));
    }
    EXPECT_EQ(pair.told(poll()), "00 00 00 00 00 00 00 00");
  }
  EXPECT_EQ(pair.told(poll()), "-");
}

TEST_F(SessionTest, AHostThatIsNotReadFromLeavesReportsAtTheDevice) {
  connect_keyboard();
  const usb::TransferId first = poll();
  pair.time.run_until_idle();
  pair.to_guest.held = true;
  pair.to_guest.send(Bytes(Exporter::kMaxBacklog));  // the guest will take this for nonsense, which is not the point
  for (unsigned i = 0; i < 30; ++i) type(4 + i);
  const std::size_t before = pair.to_guest.carried;
  pair.time.advance(kLong);
  EXPECT_LT(pair.to_guest.carried - before, 1000u);
  EXPECT_FALSE(pair.exporter.wants_input());
  EXPECT_EQ(pair.told(first), "-");
}

TEST_F(SessionTest, ACancelledTransferComesBackAtOnceAndTheNextGetsTheReport) {
  connect_keyboard();
  const usb::TransferId first = poll();
  pair.time.run_until_idle();
  pair.guest.device->cancel(first);
  EXPECT_EQ(pair.told(first), "cancelled");
  type(4);
  pair.time.advance(kLong);
  EXPECT_EQ(pair.told(poll()), "00 00 04 00 00 00 00 00");
}

TEST_F(SessionTest, AResetEndsEverythingAndTheDeviceWorksAgain) {
  connect_keyboard();
  const usb::TransferId first = poll();
  pair.time.run_until_idle();
  pair.guest.device->reset();
  EXPECT_EQ(pair.told(first), "cancelled");
  EXPECT_EQ(pair.ask(kGetConfiguration), "00");
  EXPECT_EQ(pair.configure(), "");
  const usb::TransferId second = poll();
  pair.time.run_until_idle();
  type(5);
  pair.time.advance(kLong);
  EXPECT_EQ(pair.told(second), "00 00 05 00 00 00 00 00");
}

TEST_F(SessionTest, AResetRightBeforeTheNextPollIsNotMistakenForAStall) {
  connect_keyboard();
  (void)poll();
  pair.time.run_until_idle();
  pair.guest.device->reset();
  (void)pair.log().control({.request_type = 0, .request = 9, .value = 1, .index = 0, .length = 0});
  const usb::TransferId second = poll();
  pair.time.run_until_idle();
  type(5);
  pair.time.advance(kLong);
  EXPECT_EQ(pair.told(second), "00 00 05 00 00 00 00 00");
}

TEST_F(SessionTest, ADeviceMayGoAndAnotherComeOnTheSameConnection) {
  connect_keyboard();
  const usb::TransferId first = poll();
  pair.time.run_until_idle();
  auto* const log = &pair.log();
  pair.exporter.withdraw();
  pair.time.run_until_idle();
  EXPECT_EQ(pair.guest.device, nullptr);
  EXPECT_EQ(log->find(first)->status, usb::Status::disconnected);
  offer_keyboard(usb::Speed::full);
  pair.time.run_until_idle();
  ASSERT_NE(pair.guest.device, nullptr);
  EXPECT_EQ(pair.guest.arrivals, 2u);
  EXPECT_EQ(pair.guest.device->speed(), usb::Speed::full);
  EXPECT_EQ(pair.configure(), "");
  EXPECT_EQ(pair.guest.failure, "");
  EXPECT_EQ(pair.host.failure, "");
}

TEST_F(SessionTest, ALostConnectionTakesTheDeviceAndTheExporterServesTheNextOne) {
  connect_keyboard();
  const usb::TransferId first = poll();
  pair.time.run_until_idle();
  auto* const log = &pair.log();
  pair.cut();
  EXPECT_EQ(pair.guest.device, nullptr);
  EXPECT_EQ(log->find(first)->status, usb::Status::disconnected);
  EXPECT_EQ(pair.guest.failure, "the connection is lost");
  Importer second(pair.guest, pair.time);
  pair.to_guest.arrive = [&](ByteView bytes) { second.receive(bytes); };
  second.connected();
  pair.exporter.connected();
  pair.time.run_until_idle();
  ASSERT_NE(pair.guest.device, nullptr);
  EXPECT_EQ(pair.configure(), "");
}

TEST_F(SessionTest, ACutAtAnyByteEndsInOrder) {
  for (std::size_t after = 0; after < 1200; after += 7) {
    SessionPair fresh;
    fresh.exporter.offer(std::make_unique<HidKeyboard>("tested", usb::Speed::high, fresh.time));
    fresh.to_guest.arrive = [&, left = after](ByteView bytes) mutable {
      const ByteView part = bytes.first(std::min(left, bytes.size()));
      left -= part.size();
      if (!part.empty()) fresh.importer.receive(part);
    };
    fresh.connect();
    if (fresh.guest.device != nullptr) {
      (void)fresh.configure();
      (void)fresh.log().in(kReports, 8);
      fresh.time.run_until_idle();
    }
    fresh.cut();
    EXPECT_EQ(fresh.guest.device, nullptr);
    if (fresh.guest.log) {
      EXPECT_EQ(fresh.log().outstanding(), 0u);
      EXPECT_FALSE(fresh.log().completed_inside_submit);
    }
  }
}

TEST_F(SessionTest, ADeviceThatDoesNotAnswerIsNotOffered) {
  auto device = std::make_unique<usb::testing::FakeDevice>(pair.time, usb::Speed::high);
  usb::testing::FakeDevice& fake = *device;
  pair.exporter.offer(std::move(device));
  pair.connect();
  ASSERT_EQ(fake.held(), 1u);
  fake.complete(usb::Status::stall);
  pair.time.run_until_idle();
  EXPECT_EQ(pair.host.failure, "the device does not tell what it is");
  EXPECT_EQ(pair.guest.arrivals, 0u);
}

}  // namespace
}  // namespace periplex::remote::usbredir
