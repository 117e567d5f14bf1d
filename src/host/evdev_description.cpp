// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_description.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <linux/input-event-codes.h>
#include <linux/input.h>

namespace periplex::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostText = 4096;
constexpr unsigned kBitsInWord = 64;
/// More words than there are codes (KEY_MAX is below 1024) are not the kernel's.
constexpr std::size_t kMostWords = 64;

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::string text(kMostText, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

template <typename T>
std::optional<T> parse_hexadecimal(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// As udev's input_id tells them apart, for the kinds that can be offered.
std::optional<EvdevKind> classify(const fs::path& capabilities) {
  const auto has = [](const std::vector<std::uint16_t>& bits, int code) {
    return std::ranges::find(bits, code) != bits.end();
  };
  const auto keys = parse_capabilities(read_text(capabilities / "key"), KEY_CNT);
  const auto relative = parse_capabilities(read_text(capabilities / "rel"), REL_CNT);
  const auto absolute = parse_capabilities(read_text(capabilities / "abs"), ABS_CNT);
  if (has(keys, BTN_LEFT) && has(relative, REL_X) && has(relative, REL_Y)) return EvdevKind::mouse;
  // Joysticks have absolute axes, too, but not these buttons; a touchpad tells fingers, which is not a position.
  const bool points = has(keys, BTN_LEFT) || has(keys, BTN_TOUCH);
  const bool touchpad = has(keys, BTN_TOOL_FINGER) && !has(keys, BTN_TOOL_PEN);
  if (points && !touchpad && has(absolute, ABS_X) && has(absolute, ABS_Y)) return EvdevKind::tablet;
  for (int key = KEY_Q; key <= KEY_P; ++key) {
    if (!has(keys, key)) return std::nullopt;
  }
  return EvdevKind::keyboard;
}

}  // namespace

std::string_view name(EvdevKind kind) {
  switch (kind) {
    case EvdevKind::keyboard:
      return "keyboard";
    case EvdevKind::mouse:
      return "mouse";
    case EvdevKind::tablet:
      return "tablet";
  }
  return "?";
}

std::vector<std::uint16_t> parse_capabilities(std::string_view text, std::uint16_t limit) {
  std::vector<std::uint64_t> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const auto word = parse_hexadecimal<std::uint64_t>(text.substr(0, end));
    if (!word || words.size() == kMostWords) return {};
    words.push_back(*word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::ranges::reverse(words);
  std::vector<std::uint16_t> bits;
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (unsigned bit = 0; bit < kBitsInWord; ++bit) {
      const std::size_t number = i * kBitsInWord + bit;
      if ((words[i] >> bit & 1) != 0 && number < limit) bits.push_back(static_cast<std::uint16_t>(number));
    }
  }
  return bits;
}

std::optional<EvdevDescription> read_evdev_description(std::string_view node, const fs::path& sysfs) {
  const fs::path device = sysfs / node / "device";
  const auto kind = classify(device / "capabilities");
  if (!kind) return std::nullopt;
  const auto number = [&](const char* file) {
    return parse_hexadecimal<std::uint16_t>(read_text(device / "id" / file)).value_or(0);
  };
  return EvdevDescription{
      .node = std::string(node),
      .kind = *kind,
      .usb = number("bustype") == BUS_USB,
      .vendor = number("vendor"),
      .product = number("product"),
      .name = read_text(device / "name"),
      .place = read_text(device / "phys"),
      .serial_number = read_text(device / "uniq"),
  };
}

std::vector<EvdevDescription> list_evdev(const fs::path& sysfs) {
  std::vector<EvdevDescription> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(sysfs, error)) {
    const std::string node = entry.path().filename().string();
    if (!node.starts_with("event")) continue;
    if (auto description = read_evdev_description(node, sysfs)) all.push_back(std::move(*description));
  }
  std::ranges::sort(all, [](const EvdevDescription& a, const EvdevDescription& b) {
    return std::pair(a.node.size(), a.node) < std::pair(b.node.size(), b.node);
  });
  return all;
}

}  // namespace periplex::host
