// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "usb/device/key_usage.hpp"

/// Keys by the names that users give them, and the keys that write a text on a US keyboard.
namespace periplex::usb::device {

/// What has no key: a name as it was given, or one character.
struct UnknownKey {
  std::string name;
  friend bool operator==(const UnknownKey&, const UnknownKey&) = default;
};

/// A key, and whether Shift is held with it.
struct KeyStroke {
  KeyUsage key;
  bool shift = false;
  friend bool operator==(const KeyStroke&, const KeyStroke&) = default;
};

/// "a", "enter", "f5", "kp_enter", "left_ctrl"; capitals make no difference. Characters that a US keyboard writes
/// without Shift are names too ("-", "["). The plain "ctrl", "shift", "alt" and "super" are the left ones.
[[nodiscard]] std::optional<KeyUsage> key_named(std::string_view name);

/// The keys of "ctrl+alt+delete", in order.
[[nodiscard]] std::expected<std::vector<KeyUsage>, UnknownKey> parse_chord(std::string_view chord);

/// The strokes that write `utf8` on a US keyboard; line feeds are Enter, tabs Tab. Names the first character that such
/// a keyboard cannot write.
[[nodiscard]] std::expected<std::vector<KeyStroke>, UnknownKey> strokes_for(std::string_view utf8);

}  // namespace periplex::usb::device
