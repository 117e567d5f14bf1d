// SPDX-License-Identifier: Apache-2.0
#include "storage/cdb_facts.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace periplex::storage {
namespace {

using usb::device::BlockRange;

/// Where the length of the data stage stands.
enum class Length : std::uint8_t {
  none,
  byte_4,  ///< bytes, one at offset 4
  be16_3,  ///< bytes, at the offset in the name; as the others
  be16_7,
  be32_6,
  be32_10,
  eight,   ///< always so many bytes
  blocks,  ///< by the layout of the group
  block,   ///< one block
  verify,  ///< blocks or nothing, by BYTCHK
  ata_12,  ///< SAT-3: by T_LENGTH
  ata_16,
};

struct Row {
  std::uint8_t opcode;
  DataDirection direction;
  Length length;
  bool harmless = false;
};

constexpr auto kNone = DataDirection::none;
constexpr auto kIn = DataDirection::to_host;
constexpr auto kOut = DataDirection::from_host;

constexpr std::array kRows = {
    Row{0x00, kNone, Length::none, true},   // TEST UNIT READY
    Row{0x03, kIn, Length::byte_4, true},   // REQUEST SENSE
    Row{0x04, kNone, Length::none},         // FORMAT UNIT; with a parameter list it is not known here
    Row{0x08, kIn, Length::blocks, true},   // READ (6)
    Row{0x0a, kOut, Length::blocks},        // WRITE (6)
    Row{0x12, kIn, Length::be16_3, true},   // INQUIRY
    Row{0x15, kOut, Length::byte_4},        // MODE SELECT (6)
    Row{0x1a, kIn, Length::byte_4, true},   // MODE SENSE (6)
    Row{0x1b, kNone, Length::none},         // START STOP UNIT
    Row{0x1d, kOut, Length::be16_3},        // SEND DIAGNOSTIC
    Row{0x1e, kNone, Length::none, true},   // PREVENT ALLOW MEDIUM REMOVAL
    Row{0x23, kIn, Length::be16_7, true},   // READ FORMAT CAPACITIES
    Row{0x25, kIn, Length::eight, true},    // READ CAPACITY (10)
    Row{0x28, kIn, Length::blocks, true},   // READ (10)
    Row{0x2a, kOut, Length::blocks},        // WRITE (10)
    Row{0x2f, kOut, Length::verify, true},  // VERIFY (10)
    Row{0x35, kNone, Length::none, true},   // SYNCHRONIZE CACHE (10)
    Row{0x41, kOut, Length::block},         // WRITE SAME (10)
    Row{0x42, kOut, Length::be16_7},        // UNMAP
    Row{0x4d, kIn, Length::be16_7, true},   // LOG SENSE
    Row{0x55, kOut, Length::be16_7},        // MODE SELECT (10)
    Row{0x5a, kIn, Length::be16_7, true},   // MODE SENSE (10)
    Row{0x85, kNone, Length::ata_16},       // ATA PASS-THROUGH (16)
    Row{0x88, kIn, Length::blocks, true},   // READ (16)
    Row{0x8a, kOut, Length::blocks},        // WRITE (16)
    Row{0x8f, kOut, Length::verify, true},  // VERIFY (16)
    Row{0x91, kNone, Length::none, true},   // SYNCHRONIZE CACHE (16)
    Row{0x93, kOut, Length::block},         // WRITE SAME (16)
    Row{0x9e, kIn, Length::be32_10, true},  // SERVICE ACTION IN (16): READ CAPACITY (16)
    Row{0xa0, kIn, Length::be32_6, true},   // REPORT LUNS
    Row{0xa1, kNone, Length::ata_12},       // ATA PASS-THROUGH (12)
    Row{0xa3, kIn, Length::be32_6, true},   // MAINTENANCE IN
    Row{0xa8, kIn, Length::blocks, true},   // READ (12)
    Row{0xaa, kOut, Length::blocks},        // WRITE (12)
};

const Row* find_row(const Cdb& cdb) {
  const auto* const found = std::ranges::find(kRows, cdb.operation_code(), &Row::opcode);
  return found == kRows.end() ? nullptr : found;
}

/// SAT-3, ATA PASS-THROUGH: T_LENGTH says which field has the length, BYT_BLOK whether it counts blocks, T_TYPE whether
/// those are of 512 bytes.
std::optional<DataStage> ata_stage(const Cdb& cdb, bool sixteen, std::uint32_t block_size) {
  const unsigned t_length = cdb.u8(2) & 3;
  const bool extended = sixteen && cdb.bit(1, 0);
  std::uint64_t count = 0;
  if (t_length == 1) count = sixteen ? (extended ? cdb.be16(3) : cdb.u8(4)) : cdb.u8(3);
  if (t_length == 2) count = sixteen ? (extended ? cdb.be16(5) : cdb.u8(6)) : cdb.u8(4);
  if (t_length == 3) return std::nullopt;  // the transport is to know
  if (cdb.bit(2, 2)) {
    if (cdb.bit(2, 4) && block_size == 0) return std::nullopt;
    count *= cdb.bit(2, 4) ? block_size : 512;
  }
  if (count == 0) return DataStage{};
  return DataStage{cdb.bit(2, 3) ? kIn : kOut, count};
}

std::optional<std::uint64_t> block_bytes(std::uint64_t count, std::uint32_t block_size) {
  if (count > 0 && block_size == 0) return std::nullopt;
  return count * block_size;
}

std::optional<std::uint64_t> length_of(const Row& row, const Cdb& cdb, std::uint32_t block_size) {
  switch (row.length) {
    case Length::none:
    case Length::ata_12:
    case Length::ata_16:
      return 0;
    case Length::byte_4:
      return cdb.u8(4);
    case Length::be16_3:
      return cdb.be16(3);
    case Length::be16_7:
      return cdb.be16(7);
    case Length::be32_6:
      return cdb.be32(6);
    case Length::be32_10:
      return cdb.be32(10);
    case Length::eight:
      return 8;
    case Length::blocks:
      return block_bytes(cdb.range().blocks, block_size);
    case Length::block: {
      const bool no_data = cdb.operation_code() == 0x93 && cdb.bit(1, 0);  // NDOB
      return no_data ? 0 : block_bytes(1, block_size);
    }
    case Length::verify: {
      const unsigned byte_check = (cdb.u8(1) >> 1) & 3;
      return byte_check == 0 ? 0 : block_bytes(byte_check == 3 ? 1 : cdb.range().blocks, block_size);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<DataStage> data_stage_of(const Cdb& cdb, std::uint32_t block_size) {
  const Row* const row = find_row(cdb);
  if (row == nullptr) return std::nullopt;
  if (row->length == Length::ata_12 || row->length == Length::ata_16) {
    return ata_stage(cdb, row->length == Length::ata_16, block_size);
  }
  if (cdb.operation_code() == 0x04 && cdb.bit(1, 4)) return std::nullopt;  // FMTDATA
  const auto length = length_of(*row, cdb, block_size);
  if (!length) return std::nullopt;
  // To the host, an allocation length without bounds is usual, and what comes is short.
  const std::uint64_t bounded = row->direction == kIn && row->length != Length::blocks
                                    ? std::min<std::uint64_t>(*length, std::uint64_t{1} << 20)
                                    : *length;
  return bounded == 0 ? DataStage{} : DataStage{row->direction, bounded};
}

bool leaves_medium_alone(const Cdb& cdb) {
  const Row* const row = find_row(cdb);
  return row != nullptr && row->harmless;
}

bool ignores_attention(const Cdb& cdb) {
  using enum usb::device::ScsiOpcode;
  const usb::device::ScsiOpcode opcode = cdb.opcode();
  return opcode == inquiry || opcode == report_luns || opcode == request_sense;
}

bool is_plain_read(const Cdb& cdb) {
  using enum usb::device::ScsiOpcode;
  const usb::device::ScsiOpcode opcode = cdb.opcode();
  constexpr std::uint8_t kProtectAndFua = 0xe8;
  return (opcode == read_10 || opcode == read_12 || opcode == read_16) && (cdb.u8(1) & kProtectAndFua) == 0;
}

bool is_plain_write(const Cdb& cdb) {
  using enum usb::device::ScsiOpcode;
  const usb::device::ScsiOpcode opcode = cdb.opcode();
  if (opcode == write_6) return true;
  return (opcode == write_10 || opcode == write_12 || opcode == write_16) && !cdb.bit(1, 3);
}

Bytes read_cdb(BlockRange range) {
  ByteWriter out;
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  if (range.lba + range.blocks <= most && range.blocks <= std::numeric_limits<std::uint16_t>::max()) {
    out.u8(0x28).u8(0).be32(static_cast<std::uint32_t>(range.lba)).u8(0);
    out.be16(static_cast<std::uint16_t>(range.blocks)).u8(0);
  } else {
    out.u8(0x88).u8(0).be64(range.lba).be32(static_cast<std::uint32_t>(range.blocks)).zeros(2);
  }
  return out.take();
}

std::size_t cdb_length(const Cdb& cdb) {
  switch (cdb.operation_code() >> 5) {
    case 0:
      return 6;
    case 1:
    case 2:
      return 10;
    case 5:
      return 12;
    default:
      return Cdb::kMaxSize;
  }
}

}  // namespace periplex::storage
