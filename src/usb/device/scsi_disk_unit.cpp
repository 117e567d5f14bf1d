// SPDX-License-Identifier: Apache-2.0
// The commands about the unit as a whole: who it is, how it is set, what is in it.
#include <algorithm>
#include <bit>
#include <limits>

#include "usb/device/scsi_disk.hpp"

namespace periplex::usb::device {

Decoded ScsiDisk::test_unit_ready(const Cdb&) {
  return nullptr;
}

// SPC-4, REQUEST SENSE: held sense first; else a pending unit attention, which is thereby reported; else nothing.
Decoded ScsiDisk::request_sense(const Cdb& cdb) {
  Sense sense;
  if (held_sense_) {
    sense = *std::exchange(held_sense_, std::nullopt);
  } else if (!attentions_.empty()) {
    sense = attentions_.front();
    attentions_.erase(attentions_.begin());
  }
  const bool descriptor = cdb.bit(1, 0);  // DESC
  return reply(descriptor ? sense.descriptor_format() : sense.fixed_format(), cdb.u8(4));
}

Decoded ScsiDisk::inquiry(const Cdb& cdb) {
  const std::uint32_t size = block_size();
  const auto data = inquiry_data(cdb, options_.identity,
                                 {.removable = options_.removable,
                                  .can_discard = can_discard(),
                                  .block_size = size,
                                  .physical_block_size = medium_ == nullptr ? size : medium_->physical_block_size()});
  if (!data) return std::unexpected(data.error());
  return reply(*data, cdb.be16(3));
}

Decoded ScsiDisk::report_luns(const Cdb& cdb) {
  constexpr std::uint8_t kWellKnownOnly = 1;
  const std::uint8_t select = cdb.u8(2);  // SELECT REPORT
  if (select > 2) return std::unexpected(sense::invalid_field_in_cdb(2));
  ByteWriter out;
  if (select == kWellKnownOnly) {
    out.be32(0).be32(0);
  } else {
    out.be32(8).be32(0).be64(0);  // one unit, number 0
  }
  return reply(out.take(), cdb.be32(6));
}

Decoded ScsiDisk::mode_sense_command(const Cdb& cdb) {
  const auto data =
      mode_sense(cdb, mode_, {.write_protected = write_protected(), .blocks = blocks(), .block_size = block_size()});
  if (!data) return std::unexpected(data.error());
  return reply(*data, cdb.opcode() == ScsiOpcode::mode_sense_6 ? cdb.u8(4) : cdb.be16(7));
}

Decoded ScsiDisk::mode_select_command(const Cdb& cdb) {
  if (cdb.bit(1, 0)) return std::unexpected(sense::invalid_field_in_cdb(1));  // SP: nothing can be saved
  const std::size_t length = cdb.opcode() == ScsiOpcode::mode_select_6 ? cdb.u8(4) : cdb.be16(7);
  if (length == 0) return nullptr;
  return with_parameters(length, [this, cdb](ByteView list) -> Decoded {
    const auto selected = mode_select(cdb, list, mode_);
    if (!selected) return std::unexpected(selected.error());
    const bool write_cache_ends = mode_.write_cache && !selected->write_cache;
    mode_ = *selected;
    // What was written before must be as durable as what will be written from now on.
    return write_cache_ends && medium_present() ? flush() : nullptr;
  });
}

// SBC-3, START STOP UNIT. LOEJ with START=0 ejects, with START=1 loads. There are no power conditions, so that START
// alone has nothing to do, and STOP makes durable what was written.
Decoded ScsiDisk::start_stop_unit(const Cdb& cdb) {
  const bool start = cdb.bit(4, 0);
  const bool load_eject = cdb.bit(4, 1);
  const bool power_condition = (cdb.u8(4) >> 4) != 0;
  if (power_condition) return nullptr;  // LOEJ and START mean nothing then
  if (load_eject && !options_.removable) return std::unexpected(sense::invalid_field_in_cdb(4));
  if (start) {
    return load_eject ? load() : nullptr;
  }
  if (load_eject && removal_prevented_) return std::unexpected(sense::kMediumRemovalPrevented);
  if (!medium_present()) return nullptr;
  return load_eject ? flush_then([this] { tray_open_ = true; }) : flush();
}

Decoded ScsiDisk::load() {
  if (medium_ == nullptr) return std::unexpected(sense::kMediumNotPresent);
  if (std::exchange(tray_open_, false)) raise(sense::kMediumChanged);
  return nullptr;
}

Decoded ScsiDisk::prevent_allow(const Cdb& cdb) {
  const std::uint8_t prevent = cdb.u8(4) & 3;
  if (prevent > 1) return std::unexpected(sense::invalid_field_in_cdb(4));  // obsolete values (SBC-3)
  // A medium that cannot be taken out need not be held.
  removal_prevented_ = prevent == 1 && options_.removable;
  return nullptr;
}

// MMC-6, READ FORMAT CAPACITIES; Windows asks every removable disk for it.
Decoded ScsiDisk::read_format_capacities(const Cdb& cdb) {
  constexpr std::uint8_t kFormatted = 2;
  constexpr std::uint8_t kNoMedium = 3;
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t count = medium_present() ? std::min(blocks(), most) : most;
  ByteWriter out;
  out.be32(8);  // CAPACITY LIST LENGTH
  out.be32(static_cast<std::uint32_t>(count));
  out.be32((medium_present() ? kFormatted : kNoMedium) << 24 | block_size());
  return reply(out.take(), cdb.be16(7));
}

Decoded ScsiDisk::read_capacity_10(const Cdb&) {
  // "If the number of logical blocks exceeds the maximum value": FFFFFFFFh, and the host asks READ CAPACITY(16)
  // (SBC-3, READ CAPACITY (10)).
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  ByteWriter out;
  out.be32(static_cast<std::uint32_t>(std::min(blocks() - 1, most))).be32(block_size());
  constexpr std::size_t kSize = 8;  // no allocation length in this CDB
  return reply(out.take(), kSize);
}

Decoded ScsiDisk::service_action_in(const Cdb& cdb) {
  constexpr std::uint8_t kReadCapacity16 = 0x10;
  if ((cdb.u8(1) & 0x1f) != kReadCapacity16) return std::unexpected(sense::invalid_field_in_cdb(1));
  // SBC-3, READ CAPACITY (16). LBPME and LBPRZ: blocks can be unmapped, and read as zeros then.
  constexpr std::uint8_t kThinReadsZeros = 0xc0;
  const auto exponent = static_cast<std::uint8_t>(std::countr_zero(medium_->physical_block_size() / block_size()));
  ByteWriter out;
  out.be64(blocks() - 1).be32(block_size());
  out.u8(0).u8(exponent).u8(can_discard() ? kThinReadsZeros : 0).zeros(17);
  return reply(out.take(), cdb.be32(10));
}

}  // namespace periplex::usb::device
