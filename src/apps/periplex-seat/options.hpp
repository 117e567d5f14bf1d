// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace periplex::apps {

enum class SeatCommand : std::uint8_t { list, watch, join, run, status, take_back, offer };

/// What a command line of periplex-seat says.
struct SeatCommandLine {
  SeatCommand command = SeatCommand::list;
  std::string configuration;  ///< a TOML file; empty: the usual one, if there is one
  bool json = false;
  std::string token;   ///< of join
  std::string gate;    ///< HOST or HOST:PORT; empty: the one that the seat was paired with
  std::string state;   ///< the directory where the pairing is kept; empty: the usual one
  std::string name;    ///< what this computer calls itself; empty: its host name
  std::string target;  ///< id of a peripheral, for take-back and offer
};

/// The command line is wrong, or asked only for help or the version: what to print, and how to exit.
struct SeatEarlyExit {
  int status = 0;
  std::string text;
};

[[nodiscard]] std::expected<SeatCommandLine, SeatEarlyExit> parse_seat_command_line(int argc, const char* const* argv);

/// The configuration file where none is named: the first of $XDG_CONFIG_HOME/periplex/seat.toml (~/.config/… where that
/// is not set) and /etc/periplex/seat.toml that exists. Empty if none does.
[[nodiscard]] std::string usual_configuration();

}  // namespace periplex::apps
