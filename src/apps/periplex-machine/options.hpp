// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "apps/periplex-machine/settings.hpp"

namespace periplex::apps {

/// What a command line of periplex-machine says.
struct CommandLine {
  Settings settings;
  std::string configuration;  ///< a TOML file; empty: none
  bool trace = false;
  bool unconfined = false;
  bool json = false;
};

/// The command line is wrong, or asked only for help or the version: what to print, and how to exit.
struct EarlyExit {
  int status = 0;
  std::string text;
};

[[nodiscard]] std::expected<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv);

}  // namespace periplex::apps
