// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_commands.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

// The group code in bits 7:5 of the operation code gives a CDB's size (SPC-4, "OPERATION CODE field").
enum class Form : std::uint8_t { six, ten, twelve, sixteen };

Form form_of(std::uint8_t operation_code) {
  switch (operation_code >> 5) {
    case 0:
      return Form::six;
    case 4:
      return Form::sixteen;
    case 5:
      return Form::twelve;
    default:
      return Form::ten;
  }
}

}  // namespace

Cdb::Cdb(ByteView bytes) {
  std::ranges::copy(bytes.first(std::min(bytes.size(), kMaxSize)), bytes_.begin());
}

std::uint16_t Cdb::be16(std::size_t at) const {
  return ByteReader(ByteView(bytes_).subspan(at)).be16();
}
std::uint32_t Cdb::be32(std::size_t at) const {
  return ByteReader(ByteView(bytes_).subspan(at)).be32();
}
std::uint64_t Cdb::be64(std::size_t at) const {
  return ByteReader(ByteView(bytes_).subspan(at)).be64();
}

BlockRange Cdb::range() const {
  switch (form_of(operation_code())) {
    case Form::six:
      return {.lba = be32(0) & 0x1fffff, .blocks = u8(4) == 0 ? 256u : u8(4)};
    case Form::ten:
      return {.lba = be32(2), .blocks = be16(7)};
    case Form::twelve:
      return {.lba = be32(2), .blocks = be32(6)};
    case Form::sixteen:
      return {.lba = be64(2), .blocks = be32(10)};
  }
  return {};
}

std::uint16_t Cdb::length_field() const {
  switch (form_of(operation_code())) {
    case Form::six:
      return 4;
    case Form::ten:
      return 7;
    case Form::twelve:
      return 6;
    case Form::sixteen:
      return 10;
  }
  return 0;
}

}  // namespace periplex::usb::device
