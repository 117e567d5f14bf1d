// SPDX-License-Identifier: Apache-2.0
#include "link/greeting.hpp"

#include <algorithm>

#include "link/text.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinPingInterval{50};
constexpr milliseconds kMaxPingInterval{60'000};

Secret read_secret(ByteReader& reader) {
  Secret secret{};
  std::ranges::copy(reader.take(secret.size()), secret.begin());
  return secret;
}

bool is_lane(std::uint8_t lane, std::uint8_t lanes) {
  return lanes >= 1 && lanes <= kLanes && lane < lanes;
}

}  // namespace

Bytes Hello::payload() const {
  ByteWriter writer;
  writer.le32(kMagic).le16(min_version).le16(max_version).le32(capabilities).le32(required);
  writer.u8(static_cast<std::uint8_t>(lane)).u8(static_cast<std::uint8_t>(purpose)).u8(lanes).u8(0);
  writer.le32(windows.urgent).le32(windows.bulk).le64(session.value).bytes(secret);
  append_text(writer, name);
  return writer.take();
}

std::expected<Hello, Reason> Hello::parse(ByteView payload) {
  ByteReader reader(payload);
  if (reader.le32() != kMagic) return std::unexpected(Reason::bad_magic);
  Hello hello;
  hello.min_version = reader.le16();
  hello.max_version = reader.le16();
  hello.capabilities = reader.le32();
  hello.required = reader.le32();
  const std::uint8_t lane = reader.u8();
  const std::uint8_t purpose = reader.u8();
  hello.lanes = reader.u8();
  reader.skip(1);
  hello.windows = {.urgent = reader.le32(), .bulk = reader.le32()};
  hello.session = SessionId(reader.le64());
  hello.secret = read_secret(reader);
  hello.name = read_text(reader);
  if (!reader.ok() || purpose > static_cast<std::uint8_t>(Purpose::resume) || !hello.windows.valid()) {
    return std::unexpected(Reason::bad_frame);
  }
  // An agent of a later version may have more lanes than this one knows; then it gets two.
  hello.lanes = std::min<std::uint8_t>(hello.lanes, kLanes);
  if (!is_lane(lane, hello.lanes)) return std::unexpected(Reason::bad_lane);
  hello.lane = Lane{lane};
  hello.purpose = Purpose{purpose};
  return hello;
}

Bytes Welcome::payload() const {
  ByteWriter writer;
  writer.le32(kMagic).le16(version).u8(static_cast<std::uint8_t>(lane)).u8(lanes).le32(capabilities);
  writer.le32(windows.urgent).le32(windows.bulk);
  writer.le32(static_cast<std::uint32_t>(ping_interval.count())).le32(static_cast<std::uint32_t>(hold.count()));
  writer.le64(session.value).bytes(secret);
  append_text(writer, name);
  return writer.le32(way).take();
}

std::expected<Welcome, Reason> Welcome::parse(ByteView payload) {
  ByteReader reader(payload);
  if (reader.le32() != kMagic) return std::unexpected(Reason::bad_magic);
  Welcome welcome;
  welcome.version = reader.le16();
  const std::uint8_t lane = reader.u8();
  welcome.lanes = reader.u8();
  welcome.capabilities = reader.le32();
  welcome.windows = {.urgent = reader.le32(), .bulk = reader.le32()};
  welcome.ping_interval = std::clamp(milliseconds(reader.le32()), kMinPingInterval, kMaxPingInterval);
  welcome.hold = milliseconds(reader.le32());
  welcome.session = SessionId(reader.le64());
  welcome.secret = read_secret(reader);
  welcome.name = read_text(reader);
  if (!reader.ok() || !welcome.windows.valid()) return std::unexpected(Reason::bad_frame);
  if (!is_lane(lane, welcome.lanes)) return std::unexpected(Reason::bad_lane);
  welcome.lane = Lane{lane};
  // A gate that says nothing of it takes no datagrams.
  welcome.way = reader.le32();
  return welcome;
}

std::expected<Agreement, Reason> negotiate(const Hello& hello, const Settings& own) {
  const std::uint16_t version = std::min(hello.max_version, own.max_version);
  if (version < hello.min_version || version < own.min_version) return std::unexpected(Reason::no_common_version);
  if ((hello.required & ~own.capabilities) != 0 || (own.required & ~hello.capabilities) != 0) {
    return std::unexpected(Reason::missing_capability);
  }
  return Agreement{.version = version,
                   .capabilities = hello.capabilities & own.capabilities,
                   .lanes = std::min(hello.lanes, own.lanes)};
}

bool same_secret(const Secret& one, const Secret& other) {
  std::byte difference{};
  for (std::size_t i = 0; i < one.size(); ++i) difference |= one[i] ^ other[i];
  return difference == std::byte{};
}

}  // namespace periplex::link
