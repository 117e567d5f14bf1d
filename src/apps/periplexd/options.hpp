// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

namespace periplex::apps {

/// What a command line of periplexd says.
struct ManagerOptions {
  enum class Command : std::uint8_t { run, invite, seats, forget };

  Command command = Command::run;
  std::string configuration;  ///< empty: none
  std::string seat;           ///< of invite and forget
  std::chrono::minutes valid{60};
  std::string log_level = "info";
};

/// What to print, and how to exit.
struct ManagerExit {
  int status = 0;
  std::string text;
};

[[nodiscard]] std::expected<ManagerOptions, ManagerExit> parse_manager_options(int argc, const char* const* argv);

}  // namespace periplex::apps
