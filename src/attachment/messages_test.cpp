// SPDX-License-Identifier: Apache-2.0
// The bytes that docs/attachment-protocol.md promises.
#include "attachment/messages.hpp"

#include <gtest/gtest.h>

#include "attachment/hello.hpp"
#include "attachment/limits.hpp"

namespace periplex::attachment {
namespace {

using usb::EndpointAddress;
using usb::Status;

/// What follows the type.
ByteView body(const Bytes& message) {
  return ByteView(message).subspan(1);
}

TEST(HelloTest, HasTheBytesOfTheDocument) {
  InstanceId own{}, expected{};
  own.fill(std::byte{0xaa});
  expected.fill(std::byte{0xbb});
  const Bytes bytes = Hello{.capabilities = 3, .own = own, .expected = expected, .received = 0x0102}.encode();
  EXPECT_EQ(bytes.size(), Hello::kSize);
  EXPECT_EQ(hex(ByteView(bytes).first(16)), "50 58 41 54 01 00 01 00 03 00 00 00 00 00 00 00");
  EXPECT_EQ(hex(ByteView(bytes).last(8)), "02 01 00 00 00 00 00 00");
  const auto parsed = Hello::parse(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->own, own);
  EXPECT_EQ(parsed->expected, expected);
}

TEST(HelloTest, IsRefusedWithoutAnInstanceOrWithVersionsUpsideDown) {
  EXPECT_FALSE(Hello::parse(Hello{}.encode()));
  EXPECT_FALSE(Hello::parse(Hello{.lowest_version = 3, .highest_version = 2, .own = {std::byte{1}}}.encode()));
}

TEST(HelloTest, TheHighestCommonVersionIsUsed) {
  EXPECT_EQ(common_version({.lowest_version = 1, .highest_version = 4}, {.lowest_version = 2, .highest_version = 3}),
            3);
  EXPECT_EQ(common_version({.lowest_version = 1, .highest_version = 1}, {.lowest_version = 2, .highest_version = 3}),
            std::nullopt);
}

TEST(MessagesTest, SubmitHasTheBytesOfTheDocument) {
  const auto data = usb::TransferData::owned({std::byte{0x11}, std::byte{0x22}});
  const Bytes bytes = encode(Submit{.id = 7,
                                    .endpoint = EndpointAddress(2),
                                    .direction = usb::Direction::out,
                                    .type = usb::TransferType::bulk,
                                    .stream = 5,
                                    .length = 2,
                                    .data = {}},
                             data);
  EXPECT_EQ(hex(bytes), "01 07 00 00 00 00 00 00 00 02 00 02 00 05 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 11 22");
  const auto parsed = Submit::parse(body(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->stream, 5);
  EXPECT_EQ(hex(parsed->data), "11 22");
}

TEST(MessagesTest, ASubmitThatContradictsItselfIsNone) {
  const auto parses = [](const Submit& message) {
    return Submit::parse(body(encode(message, usb::TransferData::room(message.length)))).has_value();
  };
  const usb::SetupPacket setup{0x80, 6, 0x0100, 0, 18};
  Submit control{.direction = usb::Direction::in, .type = usb::TransferType::control, .setup = setup, .length = 18};
  EXPECT_TRUE(parses(control));
  control.length = 19;
  EXPECT_FALSE(parses(control)) << "more than wLength";
  control = {.direction = usb::Direction::out, .type = usb::TransferType::control, .setup = setup, .length = 18};
  EXPECT_FALSE(parses(control)) << "against the Setup stage";
  EXPECT_FALSE(parses({.endpoint = EndpointAddress(0x81), .direction = usb::Direction::out, .length = 1}));
  EXPECT_FALSE(parses({.endpoint = EndpointAddress(0x81),
                       .direction = usb::Direction::in,
                       .type = usb::TransferType::control,
                       .setup = setup}));
  EXPECT_FALSE(parses({.endpoint = EndpointAddress(0xf1), .direction = usb::Direction::in, .length = 1}));
}

TEST(MessagesTest, CompleteHasTheBytesOfTheDocument) {
  const auto data = usb::TransferData::owned({std::byte{0x33}, std::byte{0x44}});
  const Bytes bytes = encode(Complete{.id = 7, .status = Status::stall, .actual = 1, .data = {}}, &data);
  EXPECT_EQ(hex(bytes), "21 07 00 00 00 00 00 00 00 01 00 00 00 01 00 00 00 33");
}

TEST(MessagesTest, PollAndReportHaveTheBytesOfTheDocument) {
  EXPECT_EQ(hex(Poll{.endpoint = EndpointAddress(0x83), .generation = 2, .packet_bytes = 8, .limit = 128}.encode()),
            "07 83 03 00 00 02 00 00 00 08 00 00 00 00 00 00 00 80 00 00 00");
  const Bytes data{std::byte{9}};
  EXPECT_EQ(hex(Report{.endpoint = EndpointAddress(0x83), .generation = 2, .data = data}.encode()),
            "22 83 00 00 00 02 00 00 00 09");
}

TEST(MessagesTest, IsochronousMessagesComeBackAsTheyWere) {
  const Bytes data{std::byte{1}, std::byte{2}, std::byte{3}};
  const ByteView all(data);
  const Bytes in =
      IsochronousIn{.endpoint = EndpointAddress(0x81),
                    .generation = 1,
                    .packets = {{Status::ok, all.first(1)}, {Status::error, {}}, {Status::ok, all.last(2)}}}
          .encode();
  const auto parsed_in = IsochronousIn::parse(body(in));
  ASSERT_TRUE(parsed_in);
  ASSERT_EQ(parsed_in->packets.size(), 3u);
  EXPECT_EQ(parsed_in->packets[1].status, Status::error);
  EXPECT_EQ(hex(parsed_in->packets[2].data), "02 03");
  const Bytes out =
      IsochronousOut{
          .endpoint = EndpointAddress(1), .interval = Microseconds(1000), .packets = {all.first(2), all.last(1)}}
          .encode();
  const auto parsed_out = IsochronousOut::parse(body(out));
  ASSERT_TRUE(parsed_out);
  EXPECT_EQ(hex(parsed_out->packets.at(0)), "01 02");
  EXPECT_EQ(parsed_out->interval, Microseconds(1000));
}

TEST(MessagesTest, ADescriptionComesBackAsItWas) {
  const Describe description{
      .unique_id = "unit 1",
      .speed = usb::Speed::super,
      .descriptors = {{0x0100, 0, Bytes(18)}, {0x0600, 0, std::nullopt}, {0x0301, 0x409, Bytes{}}}};
  const auto parsed = Describe::parse(body(description.encode()));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, description);
}

TEST(MessagesTest, NoMessageParsesWithAByteLessOrMore) {
  const std::pair<Bytes, bool (*)(ByteView)> all[] = {
      {Cancel{1}.encode(), [](ByteView bytes) { return Cancel::parse(bytes).has_value(); }},
      {Reset{1}.encode(), [](ByteView bytes) { return Reset::parse(bytes).has_value(); }},
      {ResetDone{1}.encode(), [](ByteView bytes) { return ResetDone::parse(bytes).has_value(); }},
      {StopPolling{EndpointAddress(0x81)}.encode(),
       [](ByteView bytes) { return StopPolling::parse(bytes).has_value(); }},
      {EndpointOpened{EndpointAddress(1)}.encode(),
       [](ByteView bytes) { return EndpointOpened::parse(bytes).has_value(); }},
      {Poll{.endpoint = EndpointAddress(0x81)}.encode(), [](ByteView bytes) { return Poll::parse(bytes).has_value(); }},
      {Describe{.unique_id = "x", .descriptors = {{1, 2, Bytes(3)}}}.encode(),
       [](ByteView bytes) { return Describe::parse(bytes).has_value(); }},
  };
  for (const auto& [message, parses] : all) {
    Bytes longer = message;
    longer.push_back(std::byte{0});
    EXPECT_TRUE(parses(body(message))) << hex(message);
    EXPECT_FALSE(parses(body(longer))) << hex(message);
    EXPECT_FALSE(parses(ByteView(message).subspan(1, message.size() - 2))) << hex(message);
  }
}

}  // namespace
}  // namespace periplex::attachment
