// SPDX-License-Identifier: Apache-2.0
#include "attachment/messages.hpp"

#include <algorithm>

#include "attachment/limits.hpp"

namespace periplex::attachment {
namespace {

using usb::Direction;
using usb::EndpointAddress;
using usb::SetupPacket;
using usb::Status;
using usb::TransferType;

constexpr std::uint8_t kFlagGuestBound = 1;

ByteWriter begin(MessageType type) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(type));
  return out;
}

/// Every byte has been read, and there were enough of them.
bool complete(const ByteReader& in) {
  return in.ok() && in.remaining() == 0;
}

std::optional<Status> status_of(std::uint8_t byte) {
  if (byte > static_cast<std::uint8_t>(Status::disconnected)) return std::nullopt;
  return static_cast<Status>(byte);
}

std::optional<TransferType> type_of(std::uint8_t byte) {
  if (byte > static_cast<std::uint8_t>(TransferType::interrupt)) return std::nullopt;
  return static_cast<TransferType>(byte);
}

/// Bits 6:4 are reserved (USB 2.0 table 9-13), and endpoint 0 is written as 0.
std::optional<EndpointAddress> endpoint_of(std::uint8_t byte) {
  if ((byte & 0x70) != 0 || byte == 0x80) return std::nullopt;
  return EndpointAddress(byte);
}

/// Of an endpoint other than 0, in one direction.
std::optional<EndpointAddress> endpoint_of(std::uint8_t byte, Direction direction) {
  const auto endpoint = endpoint_of(byte);
  if (!endpoint || endpoint->number() == 0 || endpoint->direction() != direction) return std::nullopt;
  return endpoint;
}

std::optional<Microseconds> interval_of(std::uint32_t microseconds) {
  const Microseconds interval{microseconds};
  if (interval < kShortestInterval || interval > kLongestInterval) return std::nullopt;
  return interval;
}

std::uint32_t count(Microseconds interval) {
  return static_cast<std::uint32_t>(interval.count());
}

void append(ByteWriter& out, const usb::TransferData& data, std::size_t size) {
  for (const MutableByteView span : data.spans()) {
    const std::size_t piece = std::min(size, span.size());
    out.bytes(span.first(piece));
    size -= piece;
  }
}

bool consistent(const Submit& message) {
  const bool control = message.type == TransferType::control;
  if (message.type == TransferType::isochronous || control != message.setup.has_value()) return false;
  if (control != (message.endpoint.number() == 0)) return false;
  if (control && message.setup->direction() != message.direction && message.length != 0) return false;
  if (control && message.length > message.setup->length) return false;
  return control || message.endpoint.direction() == message.direction;
}

}  // namespace

Bytes encode_plain(MessageType type) {
  return begin(type).take();
}

Bytes encode(const Submit& message, const usb::TransferData& data) {
  const bool guest_bound = message.direction == Direction::in;
  ByteWriter out = begin(MessageType::submit);
  out.le64(message.id).u8(message.endpoint.value).u8(guest_bound ? kFlagGuestBound : 0);
  out.u8(static_cast<std::uint8_t>(message.type)).u8(0).le16(message.stream).le16(0);
  out.le64(message.setup ? message.setup->encode() : 0).le32(message.length);
  if (!guest_bound) append(out, data, message.length);
  return out.take();
}

std::optional<Submit> Submit::parse(ByteView body) {
  ByteReader in(body);
  Submit message{.id = in.le64()};
  const auto endpoint = endpoint_of(in.u8());
  const std::uint8_t flags = in.u8();
  const auto type = type_of(in.u8());
  in.skip(1);
  message.stream = in.le16();
  in.skip(2);
  const std::uint64_t setup = in.le64();
  message.length = in.le32();
  if (!in.ok() || !endpoint || !type || flags > kFlagGuestBound || message.length > kMaxTransferBytes) {
    return std::nullopt;
  }
  message.endpoint = *endpoint;
  message.type = *type;
  message.direction = (flags & kFlagGuestBound) != 0 ? Direction::in : Direction::out;
  if (*type == TransferType::control) message.setup = SetupPacket::parse(setup);
  if (message.direction == Direction::out) message.data = in.take(message.length);
  if (!complete(in) || !consistent(message)) return std::nullopt;
  return message;
}

Bytes encode(const Complete& message, const usb::TransferData* data) {
  ByteWriter out = begin(MessageType::complete);
  out.le64(message.id).u8(static_cast<std::uint8_t>(message.status)).zeros(3).le32(message.actual);
  if (data != nullptr) append(out, *data, message.actual);
  return out.take();
}

