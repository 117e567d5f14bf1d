// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <exception>
#include <unistd.h>

#include "apps/periplex-seat/desk.hpp"
#include "apps/periplex-seat/join.hpp"
#include "apps/periplex-seat/options.hpp"
#include "apps/periplex-seat/run.hpp"
#include "apps/periplex-seat/show.hpp"

namespace {

using namespace periplex;
using apps::SeatCommand;

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

int complain(int status, const std::string& text, const std::string& advice) {
  std::fprintf(stderr, "periplex-seat: %s\n%s\n", text.c_str(), advice.c_str());
  return status;
}

std::string own_name(const apps::SeatCommandLine& line) {
  if (!line.name.empty()) return line.name;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "seat";
}

int join(const apps::SeatCommandLine& line, const std::string& directory) {
  const auto token = link::Token::parse(line.token);
  if (!token) return complain(kUsageError, "this is no token", "copy it as the host has printed it, all of it");
  if (line.gate.empty()) return complain(kUsageError, "which host?", "write --gate HOST, or HOST:PORT");
  const auto name = apps::join({*token, line.gate, own_name(line), directory});
  if (!name) return complain(kFailed, name.error().text, name.error().advice);
  std::printf("This seat is called %s at %s.\n", name->c_str(), line.gate.c_str());
  return 0;
}

int run_agent(const apps::SeatCommandLine& line, const std::string& directory, seat::Configuration configuration) {
  auto pairing = apps::read_pairing(directory);
  if (!pairing) return complain(kFailed, pairing.error(), "choose another directory with --state");
  if (!*pairing) {
    return complain(kFailed, "this seat has not been paired with a host",
                    "get a token there, and give it to periplex-seat join");
  }
  if (!line.gate.empty()) (*pairing)->gate = line.gate;
  const auto done = apps::run_seat({std::move(configuration), std::move(**pairing), own_name(line)});
  return done ? 0 : complain(kFailed, done.error().text, done.error().advice);
}

int ask(const std::string& request) {
  const auto answer = apps::ask_desk(request);
  if (!answer) return complain(kFailed, answer.error().text, answer.error().advice);
  const bool error = answer->starts_with("error");
  if (*answer != "ok\n") std::fputs(answer->c_str(), error ? stderr : stdout);
  return error ? kFailed : 0;
}

int work(const apps::SeatCommandLine& line, seat::Configuration configuration) {
  const std::string directory = line.state.empty() ? apps::usual_state_directory() : line.state;
  switch (line.command) {
    case SeatCommand::list:
    case SeatCommand::watch:
      apps::show(configuration, line);
      return 0;
    case SeatCommand::join:
    case SeatCommand::run:
      if (directory.empty()) return complain(kUsageError, "this user has no state directory", "name one with --state");
      return line.command == SeatCommand::join ? join(line, directory)
                                               : run_agent(line, directory, std::move(configuration));
    case SeatCommand::status:
      return ask("status");
    case SeatCommand::take_back:
      return ask("take-back " + line.target);
    case SeatCommand::offer:
      return ask("offer " + line.target);
  }
  return kFailed;
}

int run(int argc, const char* const* argv) {
  const auto line = apps::parse_seat_command_line(argc, argv);
  if (!line) {
    std::fputs(line.error().text.c_str(), line.error().status == 0 ? stdout : stderr);
    return line.error().status;
  }
  seat::Configuration configuration;
  const std::string path = line->configuration.empty() ? apps::usual_configuration() : line->configuration;
  if (!path.empty()) {
    auto read = seat::read_configuration(path);
    if (!read) return complain(kUsageError, read.error().text, read.error().advice);
    configuration = std::move(*read);
  }
  return work(*line, std::move(configuration));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex-seat: %s\n", error.what());
    return kFailed;
  }
}
