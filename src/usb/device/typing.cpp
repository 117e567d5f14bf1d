// SPDX-License-Identifier: Apache-2.0
#include "usb/device/typing.hpp"

#include <fmt/format.h>
#include <span>

#include "usb/device/key_names.hpp"

namespace periplex::usb::device {
namespace {

using Reason = TypingError::Reason;

/// Whether `changes` presses and releases can be typed now.
std::expected<void, TypingError> check_room(const HidKeyboard& keyboard, std::size_t changes) {
  if (!keyboard.configured()) return std::unexpected(TypingError{Reason::nobody_listens, {}});
  if (changes > keyboard.room()) return std::unexpected(TypingError{Reason::too_much, {}});
  return {};
}

/// There must be room for it.
void press_and_release(HidKeyboard& keyboard, std::span<const KeyUsage> keys) {
  for (const KeyUsage key : keys) (void)keyboard.press(key);
  for (std::size_t i = keys.size(); i > 0; --i) keyboard.release(keys[i - 1]);
}

}  // namespace

std::string TypingError::describe() const {
  switch (reason) {
    case Reason::no_such_key:
      return fmt::format("a US keyboard has no key for \"{}\"", name);
    case Reason::nobody_listens:
      return "no driver in the guest uses the keyboard yet";
    case Reason::too_much:
      return "the guest has not fetched the keys typed before; try again later, or with less";
  }
  return {};
}

std::expected<void, TypingError> type_text(HidKeyboard& keyboard, std::string_view utf8) {
  const auto strokes = strokes_for(utf8);
  if (!strokes) return std::unexpected(TypingError{Reason::no_such_key, strokes.error().name});
  std::size_t changes = 0;
  for (const KeyStroke& stroke : *strokes) changes += stroke.shift ? 4 : 2;
  if (auto room = check_room(keyboard, changes); !room) return room;
  for (const KeyStroke& stroke : *strokes) {
    const KeyUsage keys[] = {kLeftShift, stroke.key};
    press_and_release(keyboard, std::span(keys).subspan(stroke.shift ? 0 : 1));
  }
  return {};
}

std::expected<void, TypingError> type_chord(HidKeyboard& keyboard, std::string_view chord) {
  const auto keys = parse_chord(chord);
  if (!keys) return std::unexpected(TypingError{Reason::no_such_key, keys.error().name});
  if (auto room = check_room(keyboard, 2 * keys->size()); !room) return room;
  press_and_release(keyboard, *keys);
  return {};
}

}  // namespace periplex::usb::device
