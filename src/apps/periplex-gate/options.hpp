// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

namespace periplex::apps {

/// What a command line of periplex-gate says: numbers of open descriptors, and nothing else.
struct GateOptions {
  int listening = -1;
  int parent = -1;
  std::string log_level = "info";
};

/// What to print, and how to exit.
struct GateExit {
  int status = 0;
  std::string text;
};

[[nodiscard]] std::expected<GateOptions, GateExit> parse_gate_options(int argc, const char* const* argv);

}  // namespace periplex::apps
