// SPDX-License-Identifier: Apache-2.0
#include "link/messages.hpp"

#include "link/text.hpp"

namespace periplex::link {
namespace {

constexpr std::uint8_t kOpenCompression = 0x01;

}  // namespace

Bytes Peripheral::payload() const {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(kind)).u8(static_cast<std::uint8_t>(speed)).le16(vendor).le16(product);
  writer.u8(device_class).u8(subclass).u8(protocol).u8(0);
  append_text(writer, id);
  append_text(writer, name);
  append_text(writer, serial);
  return writer.take();
}

std::expected<Peripheral, Reason> Peripheral::parse(ByteView payload) {
  ByteReader reader(payload);
  Peripheral peripheral;
  peripheral.kind = Kind{reader.u8()};
  peripheral.speed = Speed{reader.u8()};
  peripheral.vendor = reader.le16();
  peripheral.product = reader.le16();
  peripheral.device_class = reader.u8();
  peripheral.subclass = reader.u8();
  peripheral.protocol = reader.u8();
  reader.skip(1);
  const auto id = read_identifier(reader);
  peripheral.name = read_text(reader);
  peripheral.serial = read_text(reader);
  if (!reader.ok() || !id) return std::unexpected(Reason::bad_frame);
  peripheral.id = *id;
  return peripheral;
}

Bytes Withdrawal::payload() const {
  ByteWriter writer;
  writer.le16(static_cast<std::uint16_t>(reason));
  append_text(writer, id);
  return writer.take();
}

std::expected<Withdrawal, Reason> Withdrawal::parse(ByteView payload) {
  ByteReader reader(payload);
  const Reason reason{reader.le16()};
  const auto id = read_identifier(reader);
  if (!reader.ok() || !id) return std::unexpected(Reason::bad_frame);
  return Withdrawal{.id = *id, .reason = reason};
}

Bytes Opening::payload() const {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(priority)).u8(compression ? kOpenCompression : 0);
  append_text(writer, id);
  return writer.take();
}

std::expected<Opening, Reason> Opening::parse(ByteView payload) {
  ByteReader reader(payload);
  const std::uint8_t priority = reader.u8();
  const std::uint8_t flags = reader.u8();
  const auto id = read_identifier(reader);
  if (!reader.ok() || !id || priority >= kPriorities) return std::unexpected(Reason::bad_frame);
  return Opening{.id = *id, .priority = Priority{priority}, .compression = (flags & kOpenCompression) != 0};
}

Bytes Ending::payload() const {
  ByteWriter writer;
  writer.le16(static_cast<std::uint16_t>(reason));
  append_text(writer, text);
  return writer.take();
}

std::expected<Ending, Reason> Ending::parse(ByteView payload) {
  ByteReader reader(payload);
  Ending ending;
  ending.reason = Reason{reader.le16()};
  ending.text = read_text(reader);
  if (!reader.ok()) return std::unexpected(Reason::bad_frame);
  return ending;
}

Bytes credit_payload(std::uint32_t bytes) {
  return ByteWriter().le32(bytes).take();
}

std::expected<std::uint32_t, Reason> parse_credit(ByteView payload) {
  ByteReader reader(payload);
  const std::uint32_t bytes = reader.le32();
  if (!reader.ok()) return std::unexpected(Reason::bad_frame);
  return bytes;
}

Bytes ping_payload(std::uint64_t token) {
  return ByteWriter().le64(token).take();
}

std::expected<std::uint64_t, Reason> parse_ping(ByteView payload) {
  ByteReader reader(payload);
  const std::uint64_t token = reader.le64();
  if (!reader.ok()) return std::unexpected(Reason::bad_frame);
  return token;
}

}  // namespace periplex::link
