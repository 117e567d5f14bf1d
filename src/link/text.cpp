// SPDX-License-Identifier: Apache-2.0
#include "link/text.hpp"

#include <algorithm>
#include <cstdint>

namespace periplex::link {
namespace {

/// How many bytes the well-formed character at the start of `text` has (Unicode 15, table 3-7); 0 if there is none,
/// or if it is a control character.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return first < 0x20 || first == 0x7f ? 0 : 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (first == 0xc2 || first == 0xe0) low = 0xa0;  // no C1 control characters; no overlong forms
  if (first == 0xf0) low = 0x90;
  if (first == 0xed) high = 0x9f;  // no surrogates
  if (first == 0xf4) high = 0x8f;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

}  // namespace

std::string presentable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t length = character(text);
    if (length == 0) {
      shown += '?';
      text.remove_prefix(1);
    } else {
      shown += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return shown;
}

void append_text(ByteWriter& to, std::string_view text) {
  std::size_t length = std::min(text.size(), kMaxText);
  while (length < text.size() && length > 0 && (static_cast<std::uint8_t>(text[length]) & 0xc0) == 0x80) --length;
  to.u8(static_cast<std::uint8_t>(length)).bytes(as_bytes(text.substr(0, length)));
}

std::string read_text(ByteReader& from) {
  return presentable(as_text(from.take(from.u8())));
}

bool is_identifier(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdentifier &&
         std::ranges::all_of(id, [](char c) { return c >= '!' && c <= '~'; });
}

std::optional<std::string> read_identifier(ByteReader& from) {
  const std::string id(as_text(from.take(from.u8())));
  if (!is_identifier(id)) return std::nullopt;
  return id;
}

}  // namespace periplex::link
