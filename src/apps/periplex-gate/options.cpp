// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "Takes the connections of seats, and passes the streams of their peripherals on to the workers of machines.\n"
    "periplexd starts it. It opens no file, holds no store, and knows only what its parent tells it; what it does not\n"
    "need it gives up before it serves (docs/gate.md).";

constexpr const char* kFooter = R"(DESCRIPTORS
  --listen FD     a listening TCP socket
  --datagrams FD  a UDP socket at the same port, for what datagrams repeat; without it seats are told that none are taken
  --parent FD     a connected stream socket: one JSON object a line, in both directions (docs/gate.md). Nobody is taken
                  in before a configuration has come. The gate ends when the parent does.
  --workers FD    a connected socket of type SOCK_SEQPACKET, where it asks for connections to the workers of machines
  --root FD       an empty directory, which becomes its root
  All other descriptors above standard error are closed.

EXIT STATUS
  0 the parent has ended it, 1 could not start, 2 wrong usage.)";

std::optional<sandbox::User> parse_user(std::string_view text) {
  sandbox::User user;
  const char* const end = text.data() + text.size();
  const auto [colon, bad_user] = std::from_chars(text.data(), end, user.user);
  if (bad_user != std::errc{} || colon == end || *colon != ':') return std::nullopt;
  const auto [last, bad_group] = std::from_chars(colon + 1, end, user.group);
  if (bad_group != std::errc{} || last != end) return std::nullopt;
  return user;
}

}  // namespace

std::expected<GateOptions, GateExit> parse_gate_options(int argc, const char* const* argv) {
  GateOptions options;
  std::string user;
  CLI::App app(kDescription, "periplex-gate");
  app.set_version_flag("--version", "periplex-gate " PERIPLEX_VERSION);
  app.footer(kFooter);
  app.add_option("--listen", options.listening, "Where seats connect")->type_name("FD")->required();
  app.add_option("--datagrams", options.datagrams, "Where datagrams of seats arrive")->type_name("FD");
  app.add_option("--parent", options.parent, "Who says what it is to do")->type_name("FD")->required();
  app.add_option("--workers", options.workers, "Who connects it to workers")->type_name("FD")->required();
  app.add_option("--root", options.root, "What it shall see of the file system")->type_name("FD");
  app.add_option("--user", user, "Who it becomes, where it is root")->type_name("UID:GID");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error (default: info)")->type_name("LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app.exit(error, out, ignored) == 0) return std::unexpected(GateExit{0, std::move(out).str()});
    return std::unexpected(
        GateExit{kUsageError, fmt::format("periplex-gate: {}\nSee periplex-gate --help.\n", error.what())});
  }
  if (!user.empty()) options.user = parse_user(user);
  const bool good = user.empty() || options.user;
  if (good) return options;
  return std::unexpected(GateExit{kUsageError, fmt::format("periplex-gate: \"{}\" is no UID:GID\n", user)});
}

}  // namespace periplex::apps
