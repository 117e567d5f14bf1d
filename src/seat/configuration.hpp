// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "seat/rules.hpp"

namespace periplex::seat {

/// What a seat's TOML file says.
struct Configuration {
  std::vector<Rule> rules;
  /// A program that asks the person at the seat: it is given the peripheral's description and id as its last two
  /// arguments, and says yes by exit status 0. Empty: nobody is asked.
  std::vector<std::string> consent_command;
  /// Whether keyboards and pointers that are no USB devices are offered at all, and whether this computer stops using
  /// one while a machine has it.
  bool input = true;
  bool grab_input = true;
};

struct ConfigurationError {
  std::string text;
  std::string advice;
};

[[nodiscard]] std::expected<Configuration, ConfigurationError> read_configuration(const std::string& path);
/// `name` is what messages call it.
[[nodiscard]] std::expected<Configuration, ConfigurationError> parse_configuration(std::string_view text,
                                                                                   std::string_view name);

}  // namespace periplex::seat
