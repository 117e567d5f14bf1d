// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;
constexpr const char* kSystemConfiguration = "/etc/periplex/seat.toml";

constexpr const char* kDescription =
    "Tells which peripherals of this computer machines may have: USB devices, and keyboards and pointers of other "
    "kinds.\n"
    "Rules in a configuration file decide; without rules nothing is offered.";

constexpr const char* kFooter = R"(CONFIGURATION FILE (--config)
  Without --config it is the first of these that exists: $XDG_CONFIG_HOME/periplex/seat.toml (~/.config if that is not
  set), /etc/periplex/seat.toml. The first rule that fits decides; what none fits is not offered, and hubs never are.

  [[rule]]
  name = "sticks"                    # optional, for messages
  action = "allow"                   # allow, deny, or ask: the person at the seat
  only-interface-classes = [8]       # all its interfaces are of these classes
  [[rule]]
  action = "deny"
  vendor = 0x046d                    # also: product, class (of the device), interface-class (some interface has it),
  serial = "42"                      # serial, place (as "1-2.3"), kind ("usb" or "input")

  [input]                            # keyboards and pointers that are no USB devices
  offer = true
  grab = true                        # this computer does not use one while a machine has it

EXIT STATUS
  0 done, or ended by SIGINT or SIGTERM; 1 failed; 2 wrong usage or configuration.)";

}  // namespace

std::expected<SeatCommandLine, SeatEarlyExit> parse_seat_command_line(int argc, const char* const* argv) {
  SeatCommandLine line;
  CLI::App app(kDescription, "periplex-seat");
  app.set_version_flag("--version", "periplex-seat " PERIPLEX_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--config", line.configuration, "Read rules from this TOML file, see below")->type_name("FILE");
  app.add_flag("--json", line.json, "Print JSON; watch: one object a line");
  app.add_subcommand("list", "Show what is plugged in, what of it is offered, and by which rule")->callback([&] {
    line.command = SeatCommand::list;
  });
  app.add_subcommand("watch", "The same, and what comes and goes from then on")->callback([&] {
    line.command = SeatCommand::watch;
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(SeatEarlyExit{0, std::move(out).str()});
    return std::unexpected(
        SeatEarlyExit{kUsageError, fmt::format("periplex-seat: {}\nSee periplex-seat --help.\n", error.what())});
  }
  return line;
}

std::string usual_configuration() {
  namespace fs = std::filesystem;
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  fs::path directory = variable("XDG_CONFIG_HOME");
  if (directory.empty() && !variable("HOME").empty()) directory = variable("HOME") / ".config";
  std::error_code error;
  const fs::path own = directory / "periplex" / "seat.toml";
  if (!directory.empty() && fs::exists(own, error)) return own.string();
  return fs::exists(kSystemConfiguration, error) ? kSystemConfiguration : "";
}

}  // namespace periplex::apps
