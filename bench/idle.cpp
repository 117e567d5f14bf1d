// SPDX-License-Identifier: Apache-2.0
#include "bench/idle.hpp"

#include <charconv>
#include <fstream>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "bench/software_guest.hpp"
#include "bench/worker.hpp"

namespace periplex::bench {
namespace {

constexpr std::uint64_t kRamSize = std::uint64_t{64} << 20;
constexpr Microseconds kSpin{50};
constexpr unsigned kSettleSeconds = 1;

/// The number behind `key` in /proc/PID/status (sizes are in KiB).
std::uint64_t process_status(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key + ":")) continue;
    const std::size_t at = line.find_first_of("0123456789");
    std::uint64_t value = 0;
    if (at != std::string::npos) std::from_chars(line.data() + at, line.data() + line.size(), value);
    return value;
  }
  throw std::runtime_error("/proc has no " + key);
}

}  // namespace

IdleResult measure_idle(unsigned seconds) {
  const Worker worker({.spin = kSpin});
  const SoftwareGuest guest(worker.socket_path(), kRamSize);
  ::sleep(kSettleSeconds);
  // A sleeping thread gives its processor away once per wake-up.
  const std::uint64_t before = process_status(worker.pid(), "voluntary_ctxt_switches");
  ::sleep(seconds);
  const std::uint64_t after = process_status(worker.pid(), "voluntary_ctxt_switches");
  const std::uint64_t anonymous = process_status(worker.pid(), "RssAnon");
  const std::uint64_t files = process_status(worker.pid(), "RssFile");
  return {.seconds = seconds,
          .wakeups = after - before,
          .resident_bytes = (anonymous + files) * 1024,
          .private_bytes = anonymous * 1024};
}

}  // namespace periplex::bench
