// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/parser.hpp"

#include <gmock/gmock.h>
#include <vector>

namespace periplex::remote::usbredir {
namespace {

using usb::EndpointAddress;

/// One side, whose bytes go to the other.
struct Side final : Parser::Handler {
  explicit Side(Parser::Side side, const Capabilities& capabilities = Capabilities::all())
      : parser(side, capabilities, *this) {}

  void on_message(MessageId id, Message message) override { heard.emplace_back(id, std::move(message)); }
  void on_bytes(Bytes bytes) override { out.insert(out.end(), bytes.begin(), bytes.end()); }
  Bytes take() { return std::exchange(out, {}); }
  template <typename Kind>
  const Kind& last() {
    return std::get<Kind>(heard.back().second);
  }

  std::vector<std::pair<MessageId, Message>> heard;
  Bytes out;
  Parser parser;
};

struct Pair {
  Pair() = default;
  Pair(const Capabilities& of_guest, const Capabilities& of_host)
      : guest(Parser::Side::guest, of_guest), host(Parser::Side::host, of_host) {}

  void greet() {
    guest.parser.start();
    host.parser.start();
    exchange();
  }
  void exchange() {
    EXPECT_TRUE(host.parser.receive(guest.take()));
    EXPECT_TRUE(guest.parser.receive(host.take()));
  }

  Side guest{Parser::Side::guest};
  Side host{Parser::Side::host};
};

Bytes header(std::uint32_t type, std::uint32_t length, std::uint64_t id = 0, bool wide = true) {
  ByteWriter out;
  out.le32(type).le32(length);
  wide ? out.le64(id) : out.le32(static_cast<std::uint32_t>(id));
  return out.take();
}
Bytes hello(std::uint32_t capabilities = 0xff) {
  ByteWriter out;
  out.bytes(header(0, 68, 0, false)).bytes(as_bytes("far end")).zeros(57).le32(capabilities);
  return out.take();
}

TEST(Parser, BothSidesLearnWhatTheOtherIsAndCan) {
  Pair pair;
  pair.greet();
  EXPECT_EQ(pair.guest.last<Hello>().version, "periplex");
  EXPECT_EQ(pair.host.last<Hello>().capabilities, Capabilities::all());
  EXPECT_EQ(pair.guest.parser.common(), Capabilities::all());
}

TEST(Parser, AHelloIsTheDocumentsBytes) {
  Side guest(Parser::Side::guest);
  guest.parser.start();
  EXPECT_EQ(guest.out.size(), 12u + 64 + 4);
  EXPECT_EQ(hex(ByteView(guest.out).first(20)), "00 00 00 00 44 00 00 00 00 00 00 00 70 65 72 69 70 6c 65 78");
}

TEST(Parser, WhatOneSideCannotIsNotInCommon) {
  Capabilities old = Capabilities::all();
  old.bulk_streams = false;
  old.ids_64_bits = false;
  old.device_version = false;
  Pair pair(Capabilities::all(), old);
  pair.greet();
  EXPECT_FALSE(pair.guest.parser.common().bulk_streams);
  EXPECT_FALSE(pair.guest.parser.common().ids_64_bits);
  EndpointInfo info;
  info.entries[0x11] = {.type = 2, .interval = 1, .interface = 3, .max_packet_size = 512, .max_streams = 16};
  pair.host.parser.send(0, info);
  pair.host.parser.send(0, DeviceConnect{.speed = WireSpeed::high, .vendor_id = 0x1234, .device_version = 0x100});
  pair.exchange();
  EXPECT_EQ(std::get<EndpointInfo>(pair.guest.heard[1].second).entries[0x11].max_packet_size, 512);
  EXPECT_EQ(std::get<EndpointInfo>(pair.guest.heard[1].second).entries[0x11].max_streams, 0u);
  EXPECT_EQ(pair.guest.last<DeviceConnect>().vendor_id, 0x1234);
  EXPECT_EQ(pair.guest.last<DeviceConnect>().device_version, 0);
}

TEST(Parser, MessagesOfTheGuestArriveAsTheyWereSent) {
  Pair pair;
  pair.greet();
  const std::vector<Message> all{
      Reset{},
      SetConfiguration{3},
      GetConfiguration{},
      SetAlternate{1, 2},
      GetAlternate{1},
      StartPump{.kind = PumpKind::isochronous, .endpoint = EndpointAddress(0x81), .packets_per_urb = 8, .urbs = 4},
      StartPump{.kind = PumpKind::interrupt, .endpoint = EndpointAddress(0x81)},
      StartPump{.kind = PumpKind::bulk, .endpoint = EndpointAddress(0x81), .urbs = 5, .bytes_per_transfer = 512},
      StopPump{.kind = PumpKind::isochronous, .endpoint = EndpointAddress(1)},
      StopPump{.kind = PumpKind::interrupt, .endpoint = EndpointAddress(0x81)},
      StopPump{.kind = PumpKind::bulk, .endpoint = EndpointAddress(0x81)},
      AllocateStreams{.endpoints = 0x60002, .count = 16},
      FreeStreams{.endpoints = 0x60002},
      CancelData{},
      FilterReject{},
      ControlData{.setup = {.request_type = 0x21, .request = 9, .value = 1, .index = 2, .length = 2}, .data = Bytes(2)},
      BulkData{.endpoint = EndpointAddress(2), .length = 100'000, .stream = 3, .data = Bytes(100'000)},
      BulkData{.endpoint = EndpointAddress(0x82), .length = 1u << 20},
      IsochronousData{.endpoint = EndpointAddress(1), .length = 5, .data = Bytes(5)},
      InterruptData{.endpoint = EndpointAddress(1), .length = 5, .data = Bytes(5)}};
  MessageId id = MessageId{1} << 40;
  for (const Message& message : all) pair.guest.parser.send(++id, message);
  pair.exchange();
  ASSERT_EQ(pair.host.heard.size(), all.size() + 1);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(pair.host.heard[i + 1].second.index(), all[i].index()) << i;
  EXPECT_EQ(pair.host.heard[2].first, (MessageId{1} << 40) + 2);
  EXPECT_EQ(std::get<StartPump>(pair.host.heard[8].second).bytes_per_transfer, 512u);
  EXPECT_EQ(std::get<BulkData>(pair.host.heard[17].second).data.size(), 100'000u);
  EXPECT_EQ(std::get<BulkData>(pair.host.heard[18].second).length, 1u << 20);
}

TEST(Parser, MessagesOfTheHostArriveAsTheyWereSent) {
  Pair pair;
  pair.greet();
  InterfaceInfo interfaces{.count = 2};
  interfaces.entries[1] = {.number = 1, .interface_class = 8, .subclass = 6, .protocol = 0x50};
  const std::vector<Message> all{
      interfaces,
      DeviceDisconnect{},
      ConfigurationStatus{Result::stall, 2},
      AlternateStatus{Result::success, 1, 2},
      PumpStatus{.kind = PumpKind::isochronous, .endpoint = EndpointAddress(1), .result = Result::stall},
      PumpStatus{.kind = PumpKind::interrupt, .endpoint = EndpointAddress(0x81)},
      PumpStatus{.kind = PumpKind::bulk, .endpoint = EndpointAddress(0x81)},
      StreamsStatus{.endpoints = 4, .count = 2, .result = Result::invalid},
      ControlData{.setup = {.request_type = 0xa1, .request = 1, .value = 0, .index = 0, .length = 3}, .data = Bytes(3)},
      BulkData{.endpoint = EndpointAddress(0x82), .length = 3, .data = Bytes(3)},
      BulkData{.endpoint = EndpointAddress(2), .result = Result::babble, .length = 3},
      IsochronousData{.endpoint = EndpointAddress(0x81), .length = 5, .data = Bytes(5)},
      InterruptData{.endpoint = EndpointAddress(0x81), .length = 5, .data = Bytes(5)},
      BufferedBulkData{.endpoint = EndpointAddress(0x81), .stream = 0, .data = Bytes(5)}};
  for (const Message& message : all) pair.host.parser.send(7, message);
  pair.exchange();
  ASSERT_EQ(pair.guest.heard.size(), all.size() + 1);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(pair.guest.heard[i + 1].second.index(), all[i].index()) << i;
  EXPECT_EQ(std::get<InterfaceInfo>(pair.guest.heard[1].second).entries[1].protocol, 0x50);
  EXPECT_EQ(std::get<BulkData>(pair.guest.heard[11].second).result, Result::babble);
  // The guest's parser acknowledges the disconnect by itself.
  EXPECT_TRUE(pair.host.parser.receive(pair.guest.take()));
  EXPECT_TRUE(std::holds_alternative<DisconnectAck>(pair.host.heard.back().second));
}

TEST(Parser, WhatIsNoHelloAtFirstIsRefused) {
  Side guest(Parser::Side::guest);
  const auto received = guest.parser.receive(header(1, 10, 0, false));
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error(), "the other side does not begin with a usbredir hello");
}

TEST(Parser, AnAnnouncedLengthIsBoundedBeforeAnythingIsAllocated) {
  for (const auto& [type, length] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {101, kMaxBulkLength + 65}, {101, 0xffffffff}, {100, 70'000}, {104, 0x80000000}, {5, 513}, {23, 65'537}}) {
    Side guest(Parser::Side::guest);
    ASSERT_TRUE(guest.parser.receive(hello()));
    EXPECT_FALSE(guest.parser.receive(header(type, length))) << type;
  }
}

