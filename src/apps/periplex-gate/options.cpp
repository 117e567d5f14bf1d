// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sstream>

namespace periplex::apps {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "Takes the connections of seats, and passes the streams of their peripherals on to the workers of machines.\n"
    "periplexd starts it. It opens no file, holds no store, and knows only what its parent tells it.";

constexpr const char* kFooter = R"(DESCRIPTORS
  --listen FD     a listening TCP socket
  --parent FD     a connected stream socket: one JSON object a line, in both directions (docs/gate.md). Nobody is taken
                  in before a configuration has come. The gate ends when the parent does.
  All other descriptors above standard error are closed.

EXIT STATUS
  0 the parent has ended it, 1 could not start, 2 wrong usage.)";

}  // namespace

std::expected<GateOptions, GateExit> parse_gate_options(int argc, const char* const* argv) {
  GateOptions options;
  CLI::App app(kDescription, "periplex-gate");
  app.set_version_flag("--version", "periplex-gate " PERIPLEX_VERSION);
  app.footer(kFooter);
  app.add_option("--listen", options.listening, "Where seats connect")->type_name("FD")->required();
  app.add_option("--parent", options.parent, "Who says what it is to do")->type_name("FD")->required();
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
  return options;
}

}  // namespace periplex::apps
