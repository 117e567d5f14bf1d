// SPDX-License-Identifier: Apache-2.0
// Agents that lie: each ends its own session, in an orderly way and with a reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/attached.hpp"
#include "attachment/testing/scripted_peer.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using testing::Guest;
using ::testing::HasSubstr;
using testing::ScriptedPeer;
using usb::EndpointAddress;
using usb::Status;

constexpr std::uint8_t kBulkIn = 0x81, kBulkOut = 0x02, kInterruptIn = 0x83, kIsochronousIn = 0x84;

Describe description() {
  ByteWriter device, interface, configuration;
  usb::encode(device, usb::DeviceDescriptor{.bcd_usb = 0x0200, .max_packet_size0 = 64});
  usb::encode(interface, usb::InterfaceDescriptor{.num_endpoints = 4});
  usb::encode(interface, usb::EndpointDescriptor{EndpointAddress(kBulkIn), 2, 512, 0});
  usb::encode(interface, usb::EndpointDescriptor{EndpointAddress(kBulkOut), 2, 512, 0});
  usb::encode(interface, usb::EndpointDescriptor{EndpointAddress(kInterruptIn), 3, 8, 4});
  usb::encode(interface, usb::EndpointDescriptor{EndpointAddress(kIsochronousIn), 1, 192, 4});
  usb::encode(configuration,
              usb::ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + interface.size()),
                                           .num_interfaces = 1});
  configuration.bytes(interface.view());
  return {.unique_id = "unit",
          .speed = usb::Speed::high,
          .descriptors = {{0x0100, 0, device.take()}, {0x0200, 0, configuration.take()}}};
}

class LyingAgentTest : public ::testing::Test, public remote::SessionHost {
 protected:
  LyingAgentTest() {
    peripheral_ = std::make_unique<RemotePeripheral>(*this, time_, instances_.source());
    peripheral_->connected();
    agent_.greet();
    agent_.say(description().encode());
    // The guest configures it.
    guest_.control({0x00, 9, 1, 0, 0});
    agent_.say(complete(1, 0));
    time_.run_until_idle();
  }
  ~LyingAgentTest() override {
    peripheral_.reset();
    time_.run_until_idle();
    EXPECT_EQ(guest_.outstanding(), 0u);
    EXPECT_EQ(guest_.doubled, 0u);
  }
  static Bytes complete(std::uint64_t id, std::uint32_t actual, std::size_t data = 0) {
    const auto content = usb::TransferData::room(data);
    Bytes message = encode(Complete{.id = id, .actual = static_cast<std::uint32_t>(data), .data = {}}, &content);
    ByteWriter length;
    length.le32(actual);
    std::ranges::copy(length.view(), message.begin() + 13);
    return message;
  }
  /// Says `message`; the reason for which the session has ended.
  std::string after(ByteView message) {
    agent_.say(message);
    time_.run_until_idle();
    if (!failure_.empty()) {
      EXPECT_EQ(departures_, 1u);
      EXPECT_EQ(guest_.outstanding(), 0u);
      EXPECT_EQ(peripheral_->state().link, PeripheralState::Link::failed);
      // It is over: nothing more is heard, or done.
      agent_.say(description().encode());
      EXPECT_EQ(arrivals_, 1u);
    }
    return failure_;
  }

  void send(Bytes bytes) override { agent_.hear(bytes); }
  void device_arrived(usb::Device& device) override {
    ++arrivals_;
    guest_.device = &device;
  }
  void device_left(usb::Device&) override {
    ++departures_;
    guest_.device = nullptr;
  }
  void session_failed(std::string why) override { failure_ = std::move(why); }

  periplex::testing::VirtualTime time_;
  testing::CountedInstances instances_;
  Guest guest_{time_};
  ScriptedPeer agent_{[this](ByteView bytes) { peripheral_->receive(bytes); }};
  std::unique_ptr<RemotePeripheral> peripheral_;
  unsigned arrivals_ = 0, departures_ = 0;
  std::string failure_;
};

TEST_F(LyingAgentTest, AnHonestResultIsTaken) {
  guest_.in(kBulkIn, 64);
  EXPECT_EQ(after(complete(2, 10, 10)), "");
  EXPECT_EQ(guest_.answers.at(usb::TransferId(2)).actual, 10u);
}

TEST_F(LyingAgentTest, AResultOfATransferThatNeverWasEndsTheSession) {
  guest_.in(kBulkIn, 64);
  EXPECT_THAT(after(complete(77, 0)), HasSubstr("that it has not got"));
}

TEST_F(LyingAgentTest, ADoubledResultEndsTheSession) {
  guest_.in(kBulkIn, 64);
  (void)after(complete(2, 4, 4));
  EXPECT_THAT(after(complete(2, 4, 4)), HasSubstr("that it has not got"));
}

TEST_F(LyingAgentTest, MoreDataThanThereIsRoomForEndsTheSession) {
  guest_.in(kBulkIn, 64);
  EXPECT_THAT(after(complete(2, 65, 65)), HasSubstr("wrong length"));
}

