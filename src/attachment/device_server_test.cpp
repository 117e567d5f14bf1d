// SPDX-License-Identifier: Apache-2.0
#include "attachment/device_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "attachment/testing/attached.hpp"
#include "attachment/testing/scripted_peer.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::ScriptedPeer;
using usb::EndpointAddress;
using usb::Status;

constexpr std::uint8_t kBulkIn = 0x81, kBulkOut = 0x02, kInterruptIn = 0x83;

/// A worker that says what it likes, to a server in front of a device that answers when the test says so.
class DeviceServerTest : public ::testing::Test, public ServerHost {
 protected:
  DeviceServerTest() {
    server_ = std::make_unique<DeviceServer>(device_, "unit", *this, time_, instances_.source(), ServerOptions{},
                                             &extension_);
    server_->connected();
    worker_.greet();
    describe();
  }
  /// Answers the reader until it has done.
  void describe() {
    while (device_.held() != 0) {
      const auto setup = device_.at(0).setup;
      if (setup && setup->value == 0x0100) {
        ByteWriter out;
        usb::encode(out, usb::DeviceDescriptor{.bcd_usb = 0x0110, .max_packet_size0 = 64, .num_configurations = 0});
        (void)device_.at(0).data.write(0, out.view());
        device_.complete(Status::ok, 18);
      } else {
        device_.complete(Status::stall);
      }
    }
  }
  static Bytes submit(std::uint64_t id, std::uint8_t endpoint, std::uint32_t length) {
    const EndpointAddress address(endpoint);
    return encode(Submit{.id = id, .endpoint = address, .direction = address.direction(), .length = length, .data = {}},
                  usb::TransferData::room(length));
  }
  std::string after(ByteView message) {
    worker_.say(message);
    time_.run_until_idle();
    return failure_;
  }

  void send(Bytes bytes) override { worker_.hear(bytes); }
  void worker_left() override { ++departures_; }
  void server_failed(std::string why) override { failure_ = std::move(why); }

  struct Echo final : ServerExtension {
    [[nodiscard]] std::uint32_t capabilities() const override { return kCapabilityStorageCommands; }
    void begin(ExtensionLink& l, Requests& d) override { link = &l, device = &d; }
    [[nodiscard]] Verdict on_message(ByteView message) override {
      if (message.size() < 2) return violation("an empty command");
      link->send(Bytes(message.begin(), message.end()));
      return {};
    }
    void end() override { link = nullptr; }
    ExtensionLink* link = nullptr;
    Requests* device = nullptr;
  };

  periplex::testing::VirtualTime time_;
  usb::testing::FakeDevice device_{time_, usb::Speed::full};
  testing::CountedInstances instances_;
  Echo extension_;
  ScriptedPeer worker_{[this](ByteView bytes) { server_->receive(bytes); }};
  std::unique_ptr<DeviceServer> server_;
  unsigned departures_ = 0;
  std::string failure_;
};

TEST_F(DeviceServerTest, SaysWhatTheDeviceIs) {
  const auto body = worker_.last(MessageType::describe);
  ASSERT_TRUE(body);
  const auto description = Describe::parse(*body);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->unique_id, "unit");
  EXPECT_EQ(description->speed, usb::Speed::full);
  EXPECT_EQ(description->descriptors.at(0).value, 0x0100);
}

TEST_F(DeviceServerTest, CarriesATransferOutAndTellsItsResult) {
  EXPECT_EQ(after(submit(1, kBulkIn, 64)), "");
  ASSERT_EQ(device_.held(), 1u);
  device_.complete(Status::ok, 5);
  const auto body = worker_.last(MessageType::complete);
  ASSERT_TRUE(body);
  const auto result = Complete::parse(*body);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->actual, 5u);
  EXPECT_EQ(result->data.size(), 5u);
}

