// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;
constexpr unsigned kMaxMinutes = 60 * 24 * 7;

constexpr const char* kDescription =
    "Manages a host: starts the gate, to which seats connect, and the workers of machines; knows who may come, and\n"
    "which machine may have which peripheral.";

constexpr const char* kFooter = R"(CONFIGURATION FILE (--config)
  state-dir = "/var/lib/periplex"     # its authority, and who has been let in
  runtime-dir = "/run/periplex"
  [gate]
  name = "host"
  listen = "[::]:24817"
  # user = "periplex-gate"            # whom the gate becomes when root starts it; default: this one, else nobody
  datagrams = true                    # what is urgent is repeated in datagrams, at the UDP port of the same number
  [[machine]]
  name = "vm1"
  start = true                        # start its worker: periplex-machine --name vm1 --streams ...
  config = "vm1.toml"                 # of the worker
  # streams = "..."                   # its stream socket; default: RUNTIME-DIR/NAME/streams.sock
  [machine.remote-disks]              # its disks at seats, where a peripheral's own settings do not say
  read-ahead = "32M"                  # on (16M), off, or a size; write-cache (off) likewise; terminate = false tunnels
  [[binding]]                         # what a machine may have; the first that fits counts
  seat = "desk-*"                     # patterns: * and ?
  peripheral = "*"
  machine = "vm1"
  [[limit]]                           # how many peripherals a seat may have lent at once; the first that fits counts
  seat = "desk-*"
  peripherals = 4
  [[peripheral]]                      # settled once, for any guest; the first that fits counts
  peripheral = "desk-7/usb:1-2"       # SEAT/ID, or the id of a machine's own peripheral; patterns: * and ?
  readonly = true                     # of a disk: nothing is written
  # vendor, product, manufacturer, name, serial: what guests see; interval-ms: how often they ask a keyboard or pointer
  Relative paths are relative to the file. For others than root the defaults are in $XDG_STATE_HOME (~/.local/state)
  and $XDG_RUNTIME_DIR.

LETTING A SEAT IN
  periplexd invite desk-7 prints a token, which is good for one seat and one hour. The seat's agent needs that and this
  host's address, and nothing else. What the seat offers goes into a machine once a [[binding]] allows it and the
  machine has it attached: periplex attach seat,peripheral=desk-7/ID

FILES
  STATE-DIR/authority.key   who may read it can let seats in
  STATE-DIR/seats/          a certificate for each seat that may come
  RUNTIME-DIR/gate.json     seats, what they offer, which machines have it, and how the gate is confined

SIGNALS
  SIGHUP: machines, bindings, limits and seats are read again. What has not changed goes on undisturbed; the worker of a machine
  that is gone ends; a file with a mistake changes nothing. SIGTERM and SIGINT: what it has started is ended.
  When it is killed, the workers of machines go on, and the next periplexd takes them on.

EXIT STATUS
  0 done, or ended by a signal; 1 failed; 2 wrong usage.)";

}  // namespace

std::expected<ManagerOptions, ManagerExit> parse_manager_options(int argc, const char* const* argv) {
  using Command = ManagerOptions::Command;
  ManagerOptions options;
  unsigned minutes = static_cast<unsigned>(options.valid.count());
  CLI::App app(kDescription, "periplexd");
  app.set_version_flag("--version", "periplexd " PERIPLEX_VERSION);
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.add_option("--config", options.configuration, "Read settings from a TOML file, see below")->type_name("FILE");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error (default: info)")->type_name("LEVEL");
  CLI::App* const invite = app.add_subcommand("invite", "Print a token that lets one seat in, once");
  invite->add_option("name", options.seat, "What the seat will be called")->required();
  invite->add_option("--minutes", minutes, "How long the token is good (default: 60)")
      ->check(CLI::Range(1u, kMaxMinutes));
  CLI::App* const seats = app.add_subcommand("seats", "List the seats that may come");
  CLI::App* const forget = app.add_subcommand("forget", "Let a seat come no more; then send periplexd SIGHUP");
  forget->add_option("name", options.seat, "The seat")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(ManagerExit{0, std::move(out).str()});
    return std::unexpected(
        ManagerExit{kUsageError, fmt::format("periplexd: {}\nSee periplexd --help.\n", error.what())});
  }
  options.valid = std::chrono::minutes(minutes);
  if (invite->parsed()) options.command = Command::invite;
  if (seats->parsed()) options.command = Command::seats;
  if (forget->parsed()) options.command = Command::forget;
  return options;
}

}  // namespace periplex::apps
