// SPDX-License-Identifier: Apache-2.0
#include "gate/configuration.hpp"

#include <algorithm>
#include <limits>

#include "base/pattern.hpp"

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
