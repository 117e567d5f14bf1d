// SPDX-License-Identifier: Apache-2.0
#include "seat/rules.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace periplex::seat {
namespace {

constexpr std::uint8_t kHubClass = 0x09;

template <typename T>
bool agrees(const std::optional<T>& wanted, const T& is) {
  return !wanted || *wanted == is;
}

}  // namespace

std::string_view name(Action action) {
  switch (action) {
    case Action::allow:
      return "allow";
    case Action::ask:
      return "ask";
    case Action::deny:
      return "deny";
  }
  return "?";
}

bool Match::fits(const Peripheral& peripheral) const {
  const auto& classes = peripheral.interface_classes;
  const auto has = [](const std::vector<std::uint8_t>& among, std::uint8_t value) {
    return std::ranges::find(among, value) != among.end();
  };
  const bool classes_fit =
      (!interface_class || has(classes, *interface_class)) &&
      (only_interface_classes.empty() || (!classes.empty() && std::ranges::all_of(classes, [&](std::uint8_t each) {
         return has(only_interface_classes, each);
       })));
  return classes_fit && agrees(kind, peripheral.kind) && agrees(vendor, peripheral.vendor) &&
         agrees(product, peripheral.product) && agrees(device_class, peripheral.device_class) &&
         agrees(serial_number, peripheral.serial_number) && agrees(place, peripheral.place);
}

Decision Rules::decide(const Peripheral& peripheral) const {
  if (peripheral.kind == Kind::usb && peripheral.device_class == kHubClass) {
    return {Action::deny, "hubs are not offered"};
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (!rule.match.fits(peripheral)) continue;
    if (rule.name.empty()) return {rule.action, fmt::format("rule {}", i + 1)};
    return {rule.action, fmt::format("rule {} ({})", i + 1, rule.name)};
  }
  return {Action::deny, rules_.empty() ? "there are no rules" : "no rule fits"};
}

}  // namespace periplex::seat
