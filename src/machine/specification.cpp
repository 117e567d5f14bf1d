// SPDX-License-Identifier: Apache-2.0
#include "machine/specification.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace periplex::machine {
namespace {

constexpr std::size_t kLongestId = 63;

/// QEMU's rule for its own options: ",," is a comma inside a value.
std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      parts.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += ',';
      ++i;
    } else {
      parts.emplace_back();
    }
  }
  return parts;
}

}  // namespace

std::expected<Specification, SpecificationError> split_specification(std::string_view text, std::string_view example) {
  std::vector<std::string> parts = split_at_commas(text);
  Specification specification{std::move(parts.front()), {}};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return std::unexpected(SpecificationError{
          fmt::format("\"{}\" is not KEY=VALUE", parts[i]),
          fmt::format("write a specification like {} (a comma in a value is written twice)", example)});
    }
    specification.settings.push_back({parts[i].substr(0, equals), parts[i].substr(equals + 1)});
  }
  return specification;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes") return true;
  if (text == "false" || text == "off" || text == "no") return false;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_valid_id(std::string_view id) {
  // No locale: these are ids, not text.
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !id.empty() && id.size() <= kLongestId && alphanumeric(id.front()) &&
         std::ranges::all_of(id, [&](char c) { return alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

}  // namespace periplex::machine
