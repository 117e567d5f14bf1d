// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "apps/periplex-gate/confinement.hpp"
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

int complain(const std::string& text) {
  std::fprintf(stderr, "periplex-gate: %s\n", text.c_str());
  return kFailed;
}

/// Whether it is one, which then does not block.
bool is_socket(int descriptor, int wanted) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != wanted) return false;
  return ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0;
}

std::vector<int> given(const apps::GateOptions& options) {
  std::vector<int> descriptors{options.listening, options.parent, options.workers};
  for (const int optional : {options.datagrams, options.root}) {
    if (optional >= 0) descriptors.push_back(optional);
  }
  return descriptors;
}

int run(int argc, const char* const* argv) {
  const auto options = apps::parse_gate_options(argc, argv);
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().status == 0 ? stdout : stderr);
    return options.error().status;
  }
  log::set_level(level_of(options->log_level));
  const bool there = is_socket(options->listening, SOCK_STREAM) && is_socket(options->parent, SOCK_STREAM) &&
                     is_socket(options->workers, SOCK_SEQPACKET) &&
                     (options->datagrams < 0 || is_socket(options->datagrams, SOCK_DGRAM));
  if (!there) return complain("its sockets are not there\nperiplexd starts it; see periplex-gate --help");
  std::signal(SIGPIPE, SIG_IGN);
  // What it needs itself (an epoll, an eventfd) it makes after others are closed and before nothing can be made.
  if (auto done = sandbox::close_others(given(*options)); !done) return complain(done.error());
  apps::GateService service({.listening = UniqueFd(options->listening),
                             .datagrams = UniqueFd(options->datagrams),
                             .parent = UniqueFd(options->parent),
                             .workers = UniqueFd(options->workers)});
  auto confined = apps::confine({.user = options->user, .root = options->root});
  if (!confined) return complain(confined.error());
  for (const std::string& missing : confined->missing) log::warning("gate", "not in force: " + missing);
  service.set_confinement(std::move(*confined));
  service.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
