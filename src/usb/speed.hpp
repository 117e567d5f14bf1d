// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace periplex::usb {

/// Signalling speeds, slowest first (USB 2.0 §4.2.1; USB 3.2 §3).
enum class Speed : std::uint8_t { low, full, high, super, super_plus };

[[nodiscard]] constexpr bool is_usb3(Speed speed) {
  return speed >= Speed::super;
}

[[nodiscard]] constexpr std::string_view name(Speed speed) {
  switch (speed) {
    case Speed::low:
      return "low";
    case Speed::full:
      return "full";
    case Speed::high:
      return "high";
    case Speed::super:
      return "super";
    case Speed::super_plus:
      return "super-plus";
  }
  return "?";
}

}  // namespace periplex::usb
