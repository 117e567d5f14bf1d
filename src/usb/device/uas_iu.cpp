// SPDX-License-Identifier: Apache-2.0
#include "usb/device/uas_iu.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

/// A LOGICAL UNIT NUMBER of 8 bytes as the disk takes it: our unit is 0 in the single level structure, by peripheral
/// device or flat space addressing (SAM-5, "Logical unit numbers"); all others do not exist.
std::uint8_t take_lun(ByteReader& in) {
  constexpr std::uint64_t kFlatSpace = std::uint64_t{0x40} << 56;
  const std::uint64_t lun = in.be64();
  return (lun & ~kFlatSpace) == 0 ? 0 : UasCommandIu::kAbsentLun;
}

std::optional<UasCommandIu> parse_command(std::uint16_t tag, ByteReader& in) {
  UasCommandIu iu{.tag = tag};
  const std::uint8_t attribute = in.u8() & 7;
  in.skip(1);
  const std::size_t additional_cdb_bytes = in.u8() & 0xfc;  // in dwords from bit 2 on, so in bytes as it stands
  in.skip(1);
  iu.lun = take_lun(in);
  const ByteView cdb = in.take(iu.cdb.size());
  in.skip(additional_cdb_bytes);
  if (!in.ok() || attribute > static_cast<std::uint8_t>(UasTaskAttribute::ordered)) return std::nullopt;
  iu.attribute = static_cast<UasTaskAttribute>(attribute);
  std::ranges::copy(cdb, iu.cdb.begin());
  return iu;
}

std::optional<UasTaskManagementIu> parse_task_management(std::uint16_t tag, ByteReader& in) {
  UasTaskManagementIu iu{.tag = tag};
  iu.function = static_cast<UasFunction>(in.u8());
  in.skip(1);
  iu.task_tag = in.be16();
  iu.lun = take_lun(in);
  if (!in.ok()) return std::nullopt;
  return iu;
}

void write_header(ByteWriter& out, UasIuId id, std::uint16_t tag) {
  out.u8(static_cast<std::uint8_t>(id)).u8(0).be16(tag);
}

}  // namespace

std::expected<UasIu, UasIuError> parse_uas_iu(ByteView bytes) {
  ByteReader in(bytes);
  const auto id = static_cast<UasIuId>(in.u8());
  in.skip(1);
  const std::uint16_t tag = in.be16();
  if (!in.ok()) return std::unexpected(UasIuError{});
  if (id == UasIuId::command) {
    if (const auto iu = parse_command(tag, in)) return *iu;
  }
  if (id == UasIuId::task_management) {
    if (const auto iu = parse_task_management(tag, in)) return *iu;
  }
  return std::unexpected(UasIuError{tag});
}

Bytes encode_sense_iu(std::uint16_t tag, ScsiStatus status, const std::optional<Sense>& sense) {
  return encode_sense_iu(tag, status, ByteView(sense ? sense->fixed_format() : Bytes{}));
}

Bytes encode_sense_iu(std::uint16_t tag, ScsiStatus status, ByteView data) {
  ByteWriter out;
  write_header(out, UasIuId::sense, tag);
  out.be16(0).u8(static_cast<std::uint8_t>(status)).zeros(7);  // STATUS QUALIFIER, STATUS
  out.be16(static_cast<std::uint16_t>(data.size())).bytes(data);
  return out.take();
}

Bytes encode_response_iu(std::uint16_t tag, UasResponse response) {
  ByteWriter out;
  write_header(out, UasIuId::response, tag);
  out.zeros(3).u8(static_cast<std::uint8_t>(response));  // ADDITIONAL RESPONSE INFORMATION, RESPONSE CODE
  return out.take();
}

Bytes encode_ready_iu(std::uint16_t tag, UasIuId id) {
  ByteWriter out;
  write_header(out, id, tag);
  return out.take();
}

}  // namespace periplex::usb::device