std::optional<Complete> Complete::parse(ByteView body) {
  ByteReader in(body);
  Complete message{.id = in.le64()};
  const auto status = status_of(in.u8());
  in.skip(3);
  message.actual = in.le32();
  message.data = in.rest();
  if (!in.ok() || !status) return std::nullopt;
  message.status = *status;
  return message;
}

Bytes Cancel::encode() const {
  return begin(MessageType::cancel).le64(id).take();
}
std::optional<Cancel> Cancel::parse(ByteView body) {
  ByteReader in(body);
  const Cancel message{.id = in.le64()};
  return complete(in) ? std::optional(message) : std::nullopt;
}

Bytes Reset::encode() const {
  return begin(MessageType::reset).le32(count).take();
}
std::optional<Reset> Reset::parse(ByteView body) {
  ByteReader in(body);
  const Reset message{.count = in.le32()};
  return complete(in) ? std::optional(message) : std::nullopt;
}

Bytes ResetDone::encode() const {
  return begin(MessageType::reset_done).le32(count).u8(static_cast<std::uint8_t>(descriptors)).take();
}
std::optional<ResetDone> ResetDone::parse(ByteView body) {
  ByteReader in(body);
  ResetDone message{.count = in.le32()};
  const std::uint8_t descriptors = in.u8();
  if (!complete(in) || descriptors > static_cast<std::uint8_t>(AfterReset::unknown)) return std::nullopt;
  message.descriptors = static_cast<AfterReset>(descriptors);
  return message;
}

Bytes EndpointOpened::encode() const {
  return begin(MessageType::endpoint_opened).u8(endpoint.value).take();
}
std::optional<EndpointOpened> EndpointOpened::parse(ByteView body) {
  ByteReader in(body);
  const auto endpoint = endpoint_of(in.u8());
  if (!complete(in) || !endpoint) return std::nullopt;
  return EndpointOpened{*endpoint};
}

Bytes Poll::encode() const {
  ByteWriter out = begin(MessageType::poll);
  out.u8(endpoint.value).u8(static_cast<std::uint8_t>(type)).le16(0);
  out.le32(generation).le32(packet_bytes).le32(attachment::count(interval)).le32(limit);
  return out.take();
}
std::optional<Poll> Poll::parse(ByteView body) {
  ByteReader in(body);
  const auto endpoint = endpoint_of(in.u8(), Direction::in);
  const auto type = type_of(in.u8());
  in.skip(2);
  Poll message{.generation = in.le32(), .packet_bytes = in.le32()};
  const std::uint32_t interval = in.le32();
  message.limit = in.le32();
  if (!complete(in) || !endpoint || !type) return std::nullopt;
  message.endpoint = *endpoint;
  message.type = *type;
  if (*type == TransferType::interrupt) {
    return message.packet_bytes <= kMaxReportBytes ? std::optional(message) : std::nullopt;
  }
  const auto known = interval_of(interval);
  if (*type != TransferType::isochronous || !known || message.packet_bytes > kMaxIsochronousPacketBytes) {
    return std::nullopt;
  }
  message.interval = *known;
  return message;
}

Bytes StopPolling::encode() const {
  return begin(MessageType::stop_polling).u8(endpoint.value).take();
}
std::optional<StopPolling> StopPolling::parse(ByteView body) {
  ByteReader in(body);
  const auto endpoint = endpoint_of(in.u8(), Direction::in);
  if (!complete(in) || !endpoint) return std::nullopt;
  return StopPolling{*endpoint};
}

Bytes Report::encode() const {
  ByteWriter out = begin(MessageType::report);
  out.u8(endpoint.value).u8(static_cast<std::uint8_t>(status)).le16(0).le32(generation).bytes(data);
  return out.take();
}
std::optional<Report> Report::parse(ByteView body) {
  ByteReader in(body);
  const auto endpoint = endpoint_of(in.u8(), Direction::in);
  const auto status = status_of(in.u8());
  in.skip(2);
  Report message{.generation = in.le32()};
  message.data = in.rest();
  if (!in.ok() || !endpoint || !status || message.data.size() > kMaxReportBytes) return std::nullopt;
  message.endpoint = *endpoint;
  message.status = *status;
  return message;
}