TEST_F(DeviceServerTest, AnIdThatIsNotNewEndsTheSessionAndTheDeviceStops) {
  (void)after(submit(5, kBulkIn, 64));
  EXPECT_THAT(after(submit(5, kBulkIn, 64)), HasSubstr("not new"));
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(DeviceServerTest, MoreTransfersThanAWorkerMayHaveEndTheSession) {
  std::uint64_t id = 0;
  while (failure_.empty() && id < 2 * kMaxTransfers) (void)after(submit(++id, kBulkIn, 1));
  EXPECT_EQ(id, kMaxTransfers + 1);
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(DeviceServerTest, MoreBytesThanAWorkerMayHaveEndTheSession) {
  std::uint64_t id = 0;
  while (failure_.empty() && id < 100) (void)after(submit(++id, kBulkIn, kMaxTransferBytes));
  EXPECT_LE(id, kMaxTransferBytesInFlight / kMaxTransferBytes + 2);
}

TEST_F(DeviceServerTest, AWorkerThatNeverTakesItsResultsEndsTheSession) {
  worker_.acknowledges = false;
  std::uint64_t id = 0;
  while (failure_.empty() && id < 100'000) {
    (void)after(submit(++id, kBulkIn, 4096));
    if (device_.held() != 0) device_.complete_ok();
  }
  EXPECT_THAT(failure_, HasSubstr("does not take"));
  EXPECT_LT(id * 4096, std::uint64_t{200} << 20);
}

TEST_F(DeviceServerTest, BrokenMessagesEndTheSession) {
  Bytes truncated = submit(1, kBulkOut, 64);
  truncated.resize(truncated.size() - 1);
  EXPECT_THAT(after(truncated), HasSubstr("broken SUBMIT"));
}

TEST_F(DeviceServerTest, ACancellationOfWhatWasNeverSentEndsTheSession) {
  EXPECT_THAT(after(Cancel{9}.encode()), HasSubstr("never sent"));
}

TEST_F(DeviceServerTest, ALateCancellationIsIgnored) {
  (void)after(submit(1, kBulkIn, 64));
  device_.complete(Status::ok, 0);
  EXPECT_EQ(after(Cancel{1}.encode()), "");
}

TEST_F(DeviceServerTest, NoMoreReportsThanTheWorkerHasRoomForAreAskedOfTheDevice) {
  Poll poll{.endpoint = EndpointAddress(kInterruptIn), .generation = 1, .packet_bytes = 8, .limit = 6};
  (void)after(poll.encode());
  EXPECT_EQ(device_.held(), ReportSource::kRequests);
  for (unsigned i = 0; i < 6; ++i) device_.complete(Status::ok, 8);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(server_->counters().reports, 6u);
  EXPECT_GT(server_->counters().reports_held_up, 0u);
  poll.limit = 7;
  (void)after(poll.encode());
  EXPECT_EQ(device_.held(), 1u);
}

TEST_F(DeviceServerTest, AReportThatWasThereWhenPollingStoppedIsNotLost) {
  (void)after(Poll{.endpoint = EndpointAddress(kInterruptIn), .generation = 1, .packet_bytes = 8, .limit = 9}.encode());
  device_.moved_when_cancelled[device_.at(0).id()] = 8;
  (void)after(StopPolling{EndpointAddress(kInterruptIn)}.encode());
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(server_->counters().reports, 1u);
}

TEST_F(DeviceServerTest, WhatAWorkerAskedForEndsWhenItIsAwayForTooLong) {
  (void)after(submit(1, kBulkIn, 64));
  server_->disconnected();
  time_.advance(59s);
  EXPECT_EQ(device_.held(), 1u);
  time_.advance(2s);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(departures_, 1u);
  EXPECT_FALSE(server_->in_session());
}

TEST_F(DeviceServerTest, ADeviceThatIsGoneIsNotTouchedAgain) {
  (void)after(submit(1, kBulkIn, 64));
  const std::size_t submitted = device_.submitted;
  const std::size_t cancels = device_.cancels.size();
  server_->device_gone("pulled out");
  EXPECT_EQ(after(submit(2, kBulkIn, 64)), "");
  EXPECT_EQ(after(Reset{1}.encode()), "");
  server_.reset();
  EXPECT_EQ(device_.submitted, submitted);
  EXPECT_EQ(device_.cancels.size(), cancels);
  EXPECT_TRUE(worker_.last(MessageType::gone));
}

TEST_F(DeviceServerTest, AnExtensionsMessagesPassUnread) {
  ASSERT_NE(extension_.link, nullptr);
  const Bytes command{std::byte{0x41}, std::byte{7}, std::byte{8}};
  EXPECT_EQ(after(command), "");
  EXPECT_EQ(worker_.messages.back(), command);
  EXPECT_THAT(after(Bytes{std::byte{0x41}}), HasSubstr("an empty command"));
  EXPECT_EQ(extension_.link, nullptr) << "it has ended with the session";
}

}  // namespace
}  // namespace periplex::attachment
