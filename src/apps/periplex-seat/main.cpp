// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "apps/periplex-seat/options.hpp"
#include "apps/periplex-seat/show.hpp"

namespace {

using namespace periplex;

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

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
    if (!read) {
      std::fprintf(stderr, "periplex-seat: %s\n%s\n", read.error().text.c_str(), read.error().advice.c_str());
      return kUsageError;
    }
    configuration = std::move(*read);
  }
  apps::show(configuration, *line);
  return 0;
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
