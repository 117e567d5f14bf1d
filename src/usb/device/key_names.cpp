// SPDX-License-Identifier: Apache-2.0
#include "usb/device/key_names.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

struct NamedKey {
  std::string_view name;
  std::uint8_t usage;
};

/// HID Usage Tables 1.4 §10, in its order; letters, digits, F keys and keypad digits are computed. Several names may
/// mean one key.
constexpr NamedKey kNames[] = {
    {"enter", 0x28},
    {"return", 0x28},
    {"escape", 0x29},
    {"esc", 0x29},
    {"backspace", 0x2a},
    {"tab", 0x2b},
    {"space", 0x2c},
    {"minus", 0x2d},
    {"equal", 0x2e},
    {"left_bracket", 0x2f},
    {"right_bracket", 0x30},
    {"backslash", 0x31},
    {"semicolon", 0x33},
    {"apostrophe", 0x34},
    {"grave", 0x35},
    {"comma", 0x36},
    {"dot", 0x37},
    {"slash", 0x38},
    {"caps_lock", 0x39},
    {"print_screen", 0x46},
    {"sysrq", 0x46},
    {"scroll_lock", 0x47},
    {"pause", 0x48},
    {"insert", 0x49},
    {"home", 0x4a},
    {"page_up", 0x4b},
    {"delete", 0x4c},
    {"del", 0x4c},
    {"end", 0x4d},
    {"page_down", 0x4e},
    {"right", 0x4f},
    {"left", 0x50},
    {"down", 0x51},
    {"up", 0x52},
    {"num_lock", 0x53},
    {"kp_slash", 0x54},
    {"kp_asterisk", 0x55},
    {"kp_minus", 0x56},
    {"kp_plus", 0x57},
    {"kp_enter", 0x58},
    {"kp_0", 0x62},
    {"kp_dot", 0x63},
    {"iso_backslash", 0x64},
    {"menu", 0x65},
    {"power", 0x66},
    {"kp_equal", 0x67},
    {"mute", 0x7f},
    {"volume_up", 0x80},
    {"volume_down", 0x81},
    {"kp_comma", 0x85},
    {"ro", 0x87},
    {"katakana", 0x88},
    {"yen", 0x89},
    {"henkan", 0x8a},
    {"muhenkan", 0x8b},
    {"hangul", 0x90},
    {"hanja", 0x91},
    {"ctrl", 0xe0},
    {"left_ctrl", 0xe0},
    {"shift", 0xe1},
    {"left_shift", 0xe1},
    {"alt", 0xe2},
    {"left_alt", 0xe2},
    {"super", 0xe3},
    {"win", 0xe3},
    {"left_super", 0xe3},
    {"right_ctrl", 0xe4},
    {"right_shift", 0xe5},
    {"altgr", 0xe6},
    {"right_alt", 0xe6},
    {"right_super", 0xe7},
};

/// The keys of a US keyboard that write other than letters: what each writes without and with Shift.
struct WritingKey {
  char plain;
  char shifted;
  std::uint8_t usage;
};
constexpr WritingKey kWriting[] = {
    {'1', '!', 0x1e}, {'2', '@', 0x1f}, {'3', '#', 0x20},  {'4', '$', 0x21}, {'5', '%', 0x22},  {'6', '^', 0x23},
    {'7', '&', 0x24}, {'8', '*', 0x25}, {'9', '(', 0x26},  {'0', ')', 0x27}, {'-', '_', 0x2d},  {'=', '+', 0x2e},
    {'[', '{', 0x2f}, {']', '}', 0x30}, {'\\', '|', 0x31}, {';', ':', 0x33}, {'\'', '"', 0x34}, {'`', '~', 0x35},
    {',', '<', 0x36}, {'.', '>', 0x37}, {'/', '?', 0x38},
};

