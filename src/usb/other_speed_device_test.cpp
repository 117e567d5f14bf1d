// SPDX-License-Identifier: Apache-2.0
#include "usb/other_speed_device.hpp"

#include <gtest/gtest.h>
#include <set>

#include "base/testing/virtual_time.hpp"
#include "usb/speed_translation.hpp"
#include "usb/testing/fake_device.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::usb {
namespace {

constexpr EndpointAddress kBulkIn{1, Direction::in};
constexpr EndpointAddress kBulkOut{2, Direction::out};
constexpr EndpointAddress kInterruptIn{3, Direction::in};
constexpr SetupPacket kGetDevice{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
constexpr SetupPacket kGetConfiguration{.request_type = 0x80, .request = 6, .value = 0x0200, .index = 0, .length = 9};
constexpr SetupPacket kGetQualifier{.request_type = 0x80, .request = 6, .value = 0x0600, .index = 0, .length = 10};
constexpr SetupPacket kClearHalt{.request_type = 0x02, .request = 1, .value = 0, .index = 0x81, .length = 0};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

/// A device with a bulk pair and an interrupt endpoint; with `streams`, a second setting that needs them.
Bytes configuration_at(Speed speed, bool streams = false) {
  const bool super = is_usb3(speed);
  const auto bulk = static_cast<std::uint16_t>(super ? 1024 : 512);
  ByteWriter out;
  encode(out, ConfigurationDescriptor{.num_interfaces = 1, .max_power = static_cast<std::uint8_t>(super ? 10 : 40)});
  const auto add_setting = [&](std::uint8_t alternate, std::uint8_t companion) {
    encode(out, InterfaceDescriptor{.alternate_setting = alternate, .num_endpoints = 3, .interface_class = 8});
    for (const EndpointDescriptor endpoint :
         {EndpointDescriptor{kBulkIn, 2, bulk, 0}, {kBulkOut, 2, bulk, 0}, {kInterruptIn, 3, 16, 7}}) {
      encode(out, endpoint);
      if (super)
        encode(out,
               SuperSpeedCompanion{.attributes = endpoint.type() == TransferType::bulk ? companion : std::uint8_t{0}});
    }
  };
  add_setting(0, 0);
  if (streams) add_setting(1, 5);
  Bytes bytes = std::move(out).take();
  bytes[2] = static_cast<std::byte>(bytes.size());
  return bytes;
}

TEST(SpeedTranslation, AHighSpeedConfigurationFitsFullSpeed) {
  const auto parsed =
      parse_configuration(translate_configuration(configuration_at(Speed::high), Speed::high, Speed::full));
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->interfaces.size(), 1u);
  const auto& endpoints = parsed->interfaces[0].endpoints;
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(endpoints[0].descriptor.max_packet_size, 64u);
  EXPECT_EQ(endpoints[2].descriptor.max_packet_size, 16u);
  EXPECT_EQ(endpoints[2].descriptor.interval, 8u) << "2^(7-1) microframes are 8 ms";
}

TEST(SpeedTranslation, ASuperSpeedConfigurationFitsHighSpeed) {
  const Bytes translated = translate_configuration(configuration_at(Speed::super, true), Speed::super, Speed::high);
  const auto parsed = parse_configuration(translated);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->descriptor.total_length, translated.size());
  EXPECT_EQ(parsed->descriptor.max_power, 40u);
  ASSERT_EQ(parsed->interfaces.size(), 1u) << "a setting that needs streams cannot be used";
  for (const ParsedEndpoint& endpoint : parsed->interfaces[0].endpoints) EXPECT_FALSE(endpoint.companion);
  EXPECT_EQ(parsed->interfaces[0].endpoints[0].descriptor.max_packet_size, 512u);
  EXPECT_EQ(parsed->interfaces[0].endpoints[2].descriptor.interval, 7u);
}

