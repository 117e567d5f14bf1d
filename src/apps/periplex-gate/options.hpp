// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "sandbox/process.hpp"

namespace periplex::apps {

/// What a command line of periplex-gate says: numbers, of open descriptors most of them.
struct GateOptions {
  int listening = -1;
  int datagrams = -1;  ///< -1: none are taken
  int parent = -1;
  int workers = -1;
  int root = -1;                        ///< -1: none
  std::optional<sandbox::User> user{};  ///< that it becomes, where it is root
  std::string log_level = "info";
};

/// What to print, and how to exit.
struct GateExit {
  int status = 0;
  std::string text;
};

[[nodiscard]] std::expected<GateOptions, GateExit> parse_gate_options(int argc, const char* const* argv);

}  // namespace periplex::apps
