// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "apps/periplex-machine/options.hpp"
#include "apps/periplex-machine/worker.hpp"
#include "base/log.hpp"
#include "base/trace.hpp"

namespace {

using namespace periplex;

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

int complain(const apps::SettingsError& error, int status) {
  std::fprintf(stderr, "periplex-machine: %s\n%s\n", error.text.c_str(), error.advice.c_str());
  return status;
}

int run(int argc, const char* const* argv) {
  auto line = apps::parse_command_line(argc, argv);
  if (!line) {
    std::fputs(line.error().text.c_str(), line.error().status == 0 ? stdout : stderr);
    return line.error().status;
  }
  if (!line->configuration.empty()) {
    auto file = apps::read_configuration(line->configuration);
    if (!file) return complain(file.error(), kUsageError);
    line->settings = apps::merge(std::move(line->settings), std::move(*file));
  }
  const auto plan = apps::make_plan(line->settings);
  if (!plan) return complain(plan.error(), kUsageError);
  log::set_level(plan->log_level);
  trace::enabled = line->trace;
  const auto worker = apps::Worker::start(*plan);
  if (!worker) return complain(worker.error(), kFailed);
  if (!line->unconfined) (*worker)->confine();
  std::puts((*worker)->ready_line(line->json).c_str());
  std::fflush(stdout);
  (*worker)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex-machine: %s\n", error.what());
    return kFailed;
  }
}
