// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <filesystem>

#include "apps/periplexd/daemon.hpp"
#include "apps/periplexd/options.hpp"
#include "apps/periplexd/settings.hpp"
#include "apps/periplexd/store.hpp"
#include "base/log.hpp"

namespace {

using namespace periplex;
using Command = apps::ManagerOptions::Command;

constexpr int kFailed = 1;

int complain(const std::string& text) {
  std::fprintf(stderr, "periplexd: %s\n", text.c_str());
  return kFailed;
}

log::Level level_of(const std::string& text) {
  if (text == "debug") return log::Level::debug;
  if (text == "warning") return log::Level::warning;
  return text == "error" ? log::Level::error : log::Level::info;
}

int run_daemon(const apps::ManagerOptions& options) {
  // The others are installed beside this one.
  std::error_code error;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return complain("cannot find the other programs: " + error.message());
  std::string path = options.configuration;
  if (!path.empty()) path = std::filesystem::absolute(path).string();
  const auto daemon = apps::Daemon::start(path, own.parent_path().string());
  if (!daemon) return complain(daemon.error());
  std::puts("periplexd is ready");
  std::fflush(stdout);
  (*daemon)->run();
  return 0;
}

int use_store(const apps::ManagerOptions& options) {
  const auto settings = apps::read_manager_settings(options.configuration);
  if (!settings) return complain(settings.error());
  const auto store = apps::Store::open(settings->state_directory);
  if (!store) return complain(store.error());
  if (options.command == Command::seats) {
    for (const auto& seat : store->seats()) std::printf("%s  %s\n", seat.name.c_str(), seat.fingerprint.c_str());
    return 0;
  }
  if (options.command == Command::forget) {
    const auto forgotten = store->forget(options.seat);
    if (!forgotten) return complain(forgotten.error());
    return *forgotten ? 0 : complain("there is no seat \"" + options.seat + "\"");
  }
  const auto token = store->invite(options.seat, std::chrono::system_clock::now(), options.valid);
  if (!token) return complain(token.error());
  std::puts(token->text().c_str());
  return 0;
}

int run(int argc, const char* const* argv) {
  const auto options = apps::parse_manager_options(argc, argv);
  if (!options) {
    std::fputs(options.error().text.c_str(), options.error().status == 0 ? stdout : stderr);
    return options.error().status;
  }
  log::set_level(level_of(options->log_level));
  return options->command == Command::run ? run_daemon(*options) : use_store(*options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
