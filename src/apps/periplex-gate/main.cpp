// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>

#include "apps/periplex-gate/options.hpp"
#include "apps/periplex-gate/service.hpp"
#include "base/log.hpp"

namespace {

using namespace periplex;

constexpr int kFailed = 1;

log::Level level_of(const std::string& text) {
  if (text == "debug") return log::Level::debug;
  if (text == "warning") return log::Level::warning;
  return text == "error" ? log::Level::error : log::Level::info;
}

void make_nonblocking(int descriptor) {
  (void)::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

int run(int argc, const char* const* argv) {
  const auto options = apps::parse_gate_options(argc, argv);
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().status == 0 ? stdout : stderr);
    return options.error().status;
  }
  log::set_level(level_of(options->log_level));
  if (const auto done = apps::give_up_privileges(options->listening, options->parent); !done) {
    std::fprintf(stderr, "periplex-gate: %s\nperiplexd starts it; see periplex-gate --help\n", done.error().c_str());
    return kFailed;
  }
  std::signal(SIGPIPE, SIG_IGN);
  make_nonblocking(options->listening);
  make_nonblocking(options->parent);
  apps::GateService service{UniqueFd(options->listening), UniqueFd(options->parent)};
  service.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex-gate: %s\n", error.what());
    return kFailed;
  }
}