constexpr std::uint8_t kKeyA = 0x04;
constexpr std::uint8_t kKeyEnter = 0x28;
constexpr std::uint8_t kKeyTab = 0x2b;
constexpr std::uint8_t kKeySpace = 0x2c;
constexpr std::uint8_t kKeyF1 = 0x3a;
constexpr std::uint8_t kKeyF13 = 0x68;
constexpr std::uint8_t kKeyKeypad1 = 0x59;

std::optional<KeyStroke> stroke_for(char c) {
  if (c >= 'a' && c <= 'z') return KeyStroke{KeyUsage(static_cast<std::uint8_t>(kKeyA + (c - 'a'))), false};
  if (c >= 'A' && c <= 'Z') return KeyStroke{KeyUsage(static_cast<std::uint8_t>(kKeyA + (c - 'A'))), true};
  if (c == ' ') return KeyStroke{KeyUsage(kKeySpace), false};
  if (c == '\n') return KeyStroke{KeyUsage(kKeyEnter), false};
  if (c == '\t') return KeyStroke{KeyUsage(kKeyTab), false};
  for (const WritingKey& key : kWriting) {
    if (c == key.plain) return KeyStroke{KeyUsage(key.usage), false};
    if (c == key.shifted) return KeyStroke{KeyUsage(key.usage), true};
  }
  return std::nullopt;
}

/// "f1" to "f24", which lie in two rows of the table.
std::optional<KeyUsage> function_key(std::string_view name) {
  if (name.size() < 2 || name.size() > 3 || name[0] != 'f' || name[1] == '0') return std::nullopt;
  int number = 0;
  for (const char c : name.substr(1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  if (number > 24) return std::nullopt;
  return KeyUsage(static_cast<std::uint8_t>(number <= 12 ? kKeyF1 + number - 1 : kKeyF13 + number - 13));
}

/// "kp_1" to "kp_9".
std::optional<KeyUsage> keypad_digit(std::string_view name) {
  if (name.size() != 4 || !name.starts_with("kp_") || name[3] < '1' || name[3] > '9') return std::nullopt;
  return KeyUsage(static_cast<std::uint8_t>(kKeyKeypad1 + (name[3] - '1')));
}

/// The character at the front of `utf8`, which is not empty, with all its bytes.
std::string_view first_character(std::string_view utf8) {
  std::size_t length = 1;
  while (length < utf8.size() && (static_cast<unsigned char>(utf8[length]) & 0xc0) == 0x80) ++length;
  return utf8.substr(0, length);
}

}  // namespace

std::optional<KeyUsage> key_named(std::string_view given) {
  std::string name(given);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (name.size() == 1 && name[0] > ' ') {
    const auto stroke = stroke_for(name[0]);
    return stroke && !stroke->shift ? std::optional(stroke->key) : std::nullopt;
  }
  const auto found = std::ranges::find(kNames, std::string_view(name), &NamedKey::name);
  if (found != std::end(kNames)) return KeyUsage(found->usage);
  if (const auto key = function_key(name)) return key;
  return keypad_digit(name);
}

std::expected<std::vector<KeyUsage>, UnknownKey> parse_chord(std::string_view chord) {
  std::vector<KeyUsage> keys;
  while (true) {
    const std::string_view name = chord.substr(0, chord.find('+'));
    const auto key = key_named(name);
    if (!key) return std::unexpected(UnknownKey{std::string(name)});
    keys.push_back(*key);
    if (name.size() == chord.size()) return keys;
    chord.remove_prefix(name.size() + 1);
  }
}

std::expected<std::vector<KeyStroke>, UnknownKey> strokes_for(std::string_view utf8) {
  std::vector<KeyStroke> strokes;
  strokes.reserve(utf8.size());
  while (!utf8.empty()) {
    const std::string_view character = first_character(utf8);
    const auto stroke = character.size() == 1 ? stroke_for(character[0]) : std::nullopt;
    if (!stroke) return std::unexpected(UnknownKey{std::string(character)});
    strokes.push_back(*stroke);
    utf8.remove_prefix(character.size());
  }
  return strokes;
}

}  // namespace periplex::usb::device
