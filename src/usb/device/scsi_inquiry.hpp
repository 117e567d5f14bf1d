// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "base/bytes.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/sense.hpp"

/// INQUIRY data and vital product data pages (SPC-4, INQUIRY and "Vital product data parameters"; SBC-3, the same).
namespace periplex::usb::device {

/// Who the disk says it is. ASCII; longer texts are cut, shorter ones padded with spaces.
struct ScsiIdentity {
  std::string vendor = "Periplex";  ///< 8 characters
  std::string product = "Disk";     ///< 16 characters
  std::string revision = "0001";    ///< 4 characters
  std::string serial;
};

/// What the vital product data say about the medium.
struct InquiryFacts {
  bool removable = false;
  bool can_discard = false;
  std::uint32_t block_size = 512;
  std::uint32_t physical_block_size = 512;
};

/// Bounds on what one command may do, so that no command is endless work. In bytes; the Block Limits page says them.
inline constexpr std::uint64_t kMaxTransferLength = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kMaxWriteSameLength = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kMaxUnmapLength = std::uint64_t{1} << 30;
inline constexpr std::uint32_t kMaxUnmapDescriptors = 64;

/// The answer to INQUIRY `cdb`, not yet cut to the allocation length.
[[nodiscard]] std::expected<Bytes, Sense> inquiry_data(const Cdb& cdb, const ScsiIdentity& identity,
                                                       const InquiryFacts& facts);

/// The answer to INQUIRY for a logical unit that does not exist: PERIPHERAL QUALIFIER 011b, type 1Fh.
[[nodiscard]] Bytes inquiry_of_no_unit(const ScsiIdentity& identity);

}  // namespace periplex::usb::device
