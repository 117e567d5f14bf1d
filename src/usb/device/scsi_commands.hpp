// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace periplex::usb::device {

/// The operation codes this disk knows (SPC-4, SBC-3 clause 5, MMC for READ FORMAT CAPACITIES).
enum class ScsiOpcode : std::uint8_t {
  test_unit_ready = 0x00,
  request_sense = 0x03,
  read_6 = 0x08,
  write_6 = 0x0a,
  inquiry = 0x12,
  mode_select_6 = 0x15,
  mode_sense_6 = 0x1a,
  start_stop_unit = 0x1b,
  prevent_allow_medium_removal = 0x1e,
  read_format_capacities = 0x23,
  read_capacity_10 = 0x25,
  read_10 = 0x28,
  write_10 = 0x2a,
  verify_10 = 0x2f,
  synchronize_cache_10 = 0x35,
  write_same_10 = 0x41,
  unmap = 0x42,
  mode_select_10 = 0x55,
  mode_sense_10 = 0x5a,
  read_16 = 0x88,
  write_16 = 0x8a,
  verify_16 = 0x8f,
  synchronize_cache_16 = 0x91,
  write_same_16 = 0x93,
  service_action_in_16 = 0x9e,
  report_luns = 0xa0,
  read_12 = 0xa8,
  write_12 = 0xaa,
};

/// SAM-5, "Status codes".
enum class ScsiStatus : std::uint8_t { good = 0x00, check_condition = 0x02, task_set_full = 0x28 };

/// A run of logical blocks.
struct BlockRange {
  std::uint64_t lba = 0;
  std::uint64_t blocks = 0;
  friend bool operator==(const BlockRange&, const BlockRange&) = default;
};

/// A command descriptor block as a value. Bytes that the transport did not carry read as zero, so that a CDB cut short
/// by an initiator means what its default fields mean.
class Cdb {
 public:
  static constexpr std::size_t kMaxSize = 16;

  Cdb() = default;
  explicit Cdb(ByteView bytes);

  [[nodiscard]] std::uint8_t operation_code() const { return u8(0); }
  [[nodiscard]] ScsiOpcode opcode() const { return static_cast<ScsiOpcode>(u8(0)); }

  [[nodiscard]] std::uint8_t u8(std::size_t at) const { return std::to_integer<std::uint8_t>(bytes_[at]); }
  [[nodiscard]] bool bit(std::size_t at, unsigned bit) const { return ((u8(at) >> bit) & 1) != 0; }
  [[nodiscard]] std::uint16_t be16(std::size_t at) const;
  [[nodiscard]] std::uint32_t be32(std::size_t at) const;
  [[nodiscard]] std::uint64_t be64(std::size_t at) const;

  /// The blocks a read, write, verify or write-same command names, by the layout of its group (SPC-4, "The CDB
  /// format"): LBA and length of the 6-, 10-, 12- or 16-byte form. A length of zero in the 6-byte form means 256
  /// (SBC-3, READ (6)).
  [[nodiscard]] BlockRange range() const;
  /// The byte at which the length of `range()` begins, for field pointers.
  [[nodiscard]] std::uint16_t length_field() const;

  [[nodiscard]] std::string text() const { return hex(bytes_); }

 private:
  std::array<std::byte, kMaxSize> bytes_{};
};

}  // namespace periplex::usb::device
