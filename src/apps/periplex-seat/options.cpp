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
    "Lends peripherals of this computer to machines of a host: USB devices, and keyboards and pointers of other "
    "kinds.\n"
    "Rules in a configuration file decide which; without rules nothing is offered.";

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

PAIRING (join)
  The host prints a token (periplexd invite); `periplex-seat join TOKEN --gate HOST` takes it, once. From then on this
  seat trusts that host, and no other. Its key and certificate are in the state directory: /var/lib/periplex-seat for
  root, $XDG_STATE_HOME/periplex-seat for others (~/.local/state if that is not set).

EXIT STATUS
  0 done, or ended by SIGINT or SIGTERM; 1 failed; 2 wrong usage or configuration.)";

void add_options(CLI::App& app, SeatCommandLine& line) {
  app.add_option("--config", line.configuration, "Read rules from this TOML file, see below")->type_name("FILE");
  app.add_option("--state", line.state, "join, run: keep the pairing in this directory, see below")->type_name("DIR");
  app.add_option("--gate", line.gate, "The host; run: another address than the one of join")->type_name("HOST[:PORT]");
  app.add_option("--name", line.name, "join, run: what this computer calls itself; else its host name");
  app.add_flag("--json", line.json, "list, watch: print JSON; watch: one object a line");
}

void add_commands(CLI::App& app, SeatCommandLine& line) {
  const auto command = [&](const char* name, SeatCommand value, const char* text) {
    CLI::App* const added = app.add_subcommand(name, text);
    added->callback([&line, value] { line.command = value; });
    return added;
  };
  command("list", SeatCommand::list, "Show what is plugged in, what of it is offered, and by which rule");
  command("watch", SeatCommand::watch, "The same, and what comes and goes from then on");
  command("join", SeatCommand::join, "Pair this seat with a host, by a token that the host has printed")
      ->add_option("TOKEN", line.token)
      ->required();
  command("run", SeatCommand::run, "Offer peripherals to the host, and lend them to its machines, until a signal");
  command("status", SeatCommand::status, "Show what the agent that runs does");
  command("take-back", SeatCommand::take_back, "Have a peripheral back, from whatever machine has it")
      ->add_option("ID", line.target)
      ->required();
  command("offer", SeatCommand::offer, "Offer again what was taken back")->add_option("ID", line.target)->required();
}

}  // namespace

std::expected<SeatCommandLine, SeatEarlyExit> parse_seat_command_line(int argc, const char* const* argv) {
  SeatCommandLine line;
  CLI::App app(kDescription, "periplex-seat");
  app.set_version_flag("--version", "periplex-seat " PERIPLEX_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  add_options(app, line);
  add_commands(app, line);
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
