// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace periplex::machine {

/// One `key=value` of a specification, whether it came from a command line, a TOML table or a JSON object.
struct Setting {
  std::string key;
  std::string value;
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// What is wrong with a specification, and what would be right.
struct SpecificationError {
  std::string text;
  std::string advice;
};

/// `KIND[,KEY=VALUE]...`, taken apart.
struct Specification {
  std::string kind;
  std::vector<Setting> settings;
};

/// Reads `KIND[,KEY=VALUE]...`, as on a command line. A comma inside a value is written twice. What kinds and keys
/// there are is not looked at; `example` is a specification for the advice.
[[nodiscard]] std::expected<Specification, SpecificationError> split_specification(std::string_view text,
                                                                                   std::string_view example);

/// true, on, yes; false, off, no.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text);

/// Digits only, of a number that fits.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

/// Whether `id` may name something: a letter or digit, then up to 62 letters, digits, dots, dashes, underscores.
[[nodiscard]] bool is_valid_id(std::string_view id);
inline constexpr std::string_view kIdAdvice =
    "use up to 63 letters, digits, dots, dashes and underscores, with a letter or digit first";

}  // namespace periplex::machine
