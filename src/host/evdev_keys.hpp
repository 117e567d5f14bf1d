// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "usb/device/hid_pointer.hpp"
#include "usb/device/key_usage.hpp"

namespace periplex::host {

/// The place on the keyboard that Linux calls `code` (linux/input-event-codes.h, KEY_…): the inverse of what its driver
/// for USB keyboards does. Empty for keys that the keyboard page has no usage for.
[[nodiscard]] std::optional<usb::device::KeyUsage> usage_of_key(std::uint16_t code);

/// The button that Linux calls `code` (BTN_…); a touch or a pen's tip is the left one.
[[nodiscard]] std::optional<usb::device::PointerButton> button_of_key(std::uint16_t code);

}  // namespace periplex::host
