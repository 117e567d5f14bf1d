// SPDX-License-Identifier: Apache-2.0
// The commands about logical blocks (SBC-3 clause 5).
#include <algorithm>

#include "usb/device/scsi_disk.hpp"

namespace periplex::usb::device {
namespace {

constexpr unsigned kFuaBit = 3;     // byte 1 of READ and WRITE, 10 bytes and longer
constexpr unsigned kUnmapBit = 3;   // byte 1 of WRITE SAME
constexpr unsigned kAnchorBit = 4;  // byte 1 of WRITE SAME and bit 0 of UNMAP
constexpr unsigned kNoDataBit = 0;  // NDOB, byte 1 of WRITE SAME(16)

bool is_six_byte(const Cdb& cdb) {
  return (cdb.operation_code() >> 5) == 0;
}

/// RDPROTECT, WRPROTECT, VRPROTECT: there is no protection information here.
bool asks_for_protection(const Cdb& cdb) {
  return !is_six_byte(cdb) && (cdb.u8(1) >> 5) != 0;
}

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::expected<MediumExtent, Sense> ScsiDisk::extent(BlockRange range) const {
  const std::uint64_t count = blocks();
  if (range.lba > count || range.blocks > count - range.lba) {
    // INFORMATION: the first block that is not there.
    return std::unexpected(sense::lba_out_of_range(std::max(range.lba, count)));
  }
  const std::uint32_t size = block_size();
  return MediumExtent{.offset = range.lba * size, .length = range.blocks * size, .block_size = size};
}

std::expected<MediumExtent, Sense> ScsiDisk::transfer_extent(const Cdb& cdb) const {
  if (asks_for_protection(cdb)) return std::unexpected(sense::invalid_field_in_cdb(1));
  const BlockRange range = cdb.range();
  if (range.blocks > kMaxTransferLength / block_size()) {
    return std::unexpected(sense::invalid_field_in_cdb(cdb.length_field()));
  }
  return extent(range);
}

Decoded ScsiDisk::read(const Cdb& cdb) {
  const auto extent = transfer_extent(cdb);
  if (!extent) return std::unexpected(extent.error());
  if (extent->length == 0) return nullptr;  // "shall not be considered an error"
  return read_medium(*extent);
}

Decoded ScsiDisk::write(const Cdb& cdb) {
  const auto extent = transfer_extent(cdb);
  if (!extent) return std::unexpected(extent.error());
  if (extent->length == 0) return nullptr;
  const bool forced = !is_six_byte(cdb) && cdb.bit(1, kFuaBit);
  return write_medium(*extent, forced || !mode_.write_cache);
}

// SBC-3, VERIFY. BYTCHK 00b: the medium must be readable; 01b: and equal to the host's data. 11b compares with one
// block.
Decoded ScsiDisk::verify(const Cdb& cdb) {
  const unsigned byte_check = (cdb.u8(1) >> 1) & 3;
  if (byte_check > 1) return std::unexpected(sense::invalid_field_in_cdb(1));
  const auto extent = transfer_extent(cdb);
  if (!extent) return std::unexpected(extent.error());
  if (extent->length == 0) return nullptr;
  return byte_check == 1 ? compare_medium(*extent) : verify_medium(*extent);
}

// IMMED is not obeyed: status comes when all is durable, which is what every host wants to know.
Decoded ScsiDisk::synchronize_cache(const Cdb& cdb) {
  const BlockRange range = cdb.range();
  if (const auto checked = extent(range); !checked) return std::unexpected(checked.error());
  return flush();  // of everything: more than asked for does no harm
}

// SBC-3, WRITE SAME (10) and (16).
Decoded ScsiDisk::write_same(const Cdb& cdb) {
  const bool unmap = cdb.bit(1, kUnmapBit);
  const bool no_data = cdb.opcode() == ScsiOpcode::write_same_16 && cdb.bit(1, kNoDataBit);
  const bool obsolete = !no_data && (cdb.u8(1) & 0x07) != 0;  // PBDATA, LBDATA
  if (asks_for_protection(cdb) || cdb.bit(1, kAnchorBit) || obsolete || (unmap && !can_discard())) {
    return std::unexpected(sense::invalid_field_in_cdb(1));
  }
  const BlockRange range = cdb.range();
  // Zero would mean "to the end of the medium"; WSNZ in the Block Limits page says that this is not to be asked.
  const std::uint64_t limit = unmap ? kMaxUnmapLength : kMaxWriteSameLength;
  if (range.blocks == 0 || range.blocks > limit / block_size()) {
    return std::unexpected(sense::invalid_field_in_cdb(cdb.length_field()));
  }
  const auto checked = extent(range);
  if (!checked) return std::unexpected(checked.error());

  const auto write = [this, unmap, where = *checked](ByteView block) -> Decoded {
    // Unmapped blocks read as zeros, so only zeros may be written by unmapping (SBC-3, WRITE SAME, UNMAP bit).
    if (unmap && all_zero(block)) return discard_medium({where});
    if (where.length > kMaxWriteSameLength) return std::unexpected(sense::invalid_field_in_parameters(0));
    return fill_medium(where, block, !mode_.write_cache);
  };
  if (no_data) return write(Bytes(block_size()));
  return with_parameters(block_size(), write);
}

// SBC-3, UNMAP.
Decoded ScsiDisk::unmap(const Cdb& cdb) {
  if (!can_discard()) return std::unexpected(sense::kInvalidOperationCode);
  if (cdb.bit(1, 0)) return std::unexpected(sense::invalid_field_in_cdb(1));  // ANCHOR
  const std::uint16_t length = cdb.be16(7);
  if (length == 0) return nullptr;
  return with_parameters(length, [this](ByteView list) { return unmap_list(list); });
}

// SBC-3, "UNMAP parameter list": a header of 8 bytes, then descriptors of 16.
Decoded ScsiDisk::unmap_list(ByteView list) const {
  if (list.size() < 8) return std::unexpected(sense::kParameterListLengthError);
  ByteReader in(list);
  in.skip(2);
  const std::size_t length = std::min<std::size_t>(in.be16(), list.size() - 8);  // of the descriptors
  in.skip(4);
  if (length / 16 > kMaxUnmapDescriptors) return std::unexpected(sense::invalid_field_in_parameters(2));
  std::vector<MediumExtent> extents;
  std::uint64_t total = 0;
  for (std::size_t at = 8; at + 16 <= 8 + length; at += 16) {
    const std::uint64_t lba = in.be64();
    const std::uint32_t count = in.be32();
    in.skip(4);
    const auto checked = extent({.lba = lba, .blocks = count});
    if (!checked) return std::unexpected(checked.error());
    total += checked->length;
    if (total > kMaxUnmapLength) {
      return std::unexpected(sense::invalid_field_in_parameters(static_cast<std::uint16_t>(at + 8)));
    }
    extents.push_back(*checked);
  }
  return discard_medium(std::move(extents));
}

}  // namespace periplex::usb::device