TEST(SpeedTranslation, WhatIsNoConfigurationStaysAsItIs) {
  const Bytes broken = pattern(30);
  EXPECT_EQ(translate_configuration(broken, Speed::high, Speed::full), broken);
}

class OtherSpeedDeviceTest : public ::testing::Test {
 protected:
  OtherSpeedDeviceTest() {
    log_.control(kGetConfiguration);
    answer(configuration_at(Speed::high));
    log_.entries.clear();
    device_.submitted = 0;
  }
  ~OtherSpeedDeviceTest() override {
    adapter_.reset();
    while (device_.held() != 0) device_.complete(Status::disconnected);
  }

  /// The device ends its oldest transfer with `bytes`.
  void answer(ByteView bytes) {
    device_.at(0).data.write(0, bytes);
    device_.complete(Status::ok, static_cast<std::uint32_t>(bytes.size()));
    time_.run_until_idle();
  }

  periplex::testing::VirtualTime time_;
  usb::testing::FakeDevice device_{time_, Speed::high};
  std::unique_ptr<OtherSpeedDevice> adapter_ = std::make_unique<OtherSpeedDevice>(device_, Speed::full, time_);
  usb::testing::TransferLog log_{*adapter_};
};

TEST_F(OtherSpeedDeviceTest, TheGuestSeesAFullSpeedDevice) {
  EXPECT_EQ(adapter_->speed(), Speed::full);
  log_.control(kGetDevice);
  ByteWriter out;
  encode(out, DeviceDescriptor{.bcd_usb = 0x0210, .max_packet_size0 = 64, .vendor_id = 0x1234});
  answer(std::move(out).take());
  const auto device = parse_device(log_.entries.at(0).data);
  ASSERT_TRUE(device);
  EXPECT_EQ(device->bcd_usb, 0x0200);
  EXPECT_EQ(device->vendor_id, 0x1234);
  log_.control(kGetQualifier);
  time_.run_until_idle();
  EXPECT_EQ(log_.entries.at(1).status, Status::stall);
}

TEST_F(OtherSpeedDeviceTest, AConfigurationIsCutToWhatTheGuestAskedFor) {
  log_.control(kGetConfiguration);
  answer(configuration_at(Speed::high));
  EXPECT_EQ(log_.entries.at(0).actual, 9u);
}

TEST_F(OtherSpeedDeviceTest, AGuestBoundRequestIsAMultipleOfTheDevicesPacket) {
  log_.in(kBulkIn, 13);
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).data.size(), 512u);
  answer(pattern(13));
  EXPECT_EQ(log_.entries.at(0).data, pattern(13));
  EXPECT_EQ(log_.entries.at(0).status, Status::ok);
}

TEST_F(OtherSpeedDeviceTest, AWholeDataSetIsOneRequestAndIsNotCopied) {
  const TransferId id = log_.in(kBulkIn, 64 * 1024);
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).id(), id);
  answer(pattern(64 * 1024));
  EXPECT_EQ(log_.entries.at(0).actual, 64u * 1024);
}

TEST_F(OtherSpeedDeviceTest, WhatTheGuestDidNotAskForYetIsCarriedOver) {
  const Bytes data = pattern(512);
  log_.in(kBulkIn, 64);
  answer(data);
  EXPECT_EQ(log_.entries.at(0).data, Bytes(data.begin(), data.begin() + 64));
  log_.in(kBulkIn, 448);
  time_.run_until_idle();
  EXPECT_EQ(log_.entries.at(1).data, Bytes(data.begin() + 64, data.end()));
  EXPECT_EQ(device_.submitted, 1u);
}

TEST_F(OtherSpeedDeviceTest, TransfersQueuedAheadGetTheirShareInOrder) {
  log_.in(kBulkIn, 100);
  log_.in(kBulkIn, 100);
  log_.in(kBulkIn, 1024);
  EXPECT_EQ(device_.held(), 3u);
  const Bytes data = pattern(150);
  answer(data);  // the first, and half of the second, which it ends
  ASSERT_EQ(log_.entries.size(), 2u);
  EXPECT_EQ(log_.entries[0].actual, 100u);
  EXPECT_EQ(log_.entries[1].data, Bytes(data.begin() + 100, data.end()));
  answer(pattern(512));
  answer(pattern(512));
  ASSERT_EQ(log_.entries.size(), 3u);
  EXPECT_EQ(log_.entries[2].actual, 1024u);
}

