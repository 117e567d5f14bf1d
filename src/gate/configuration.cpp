// SPDX-License-Identifier: Apache-2.0
#include "gate/configuration.hpp"

#include <algorithm>
#include <limits>

namespace periplex::gate {
namespace {

bool is_alphanumeric(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9');
}

}  // namespace

const KnownSeat* Configuration::seat_of(std::string_view fingerprint) const {
  if (fingerprint.empty()) return nullptr;
  const auto found = std::ranges::find(seats, fingerprint, &KnownSeat::fingerprint);
  return found == seats.end() ? nullptr : &*found;
}

std::string_view Configuration::machine_for(std::string_view seat, std::string_view peripheral) const {
  const auto found = std::ranges::find_if(bindings, [&](const Binding& binding) {
    return fits(binding.seat, seat) && fits(binding.peripheral, peripheral);
  });
  return found == bindings.end() ? std::string_view() : std::string_view(found->machine);
}

std::size_t Configuration::limit_of(std::string_view seat) const {
  const auto found = std::ranges::find_if(limits, [&](const Limit& limit) { return fits(limit.seat, seat); });
  return found == limits.end() ? std::numeric_limits<std::size_t>::max() : found->peripherals;
}

bool fits(std::string_view pattern, std::string_view text) {
  // After a mismatch only the last star need take more: an earlier one gains nothing by it.
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && is_alphanumeric(text.front()) &&
         std::ranges::all_of(text, [](char character) {
           return is_alphanumeric(character) || character == '.' || character == '-' || character == '_';
         });
}

std::string unique_name(std::string_view seat, std::string_view peripheral) {
  std::string name(seat);
  name += '/';
  name += peripheral;
  return name;
}

}  // namespace periplex::gate
