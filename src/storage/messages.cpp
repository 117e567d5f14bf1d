// SPDX-License-Identifier: Apache-2.0
#include "storage/messages.hpp"

#include <algorithm>

namespace periplex::storage {
namespace {

enum class Type : std::uint8_t { command = 0x01, abort = 0x02, reset = 0x03, identity = 0x81, result = 0x82 };

constexpr std::uint8_t kToHost = 0x01;
constexpr std::uint8_t kFromHost = 0x02;
constexpr std::uint8_t kOrdered = 0x80;
constexpr std::uint8_t kOnlyIfWaiting = 0x01;
constexpr std::uint8_t kAttachedScsi = 0x01;
constexpr std::uint8_t kWriteProtected = 0x01;
constexpr std::uint8_t kWriteCache = 0x02;
constexpr std::size_t kMaxText = 255;
constexpr std::size_t kMaxInquiry = 36;

Bytes copy(ByteView view) {
  return {view.begin(), view.end()};
}

std::expected<WorkerMessage, MessageError> parse_command(ByteReader& in) {
  CommandMessage message;
  message.command.lun = in.u8();
  const std::uint8_t flags = in.u8();
  const std::uint8_t cdb_length = in.u8();
  const std::uint32_t length = in.le32();
  message.tag = in.le64();
  const ByteView cdb = in.take(cdb_length);
  if (!in.ok()) return std::unexpected(MessageError::bad_length);
  const bool to_host = (flags & kToHost) != 0;
  const bool from_host = (flags & kFromHost) != 0;
  const bool possible = !(to_host && from_host) && (length > 0) == (to_host || from_host);
  if (cdb_length < 1 || cdb_length > Cdb::kMaxSize || length > kMaxData || message.command.lun > kMaxLun || !possible) {
    return std::unexpected(MessageError::bad_field);
  }
  if (in.remaining() != (from_host ? length : 0)) return std::unexpected(MessageError::bad_length);
  message.command.ordered = (flags & kOrdered) != 0;
  message.command.cdb = copy(cdb);
  if (to_host) message.command.data = {DataDirection::to_host, length};
  if (from_host) message.command.data = {DataDirection::from_host, length};
  message.command.data_out = copy(in.rest());
  return message;
}

std::expected<AgentMessage, MessageError> parse_result(ByteReader& in) {
  ResultMessage message;
  const std::uint8_t outcome = in.u8();
  message.result.status = static_cast<ScsiStatus>(in.u8());
  const std::uint8_t sense_length = in.u8();
  message.result.residue = in.le32();
  message.tag = in.le64();
  const ByteView sense = in.take(sense_length);
  if (!in.ok() || in.remaining() > kMaxData) return std::unexpected(MessageError::bad_length);
  if (outcome > static_cast<std::uint8_t>(Outcome::lost) || sense_length > kMaxSense) {
    return std::unexpected(MessageError::bad_field);
  }
  message.result.outcome = static_cast<Outcome>(outcome);
  message.result.sense = copy(sense);
  message.result.data_in = copy(in.rest());
  return message;
}

std::string parse_text(ByteReader& in) {
  return std::string(as_text(in.take(in.u8())));
}

UnitFacts parse_unit(ByteReader& in) {
  UnitFacts unit;
  const std::uint8_t flags = in.u8();
  unit.write_protected = (flags & kWriteProtected) != 0;
  unit.write_cache = (flags & kWriteCache) != 0;
  unit.block_size = in.le32();
  unit.blocks = in.le64();
  unit.inquiry = copy(in.take(in.u8()));
  return unit;
}

std::expected<AgentMessage, MessageError> parse_identity(ByteReader& in) {
  if (in.u8() != kMessagesVersion) return std::unexpected(MessageError::bad_version);
  DiskIdentity identity;
  const std::uint8_t speed = in.u8();
  identity.attached_scsi = (in.u8() & kAttachedScsi) != 0;
  identity.vendor_id = in.le16();
  identity.product_id = in.le16();
  identity.release = in.le16();
  const std::uint8_t units = in.u8();
  in.skip(1);
  identity.manufacturer = parse_text(in);
  identity.product = parse_text(in);
  identity.serial_number = parse_text(in);
  if (speed > static_cast<std::uint8_t>(usb::Speed::super_plus) || units < 1 || units > kMaxLun + 1) {
    return std::unexpected(MessageError::bad_field);
  }
  identity.speed = static_cast<usb::Speed>(speed);
  for (unsigned i = 0; i < units; ++i) {
    identity.units.push_back(parse_unit(in));
    if (identity.units.back().inquiry.size() > kMaxInquiry) return std::unexpected(MessageError::bad_field);
  }
  if (!in.ok() || in.remaining() > 0) return std::unexpected(MessageError::bad_length);
  return identity;
}

void write_text(ByteWriter& out, std::string_view text) {
  const std::string_view cut = text.substr(0, kMaxText);
  out.u8(static_cast<std::uint8_t>(cut.size())).bytes(as_bytes(cut));
}

ByteWriter& write_type(ByteWriter& out, Type type) {
  return out.u8(static_cast<std::uint8_t>(type));
}

}  // namespace

Bytes encode(std::uint64_t tag, const Command& command) {
  const bool from_host = command.data.direction == DataDirection::from_host;
  std::uint8_t flags = command.ordered ? kOrdered : std::uint8_t{0};
  if (from_host) flags |= kFromHost;
  if (command.data.direction == DataDirection::to_host) flags |= kToHost;
  ByteWriter out;
  write_type(out, Type::command).u8(command.lun).u8(flags).u8(static_cast<std::uint8_t>(command.cdb.size()));
  out.le32(static_cast<std::uint32_t>(command.data.length)).le64(tag).bytes(command.cdb);
  if (from_host) out.bytes(command.data_out);
  return out.take();
}

Bytes encode(const AbortMessage& message) {
  ByteWriter out;
  write_type(out, Type::abort).u8(message.only_if_waiting ? kOnlyIfWaiting : 0).zeros(6).le64(message.tag);
  return out.take();
}

Bytes encode(const ResetMessage& message) {
  ByteWriter out;
  write_type(out, Type::reset).u8(message.lun).zeros(6).le64(message.tag);
  return out.take();
}

Bytes encode(std::uint64_t tag, const Result& result) {
  const ByteView sense = ByteView(result.sense).first(std::min(result.sense.size(), kMaxSense));
  ByteWriter out;
  write_type(out, Type::result).u8(static_cast<std::uint8_t>(result.outcome));
  out.u8(static_cast<std::uint8_t>(result.status)).u8(static_cast<std::uint8_t>(sense.size()));
  out.le32(result.residue).le64(tag).bytes(sense).bytes(result.data_in);
  return out.take();
}

Bytes encode(const DiskIdentity& identity) {
  const std::size_t units = std::min<std::size_t>(identity.units.size(), kMaxLun + 1);
  ByteWriter out;
  write_type(out, Type::identity).u8(kMessagesVersion).u8(static_cast<std::uint8_t>(identity.speed));
  out.u8(identity.attached_scsi ? kAttachedScsi : 0).le16(identity.vendor_id).le16(identity.product_id);
  out.le16(identity.release).u8(static_cast<std::uint8_t>(units)).u8(0);
  write_text(out, identity.manufacturer);
  write_text(out, identity.product);
  write_text(out, identity.serial_number);
  for (std::size_t i = 0; i < units; ++i) {
    const UnitFacts& unit = identity.units[i];
    const ByteView inquiry = ByteView(unit.inquiry).first(std::min(unit.inquiry.size(), kMaxInquiry));
    out.u8(
        static_cast<std::uint8_t>((unit.write_protected ? kWriteProtected : 0) | (unit.write_cache ? kWriteCache : 0)));
    out.le32(unit.block_size).le64(unit.blocks).u8(static_cast<std::uint8_t>(inquiry.size())).bytes(inquiry);
  }
  return out.take();
}

std::expected<WorkerMessage, MessageError> decode_worker_message(ByteView message) {
  ByteReader in(message);
  switch (static_cast<Type>(in.u8())) {
    case Type::command:
      return parse_command(in);
    case Type::abort: {
      const bool only_if_waiting = (in.u8() & kOnlyIfWaiting) != 0;
      in.skip(6);
      const AbortMessage abort{in.le64(), only_if_waiting};
      if (message.size() != kMessageHeader) return std::unexpected(MessageError::bad_length);
      return abort;
    }
    case Type::reset: {
      const std::uint8_t lun = in.u8();
      in.skip(6);
      const ResetMessage reset{in.le64(), lun};
      if (message.size() != kMessageHeader) return std::unexpected(MessageError::bad_length);
      if (lun > kMaxLun) return std::unexpected(MessageError::bad_field);
      return reset;
    }
    case Type::identity:
    case Type::result:
      break;
  }
  return std::unexpected(MessageError::unknown_type);
}

std::expected<AgentMessage, MessageError> decode_agent_message(ByteView message) {
  ByteReader in(message);
  switch (static_cast<Type>(in.u8())) {
    case Type::result:
      return parse_result(in);
    case Type::identity:
      return parse_identity(in);
    case Type::command:
    case Type::abort:
    case Type::reset:
      break;
  }
  return std::unexpected(MessageError::unknown_type);
}

}  // namespace periplex::storage
