// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "apps/periplex/terminal.hpp"
#include "host/io_pool.hpp"
#include "loop/event_loop.hpp"
#include "machine/plugged.hpp"

namespace periplex::apps {

/// What serving peripherals without a machine stands on, whatever the protocol: a loop that SIGTERM and SIGINT end,
/// threads for disks, what is typed, and images that are durable at the end.
class Serving {
 public:
  Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving();

  [[nodiscard]] EventLoop& loop() { return loop_; }

  /// Makes the peripheral that `specification` describes; one without an id is named after its kind and its number.
  [[nodiscard]] std::expected<std::unique_ptr<machine::Plugged>, Failure> make(const std::string& specification);
  /// A listening socket at `where`, ADDRESS:PORT.
  [[nodiscard]] static std::expected<UniqueFd, Failure> listen(const std::string& where, std::uint16_t default_port);

  /// Returns after SIGTERM or SIGINT. What comes on standard input is typed at `keyboard`, unless that is null.
  void run(machine::Plugged* keyboard);
  /// Makes durable what was written. The peripherals must be gone.
  void finish();

 private:
  UniqueFd signals_;  // made before there are threads, which inherit what is blocked
  EventLoop loop_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<host::IoPool> pool_;
  std::vector<std::shared_ptr<const host::ImageLock>> locks_;
  unsigned made_ = 0;
};

}  // namespace periplex::apps
