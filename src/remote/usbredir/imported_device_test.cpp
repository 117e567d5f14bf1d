// SPDX-License-Identifier: Apache-2.0
// A device of a far end that answers whatever a test says.
#include "remote/usbredir/imported_device.hpp"

#include <gmock/gmock.h>

#include "base/testing/virtual_time.hpp"
#include "remote/usbredir/testing/fake_wire.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::EndpointAddress;
using usb::Status;

constexpr EndpointAddress kBulkIn{0x81};
constexpr EndpointAddress kBulkOut{0x02};
constexpr EndpointAddress kInterruptOut{0x03};
constexpr usb::SetupPacket kSetAddress{.request_type = 0, .request = 5, .value = 9};
constexpr usb::SetupPacket kSetSel{.request_type = 0, .request = 48, .length = 6};
constexpr usb::SetupPacket kConfigure{.request_type = 0, .request = 9, .value = 1};
constexpr usb::SetupPacket kGetStatus{.request_type = 0x80, .request = 0, .length = 2};

class ImportedDeviceTest : public ::testing::Test {
 protected:
  ~ImportedDeviceTest() override { device.reset(); }  // the log must outlive the transfers

  static EndpointInfo endpoints() {
    EndpointInfo info;
    info.entries[index_of(kBulkIn)] = {.type = 2, .interval = 1, .max_packet_size = 512};
    info.entries[index_of(kBulkOut)] = {.type = 2, .interval = 1, .max_packet_size = 512};
    info.entries[index_of(kInterruptOut)] = {.type = 3, .interval = 4, .interface = 1, .max_packet_size = 64};
    return info;
  }
  const usb::testing::TransferLog::Entry* ended(usb::TransferId id) {
    time.run_until_idle();
    return log.find(id);
  }

  periplex::testing::VirtualTime time;
  testing::FakeWire wire;
  std::unique_ptr<ImportedDevice> device = std::make_unique<ImportedDevice>(usb::Speed::high, endpoints(), wire, time);
  usb::testing::TransferLog log{*device};
};

TEST_F(ImportedDeviceTest, InterruptOutWaitsForItsAnswer) {
  const usb::TransferId id = log.out(kInterruptOut, Bytes(5, std::byte{9}));
  EXPECT_EQ(wire.back<InterruptData>().data, Bytes(5, std::byte{9}));
  EXPECT_EQ(ended(id), nullptr);
  EXPECT_TRUE(device->on(wire.last, InterruptData{.endpoint = kInterruptOut, .length = 5}));
  EXPECT_EQ(ended(id)->status, Status::ok);
  EXPECT_EQ(ended(id)->actual, 5u);
}

TEST_F(ImportedDeviceTest, AddressAndLinkAreAnsweredHere) {
  const usb::TransferId address = log.control(kSetAddress);
  const usb::TransferId sel = log.control(kSetSel, Bytes(6));
  EXPECT_EQ(ended(address)->status, Status::ok);
  EXPECT_EQ(ended(sel)->actual, 6u);
  EXPECT_TRUE(wire.sent.empty());
}

TEST_F(ImportedDeviceTest, MoreDataThanAskedForIsBabbleAndLiesAboutLengthsAreCut) {
  const usb::TransferId in = log.in(kBulkIn, 4);
  EXPECT_TRUE(device->on(wire.last, BulkData{.endpoint = kBulkIn, .length = 9, .data = Bytes(9)}));
  EXPECT_EQ(ended(in)->status, Status::babble);
  EXPECT_EQ(ended(in)->actual, 4u);
  const usb::TransferId out = log.out(kBulkOut, Bytes(4));
  EXPECT_TRUE(device->on(wire.last, BulkData{.endpoint = kBulkOut, .length = 0xffffffff}));
  EXPECT_EQ(ended(out)->actual, 4u);
}

TEST_F(ImportedDeviceTest, AnAnswerOfAnotherKindIsNoticed) {
  (void)log.in(kBulkIn, 4);
  EXPECT_FALSE(device->on(wire.last, ControlData{}));
  EXPECT_FALSE(device->on(wire.last, BulkData{.endpoint = kBulkOut}));
  EXPECT_FALSE(device->on(wire.last, ConfigurationStatus{}));
  (void)log.control(kGetStatus);
  EXPECT_FALSE(device->on(wire.last, AlternateStatus{}));
  EXPECT_FALSE(device->on(wire.last, BulkData{.endpoint = kBulkIn}));
  EXPECT_TRUE(device->on(12345, BulkData{.endpoint = kBulkIn}));  // late, or never asked
}