Bytes IsochronousIn::encode() const {
  ByteWriter out = begin(MessageType::isochronous_in);
  out.u8(endpoint.value).u8(0).le16(static_cast<std::uint16_t>(packets.size())).le32(generation);
  for (const Packet& packet : packets) {
    out.u8(static_cast<std::uint8_t>(packet.status)).zeros(3).le32(static_cast<std::uint32_t>(packet.data.size()));
  }
  for (const Packet& packet : packets) out.bytes(packet.data);
  return out.take();
}
std::optional<IsochronousIn> IsochronousIn::parse(ByteView body) {
  constexpr std::size_t kEntry = 8;
  ByteReader in(body);
  IsochronousIn message;
  const auto endpoint = endpoint_of(in.u8(), Direction::in);
  in.skip(1);
  const std::size_t packets = in.le16();
  message.generation = in.le32();
  ByteReader entries(in.take(packets * kEntry));
  if (!in.ok() || !endpoint || packets > kMaxIsochronousPackets) return std::nullopt;
  message.endpoint = *endpoint;
  for (std::size_t i = 0; i < packets; ++i) {
    const auto status = status_of(entries.u8());
    entries.skip(3);
    const std::uint32_t size = entries.le32();
    if (!status || size > kMaxIsochronousPacketBytes) return std::nullopt;
    message.packets.push_back({*status, in.take(size)});
  }
  return complete(in) ? std::optional(std::move(message)) : std::nullopt;
}

Bytes IsochronousOut::encode() const {
  ByteWriter out = begin(MessageType::isochronous_out);
  out.u8(endpoint.value).u8(0).le16(static_cast<std::uint16_t>(packets.size()));
  out.le32(attachment::count(interval));
  for (const ByteView packet : packets) out.le32(static_cast<std::uint32_t>(packet.size()));
  for (const ByteView packet : packets) out.bytes(packet);
  return out.take();
}
std::optional<IsochronousOut> IsochronousOut::parse(ByteView body) {
  constexpr std::size_t kEntry = 4;
  ByteReader in(body);
  IsochronousOut message;
  const auto endpoint = endpoint_of(in.u8(), Direction::out);
  in.skip(1);
  const std::size_t packets = in.le16();
  const auto interval = interval_of(in.le32());
  ByteReader entries(in.take(packets * kEntry));
  if (!in.ok() || !endpoint || !interval || packets > kMaxIsochronousPackets) return std::nullopt;
  message.endpoint = *endpoint;
  message.interval = *interval;
  for (std::size_t i = 0; i < packets; ++i) {
    const std::uint32_t size = entries.le32();
    if (size > kMaxIsochronousPacketBytes) return std::nullopt;
    message.packets.push_back(in.take(size));
  }
  return complete(in) ? std::optional(std::move(message)) : std::nullopt;
}

Bytes Describe::encode() const {
  ByteWriter out = begin(MessageType::describe);
  out.u8(static_cast<std::uint8_t>(speed)).u8(static_cast<std::uint8_t>(unique_id.size()));
  out.le16(static_cast<std::uint16_t>(descriptors.size())).bytes(as_bytes(unique_id));
  for (const KnownDescriptor& each : descriptors) {
    out.le16(each.value).le16(each.index).u8(each.bytes ? 1 : 0).u8(0);
    out.le16(static_cast<std::uint16_t>(each.bytes ? each.bytes->size() : 0));
    if (each.bytes) out.bytes(*each.bytes);
  }
  return out.take();
}
std::optional<Describe> Describe::parse(ByteView body) {
  ByteReader in(body);
  Describe message;
  const std::uint8_t speed = in.u8();
  const std::size_t id = in.u8();
  const std::size_t descriptors = in.le16();
  message.unique_id = std::string(as_text(in.take(id)));
  const bool fits = descriptors <= kMaxDescriptors && body.size() <= kMaxDescriptorBytes;
  if (!in.ok() || !fits || speed > static_cast<std::uint8_t>(usb::Speed::super_plus)) return std::nullopt;
  message.speed = static_cast<usb::Speed>(speed);
  for (std::size_t i = 0; i < descriptors && in.ok(); ++i) {
    KnownDescriptor each{.value = in.le16(), .index = in.le16()};
    const bool there = in.u8() != 0;
    in.skip(1);
    const ByteView bytes = in.take(in.le16());
    if (there) each.bytes.emplace(bytes.begin(), bytes.end());
    message.descriptors.push_back(std::move(each));
  }
  return complete(in) ? std::optional(std::move(message)) : std::nullopt;
}

Bytes Gone::encode() const {
  const auto text = std::string_view(reason).substr(0, kMaxReasonBytes);
  return begin(MessageType::gone).bytes(as_bytes(text)).take();
}
std::optional<Gone> Gone::parse(ByteView body) {
  if (body.size() > kMaxReasonBytes) return std::nullopt;
  Gone message;
  // For a person's eyes: nothing that a terminal would obey.
  for (const char each : as_text(body)) message.reason += each < ' ' || each == 0x7f ? '?' : each;
  return message;
}

}  // namespace periplex::attachment
