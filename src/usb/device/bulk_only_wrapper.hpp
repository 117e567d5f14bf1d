// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

/// The two wrappers of the bulk-only transport (USB Mass Storage Class Bulk-Only Transport 1.0, §5).
namespace periplex::usb::device {

/// Command Block Wrapper (§5.1), as a value.
struct CommandBlockWrapper {
  static constexpr std::size_t kSize = 31;
  static constexpr std::uint32_t kSignature = 0x43425355;  // dCBWSignature, "USBC"

  std::uint32_t tag = 0;
  std::uint32_t data_transfer_length = 0;
  bool data_in = false;  ///< bmCBWFlags bit 7; without meaning if there are no data
  std::uint8_t lun = 0;
  std::uint8_t command_length = 0;         ///< bCBWCBLength, 1 to 16
  std::array<std::byte, 16> command = {};  ///< CBWCB

  [[nodiscard]] ByteView cdb() const { return ByteView(command).first(command_length); }

  /// Empty if it is not valid (§6.2.1: 31 bytes, the signature) or names a command block that cannot be (§5.1: "1
  /// through 16"). Reserved bits are not looked at: what they will mean is not known.
  [[nodiscard]] static std::optional<CommandBlockWrapper> parse(ByteView bytes);
};

/// bCSWStatus (§5.2, table 5.3).
enum class BulkOnlyStatus : std::uint8_t { passed = 0, failed = 1, phase_error = 2 };

/// Command Status Wrapper (§5.2).
struct CommandStatusWrapper {
  static constexpr std::size_t kSize = 13;
  static constexpr std::uint32_t kSignature = 0x53425355;  // dCSWSignature, "USBS"

  std::uint32_t tag = 0;
  std::uint32_t data_residue = 0;
  BulkOnlyStatus status = BulkOnlyStatus::passed;

  [[nodiscard]] Bytes encode() const;
  /// Empty if it is not valid (§6.3.1: 13 bytes, the signature; the tag is for the host to compare). A reserved status
  /// is kept as it came.
  [[nodiscard]] static std::optional<CommandStatusWrapper> parse(ByteView bytes);
};

}  // namespace periplex::usb::device
