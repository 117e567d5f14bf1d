// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/strong_id.hpp"

namespace periplex::usb::device {

/// A key, by its place on the keyboard: a usage of page 0x07 (HID Usage Tables 1.4 §10).
using KeyUsage = StrongId<struct KeyUsageTag, std::uint8_t>;

inline constexpr KeyUsage kFirstKey{0x04};       ///< "a"; below it are error codes
inline constexpr KeyUsage kFirstModifier{0xe0};  ///< left Ctrl
inline constexpr KeyUsage kLeftShift{0xe1};
inline constexpr KeyUsage kLastModifier{0xe7};  ///< right GUI

[[nodiscard]] constexpr bool is_modifier(KeyUsage key) {
  return key >= kFirstModifier && key <= kLastModifier;
}
/// Whether a report can tell of `key`. What stands between the keys and the modifiers is reserved.
[[nodiscard]] constexpr bool is_key(KeyUsage key) {
  return (key >= kFirstKey && key.value <= 0xdd) || is_modifier(key);
}

}  // namespace periplex::usb::device