TEST_F(ImportedDeviceTest, AConfigurationThatIsSetAgainBringsInterfacesBackToSettingZero) {
  (void)log.control({.request_type = 1, .request = 11, .value = 2, .index = 1});
  EXPECT_EQ(wire.back<SetAlternate>().alternate, 2);
  (void)log.control(kConfigure);
  const auto& before = std::get<SetAlternate>(wire.sent[wire.sent.size() - 2].second);
  EXPECT_EQ(before.interface, 1);
  EXPECT_EQ(before.alternate, 0);
  EXPECT_EQ(wire.back<SetConfiguration>().configuration, 1);
}

TEST_F(ImportedDeviceTest, ACancelIsToldOnlyOfDataPackets) {
  const usb::TransferId configure = log.control(kConfigure);
  device->cancel(configure);
  EXPECT_EQ(ended(configure)->status, Status::cancelled);
  EXPECT_EQ(wire.count<CancelData>(), 0u);
  const usb::TransferId in = log.in(kBulkIn, 4);
  device->cancel(in);
  device->cancel(in);
  EXPECT_EQ(wire.count<CancelData>(), 1u);
  EXPECT_TRUE(device->on(wire.last, BulkData{.endpoint = kBulkIn, .result = Result::cancelled}));
  EXPECT_EQ(ended(in)->status, Status::cancelled);
}

TEST_F(ImportedDeviceTest, AnEndpointThatIsNotThereIsAnError) {
  EXPECT_EQ(ended(log.in(EndpointAddress(0x87), 8))->status, Status::error);
}

TEST_F(ImportedDeviceTest, NoConfigurationIsAskedForThatOneControlTransferDoesNotCarry) {
  (void)log.control({.request_type = 0x80, .request = 6, .value = 0x200, .length = 0xffff});
  EXPECT_EQ(wire.back<ControlData>().setup.length, ImportedDevice::kMaxConfiguration);
  (void)log.control({.request_type = 0x80, .request = 6, .value = 0x200, .length = 9});
  EXPECT_EQ(wire.back<ControlData>().setup.length, 9u);
}

TEST_F(ImportedDeviceTest, AFarEndWithoutStreamsHidesTheSettingsThatUseThem) {
  unsigned missed = 0;
  ImportedDevice super(usb::Speed::super, endpoints(), wire, time, [&] { ++missed; });
  usb::testing::TransferLog shown(super);
  const usb::TransferId id = shown.control({.request_type = 0x80, .request = 6, .value = 0x200, .length = 9});
  EXPECT_EQ(wire.back<ControlData>().setup.length, ImportedDevice::kMaxConfiguration);
  // One interface, whose only setting has a bulk endpoint with 2^4 streams.
  ByteWriter out;
  out.u8(9).u8(2).le16(31).u8(1).u8(1).u8(0).u8(0x80).u8(0);
  out.u8(9).u8(4).u8(0).u8(0).u8(1).u8(8).u8(6).u8(0x62).u8(0);
  out.u8(7).u8(5).u8(0x81).u8(2).le16(1024).u8(0);
  out.u8(6).u8(48).u8(15).u8(4).le16(0);
  EXPECT_TRUE(super.on(wire.last, ControlData{.data = out.take()}));
  time.run_until_idle();
  EXPECT_EQ(hex(shown.find(id)->data), "09 02 1f 00 01 01 00 80 00");
  EXPECT_EQ(missed, 1u) << "there is nothing else that the device has";
}

TEST_F(ImportedDeviceTest, OneThatHasLeftCompletesAllAndTakesNothing) {
  const usb::TransferId before = log.in(kBulkIn, 4);
  device->leave();
  EXPECT_EQ(log.find(before)->status, Status::disconnected) << "at once";
  const std::size_t sent = wire.sent.size();
  const usb::TransferId after = log.in(kBulkIn, 4);
  device->cancel(after);
  device->reset();
  EXPECT_EQ(ended(after)->status, Status::disconnected);
  EXPECT_EQ(wire.sent.size(), sent);
}

TEST_F(ImportedDeviceTest, WhatItHoldsEndsWithIt) {
  (void)log.in(kBulkIn, 4);
  (void)log.control(kGetStatus);
  device.reset();
  EXPECT_EQ(log.outstanding(), 0u);
  EXPECT_EQ(log.entries.back().status, Status::disconnected);
}

}  // namespace
}  // namespace periplex::remote::usbredir
