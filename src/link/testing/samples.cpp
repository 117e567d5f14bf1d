// SPDX-License-Identifier: Apache-2.0
#include "link/testing/samples.hpp"

#include "link/greeting.hpp"
#include "link/messages.hpp"

namespace periplex::link::testing {
namespace {

Secret counted_secret() {
  Secret secret{};
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = std::byte(0xa0 + i);
  return secret;
}

}  // namespace

std::vector<Sample> samples() {
  std::vector<Sample> made;
  const auto add = [&](std::string name, FrameType type, std::uint32_t channel, ByteView payload) {
    made.push_back({.name = std::move(name), .type = type, .bytes = make_frame(type, ChannelId(channel), payload)});
  };
  add("HELLO", FrameType::hello, 0, Hello{.lane = Lane::realtime, .name = "seat-7"}.payload());
  add("WELCOME", FrameType::welcome, 0,
      Welcome{.capabilities = kCapabilities,
              .ping_interval = std::chrono::milliseconds(500),
              .hold = std::chrono::seconds(60),
              .session = SessionId(7),
              .secret = counted_secret(),
              .name = "host",
              .way = 1}
          .payload());
  add("REFUSE", FrameType::refuse, 0, Ending{.reason = Reason::unknown_session}.payload());
  add("END", FrameType::end, 0, Ending{.reason = Reason::not_allowed, .text = "removed"}.payload());
  add("PING", FrameType::ping, 0, ping_payload(3));
  add("PONG", FrameType::pong, 0, ping_payload(3));
  add("SYNC", FrameType::sync, 0, {});
  add("OFFER", FrameType::offer, 0,
      Peripheral{.id = "usb:1-2",
                 .kind = Kind::usb,
                 .speed = Speed::high,
                 .vendor = 0x0951,
                 .product = 0x1666,
                 .device_class = 8,
                 .subclass = 6,
                 .protocol = 0x50,
                 .name = "Stick",
                 .serial = "E0D5"}
          .payload());
  add("WITHDRAW", FrameType::withdraw, 0, Withdrawal{.id = "usb:1-2", .reason = Reason::unplugged}.payload());
  add("OPEN", FrameType::open, 5, Opening{.id = "usb:1-2", .priority = Priority::bulk, .compression = true}.payload());
  add("CLOSE", FrameType::close, 5, Ending{.reason = Reason::taken_back}.payload());
  add("DATA", FrameType::data, 5, as_bytes("hello"));
  add("CREDIT", FrameType::credit, 5, credit_payload(65'536));
  return made;
}

bool is_understood(const Frame& frame) {
  const ByteView payload = frame.payload;
  switch (frame.header.type) {
    case FrameType::hello:
      return Hello::parse(payload).has_value();
    case FrameType::welcome:
      return Welcome::parse(payload).has_value();
    case FrameType::refuse:
    case FrameType::end:
    case FrameType::close:
      return Ending::parse(payload).has_value();
    case FrameType::ping:
    case FrameType::pong:
      return parse_ping(payload).has_value();
    case FrameType::sync:
      return payload.empty();
    case FrameType::offer:
      return Peripheral::parse(payload).has_value();
    case FrameType::withdraw:
      return Withdrawal::parse(payload).has_value();
    case FrameType::open:
      return Opening::parse(payload).has_value();
    case FrameType::data:
      return !payload.empty() && payload.size() <= kMaxPiece;
    case FrameType::credit:
      return parse_credit(payload).has_value();
    case FrameType::enrol:
    case FrameType::enrolled:
      return false;  // not of this protocol
  }
  return false;
}

}  // namespace periplex::link::testing