TEST(Parser, AnErrorOfTheFarEndEndsTheSessionWithAReason) {
  Side guest(Parser::Side::guest);
  ASSERT_TRUE(guest.parser.receive(hello()));
  const auto unknown = guest.parser.receive(header(77, 0));
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error(), ::testing::HasSubstr("invalid usb-redir packet type"));
  Side host(Parser::Side::host);
  ASSERT_TRUE(host.parser.receive(hello()));
  EXPECT_FALSE(host.parser.receive(header(1, 10)));  // a device_connect to the host
  Side twice(Parser::Side::guest);
  ASSERT_TRUE(twice.parser.receive(hello()));
  EXPECT_FALSE(twice.parser.receive(hello()));
}

TEST(Parser, FilterRulesAreDroppedAndTheSessionGoesOn) {
  Side host(Parser::Side::host);
  ASSERT_TRUE(host.parser.receive(hello()));
  ByteWriter out;
  out.bytes(header(23, 5)).bytes(as_bytes("junk!")).bytes(header(3, 0));
  EXPECT_TRUE(host.parser.receive(out.take()));
  EXPECT_TRUE(std::holds_alternative<Reset>(host.heard.back().second));
}

TEST(Parser, UnknownStatusNumbersAreErrors) {
  Side guest(Parser::Side::guest);
  ASSERT_TRUE(guest.parser.receive(hello()));
  ByteWriter out;
  out.bytes(header(8, 2, 5)).u8(200).u8(1);
  ASSERT_TRUE(guest.parser.receive(out.take()));
  EXPECT_EQ(guest.last<ConfigurationStatus>().result, Result::io_error);
}

}  // namespace
}  // namespace periplex::remote::usbredir
