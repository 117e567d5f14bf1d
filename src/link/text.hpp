// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

/// Strings on the wire: one byte of length, then UTF-8.
namespace periplex::link {

inline constexpr std::size_t kMaxText = 255;
inline constexpr std::size_t kMaxIdentifier = 64;

/// What the far end said, fit to be shown: '?' stands for control characters and for what is not UTF-8.
[[nodiscard]] std::string presentable(std::string_view text);

/// Appends `text`, cut between characters where it is longer than kMaxText.
void append_text(ByteWriter& to, std::string_view text);
/// Reads a string and makes it presentable. Past the end it is empty and `from.ok()` is false.
[[nodiscard]] std::string read_text(ByteReader& from);

/// Whether `id` can be a peripheral's unique identifier: 1 to 64 characters of ASCII, from '!' to '~'.
[[nodiscard]] bool is_identifier(std::string_view id);
/// Reads an identifier; empty if it is none.
[[nodiscard]] std::optional<std::string> read_identifier(ByteReader& from);

}  // namespace periplex::link
