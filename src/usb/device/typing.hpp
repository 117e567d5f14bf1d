// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "usb/device/hid_keyboard.hpp"

/// Text and chords, typed on an emulated keyboard.
namespace periplex::usb::device {

/// Why nothing was typed. `name` says which key or character, where that is the reason.
struct TypingError {
  enum class Reason : std::uint8_t {
    no_such_key,     ///< a US keyboard has no `name`
    nobody_listens,  ///< no driver in the guest uses the keyboard (yet)
    too_much,        ///< more than the keyboard keeps for a slow guest; later, or in smaller parts, it fits
  };
  Reason reason;
  std::string name;

  [[nodiscard]] std::string describe() const;
};

/// Types all of `utf8`, or nothing. Returns at once; the guest fetches the keys at its own pace.
[[nodiscard]] std::expected<void, TypingError> type_text(HidKeyboard& keyboard, std::string_view utf8);

/// Presses the keys of `chord` ("ctrl+alt+delete") in order and releases them in reverse.
[[nodiscard]] std::expected<void, TypingError> type_chord(HidKeyboard& keyboard, std::string_view chord);

}  // namespace periplex::usb::device
