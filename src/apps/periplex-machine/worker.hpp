// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "apps/periplex-machine/settings.hpp"
#include "control/server.hpp"
#include "loop/event_loop.hpp"
#include "loop/unix_listener.hpp"
#include "machine/machine.hpp"

namespace periplex::apps {

/// One machine as a process: everything its plan names is opened by `start`; after that nothing is.
class Worker {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<Worker>, SettingsError> start(const Plan& plan);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Removes the sockets, and the runtime directory if it was made here.
  ~Worker();

  /// Gives up what it does not need to serve.
  void confine();
  /// Serves until SIGTERM or SIGINT.
  void run();
  /// One line that tells what is ready, and how a monitor attaches.
  [[nodiscard]] std::string ready_line(bool json) const;

 private:
  explicit Worker(const Plan& plan) : plan_(plan) {}

  [[nodiscard]] std::expected<void, SettingsError> keep_processors_awake();
  [[nodiscard]] std::expected<void, SettingsError> make_directory();
  [[nodiscard]] std::expected<void, SettingsError> take_directory(mode_t mode);
  /// A socket that is removed at the end.
  [[nodiscard]] std::expected<UniqueFd, SettingsError> listen(const UnixListenerOptions& options);
  [[nodiscard]] std::expected<void, SettingsError> make_machine();
  [[nodiscard]] std::expected<void, SettingsError> attach(const machine::Description& description);
  [[nodiscard]] std::expected<void, SettingsError> start_capture(const std::string& path);
  void watch_signals();

  const Plan plan_;
  bool made_directory_ = false;
  std::vector<std::string> sockets_;  // made here, to be removed
  EventLoop loop_;
  UniqueFd signals_;
  std::unique_ptr<EventLoop::Watch> signal_watch_;
  std::unique_ptr<machine::Machine> machine_;
  std::unique_ptr<control::Server> control_;
};

}  // namespace periplex::apps