TEST_F(OtherSpeedDeviceTest, ACancelledTransferLosesNoData) {
  const TransferId id = log_.in(kBulkIn, 13);
  device_.moved_when_cancelled[device_.at(0).id()] = 512;
  device_.at(0).data.write(0, pattern(512));
  adapter_->cancel(id);
  time_.run_until_idle();
  ASSERT_EQ(log_.entries.size(), 1u);
  EXPECT_EQ(log_.entries[0].status, Status::cancelled);
  log_.in(kBulkIn, 64);
  time_.run_until_idle();
  ASSERT_EQ(log_.entries.size(), 2u);
  EXPECT_EQ(log_.entries[1].data, pattern(64));
}

TEST_F(OtherSpeedDeviceTest, AsManyRequestsAreCancelledAsTransfers) {
  std::vector<TransferId> ids;
  for (unsigned i = 0; i < 4; ++i) ids.push_back(log_.in(kBulkIn, 100));
  device_.answers_cancels = false;
  for (const TransferId id : ids) adapter_->cancel(id);
  EXPECT_EQ(std::set(device_.cancels.begin(), device_.cancels.end()).size(), 4u);
}

TEST_F(OtherSpeedDeviceTest, WhatTheDeviceSentBeforeAResetIsNobodys) {
  log_.in(kBulkIn, 100);
  device_.answers_cancels = false;
  adapter_->reset();
  time_.run_until_idle();
  device_.at(0).data.write(0, pattern(512));
  device_.complete(Status::ok, 512);
  log_.entries.clear();
  log_.in(kBulkIn, 100);
  time_.run_until_idle();
  EXPECT_TRUE(log_.entries.empty());
  EXPECT_EQ(device_.held(), 1u) << "the device is asked anew";
}

TEST_F(OtherSpeedDeviceTest, AClearedHaltForgetsWhatWasCarriedOver) {
  log_.in(kBulkIn, 64);
  answer(pattern(512));
  log_.control(kClearHalt);
  answer({});
  log_.in(kBulkIn, 64);
  ASSERT_EQ(device_.held(kBulkIn), 1u);
  answer(pattern(13));
  EXPECT_EQ(log_.entries.back().data, pattern(13));
}

TEST_F(OtherSpeedDeviceTest, AStallComesBehindTheDataBeforeIt) {
  log_.in(kBulkIn, 100);
  device_.complete(Status::stall);
  time_.run_until_idle();
  EXPECT_EQ(log_.entries.at(0).status, Status::stall);
}

TEST_F(OtherSpeedDeviceTest, DeviceBoundDataPassesWhole) {
  log_.out(kBulkOut, pattern(1000));
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).data.copy(1000), pattern(1000));
}

TEST_F(OtherSpeedDeviceTest, WhatIsOutstandingWhenItEndsComesBackOnce) {
  log_.in(kBulkIn, 13);
  log_.control(kGetConfiguration);
  adapter_.reset();
  ASSERT_EQ(log_.entries.size(), 2u);
  EXPECT_EQ(log_.entries[0].status, Status::disconnected);
  time_.run_until_idle();  // the device's own answers find nobody, and harm nobody
  EXPECT_EQ(log_.entries.size(), 2u);
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(OtherSpeedDeviceTest, AResetEndsWhatWaits) {
  log_.in(kBulkIn, 13);
  adapter_->reset();
  time_.run_until_idle();
  ASSERT_EQ(log_.entries.size(), 1u);
  EXPECT_EQ(log_.entries[0].status, Status::cancelled);
}

}  // namespace
}  // namespace periplex::usb
