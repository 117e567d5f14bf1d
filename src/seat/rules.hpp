// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "seat/peripheral.hpp"

namespace periplex::seat {

/// What a peripheral must be like for a rule to decide on it. What is left out does not matter.
struct Match {
  std::optional<Kind> kind;
  std::optional<std::uint16_t> vendor;
  std::optional<std::uint16_t> product;
  std::optional<std::uint8_t> device_class;
  /// Some interface of it has this class.
  std::optional<std::uint8_t> interface_class;
  /// It has interfaces, and none with a class that is not among these: a disk that is a keyboard as well is none of a
  /// rule for disks.
  std::vector<std::uint8_t> only_interface_classes;
  std::optional<std::string> serial_number;
  std::optional<std::string> place;

  [[nodiscard]] bool fits(const Peripheral& peripheral) const;
};

enum class Action : std::uint8_t {
  allow,
  ask,  ///< allow, when the person at the seat consents
  deny,
};

[[nodiscard]] std::string_view name(Action action);

struct Rule {
  std::string name;  ///< may be empty: it is known by its number then
  Action action = Action::deny;
  Match match;
};

struct Decision {
  Action action = Action::deny;
  std::string by;  ///< which rule, for people

  friend bool operator==(const Decision&, const Decision&) = default;
};

/// Rules in order: the first that fits decides. What none fits is not offered, and a hub never is: what is plugged into
/// it is offered by itself.
class Rules {
 public:
  Rules() = default;
  explicit Rules(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  [[nodiscard]] Decision decide(const Peripheral& peripheral) const;
  [[nodiscard]] bool empty() const { return rules_.empty(); }

 private:
  std::vector<Rule> rules_;
};

}  // namespace periplex::seat
