// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace periplex::usb::device {

/// SPC-4, "Sense key descriptions".
enum class SenseKey : std::uint8_t {
  no_sense = 0x0,
  not_ready = 0x2,
  medium_error = 0x3,
  hardware_error = 0x4,
  illegal_request = 0x5,
  unit_attention = 0x6,
  data_protect = 0x7,
  aborted_command = 0xb,
  miscompare = 0xe,
};

/// Why a command ended with CHECK CONDITION (SPC-4 §4.5).
struct Sense {
  SenseKey key = SenseKey::no_sense;
  std::uint8_t asc = 0;   ///< ADDITIONAL SENSE CODE
  std::uint8_t ascq = 0;  ///< ADDITIONAL SENSE CODE QUALIFIER
  /// INFORMATION: the logical block address the error is about.
  std::optional<std::uint64_t> information = {};
  /// FIELD POINTER: the byte of the CDB or of the parameter list that was refused.
  std::optional<std::uint16_t> field = {};
  bool field_in_cdb = true;

  friend bool operator==(const Sense&, const Sense&) = default;

  /// The 18 bytes of fixed format (SPC-4, "Fixed format sense data"). INFORMATION beyond 32 bits is left out, as
  /// VALID=0 says.
  [[nodiscard]] Bytes fixed_format() const;
  /// Descriptor format (SPC-4) with information and sense key specific descriptors where there is something.
  [[nodiscard]] Bytes descriptor_format() const;
};

/// The additional sense codes this disk uses, with the standard's names (SPC-4, additional sense code assignments).
namespace sense {

inline constexpr Sense kNone = {};
inline constexpr Sense kParameterListLengthError = {SenseKey::illegal_request, 0x1a, 0x00};
inline constexpr Sense kInvalidOperationCode = {SenseKey::illegal_request, 0x20, 0x00};
inline constexpr Sense kLogicalUnitNotSupported = {SenseKey::illegal_request, 0x25, 0x00};
inline constexpr Sense kSavingNotSupported = {SenseKey::illegal_request, 0x39, 0x00};
inline constexpr Sense kWriteProtected = {SenseKey::data_protect, 0x27, 0x00};
inline constexpr Sense kSpaceAllocationFailed = {SenseKey::data_protect, 0x27, 0x07};
inline constexpr Sense kMediumChanged = {SenseKey::unit_attention, 0x28, 0x00};
inline constexpr Sense kPowerOn = {SenseKey::unit_attention, 0x29, 0x00};
inline constexpr Sense kNexusLoss = {SenseKey::unit_attention, 0x29, 0x07};
inline constexpr Sense kMediumFormatCorrupted = {SenseKey::medium_error, 0x31, 0x00};
inline constexpr Sense kMediumNotPresent = {SenseKey::not_ready, 0x3a, 0x00};
inline constexpr Sense kInternalTargetFailure = {SenseKey::hardware_error, 0x44, 0x00};
inline constexpr Sense kDataPhaseError = {SenseKey::aborted_command, 0x4b, 0x00};
inline constexpr Sense kMediumRemovalPrevented = {SenseKey::illegal_request, 0x53, 0x02};

[[nodiscard]] constexpr Sense invalid_field_in_cdb(std::uint16_t byte) {
  return {.key = SenseKey::illegal_request, .asc = 0x24, .ascq = 0x00, .field = byte};
}
[[nodiscard]] constexpr Sense invalid_field_in_parameters(std::uint16_t byte) {
  return {.key = SenseKey::illegal_request, .asc = 0x26, .ascq = 0x00, .field = byte, .field_in_cdb = false};
}
[[nodiscard]] constexpr Sense lba_out_of_range(std::uint64_t lba) {
  return {.key = SenseKey::illegal_request, .asc = 0x21, .ascq = 0x00, .information = lba};
}
[[nodiscard]] constexpr Sense unrecovered_read_error(std::uint64_t lba) {
  return {.key = SenseKey::medium_error, .asc = 0x11, .ascq = 0x00, .information = lba};
}
[[nodiscard]] constexpr Sense write_error(std::optional<std::uint64_t> lba) {
  return {.key = SenseKey::medium_error, .asc = 0x0c, .ascq = 0x00, .information = lba};
}
[[nodiscard]] constexpr Sense miscompare(std::uint64_t lba) {
  return {.key = SenseKey::miscompare, .asc = 0x1d, .ascq = 0x00, .information = lba};
}

}  // namespace sense
}  // namespace periplex::usb::device