TEST_F(LyingAgentTest, LessDataThanItClaimsEndsTheSession) {
  guest_.in(kBulkIn, 64);
  EXPECT_THAT(after(complete(2, 64, 10)), HasSubstr("wrong length"));
}

TEST_F(LyingAgentTest, DataForATransferThatSendsSomeEndsTheSession) {
  guest_.out(kBulkOut, Bytes(64));
  EXPECT_THAT(after(complete(2, 64, 64)), HasSubstr("wrong length"));
}

TEST_F(LyingAgentTest, ResultsOutOfOrderEndTheSession) {
  guest_.in(kBulkIn, 64);
  guest_.in(kBulkIn, 64);
  EXPECT_THAT(after(complete(3, 0)), HasSubstr("out of order"));
}

TEST_F(LyingAgentTest, AStatusThatDoesNotExistEndsTheSession) {
  guest_.in(kBulkIn, 64);
  Bytes message = complete(2, 0);
  message[9] = std::byte{200};
  EXPECT_THAT(after(message), HasSubstr("broken COMPLETE"));
}

TEST_F(LyingAgentTest, AReportThatNobodyAskedForEndsTheSession) {
  EXPECT_THAT(after(Report{.endpoint = EndpointAddress(kInterruptIn), .generation = 1, .data = {}}.encode()),
              HasSubstr("not polled"));
}

TEST_F(LyingAgentTest, MoreReportsThanThereIsRoomForEndTheSession) {
  guest_.in(kInterruptIn, 8);
  const Bytes data(8);
  const Bytes report = Report{.endpoint = EndpointAddress(kInterruptIn), .generation = 1, .data = data}.encode();
  unsigned taken = 0;
  while (after(report).empty() && taken < 10 * kReportWindow) ++taken;
  EXPECT_EQ(taken, kReportWindow);
  EXPECT_THAT(failure_, HasSubstr("more reports"));
}

TEST_F(LyingAgentTest, AReportOfAGenerationToComeEndsTheSession) {
  guest_.in(kInterruptIn, 8);
  EXPECT_THAT(after(Report{.endpoint = EndpointAddress(kInterruptIn), .generation = 9, .data = {}}.encode()),
              HasSubstr("nobody has asked for"));
}

TEST_F(LyingAgentTest, EndlessIsochronousPacketsAreBounded) {
  guest_.isochronous(kIsochronousIn, {192});
  const Bytes data(192);
  IsochronousIn message{.endpoint = EndpointAddress(kIsochronousIn), .generation = 1};
  message.packets.assign(kMaxIsochronousPackets, {Status::ok, data});
  for (unsigned i = 0; i < 200; ++i) EXPECT_EQ(after(message.encode()), "");
  const PeripheralCounters& counters = peripheral_->counters();
  EXPECT_LT(counters.packets_in - counters.packets_in_dropped, 5 * kMaxIsochronousPackets);
}

TEST_F(LyingAgentTest, AnIsochronousPacketThatIsTooLargeEndsTheSession) {
  guest_.isochronous(kIsochronousIn, {192});
  const Bytes data(193);
  EXPECT_THAT(
      after(IsochronousIn{.endpoint = EndpointAddress(kIsochronousIn), .generation = 1, .packets = {{Status::ok, data}}}
                .encode()),
      HasSubstr("too large"));
}

TEST_F(LyingAgentTest, AMessageThatOnlyAWorkerSendsEndsTheSession) {
  EXPECT_THAT(after(Cancel{1}.encode()), HasSubstr("does not send"));
}

TEST_F(LyingAgentTest, AnExtensionThatNobodyHasEndsTheSession) {
  EXPECT_THAT(after(Bytes{std::byte{0x40}, std::byte{1}}), HasSubstr("does not send"));
}

TEST_F(LyingAgentTest, AnotherPeripheralInItsPlaceEndsTheSession) {
  Describe other = description();
  other.unique_id = "another";
  EXPECT_THAT(after(other.encode()), HasSubstr("another peripheral"));
}

TEST_F(LyingAgentTest, AResetThatNobodyAskedForEndsTheSession) {
  EXPECT_THAT(after(ResetDone{.count = 1}.encode()), HasSubstr("not asked for"));
}

TEST_F(LyingAgentTest, ADeviceThatComesAndGoesAllTheTimeEndsTheSession) {
  unsigned times = 0;
  for (; failure_.empty() && times < 1000; ++times) {
    agent_.say(Gone{"gone"}.encode());
    agent_.say(description().encode());
  }
  EXPECT_LE(times, RemotePeripheral::kMaxArrivalsInARow + 1);
  EXPECT_THAT(failure_, HasSubstr("again and again"));
}

TEST_F(LyingAgentTest, AReasonCannotCommandATerminal) {
  EXPECT_EQ(after(Gone{"\x1b[2J gone"}.encode()), "");
  EXPECT_EQ(peripheral_->state().why, "?[2J gone");
}

}  // namespace
}  // namespace periplex::attachment
