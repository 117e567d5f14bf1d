// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "apps/periplexd/gate_process.hpp"
#include "apps/periplexd/settings.hpp"
#include "apps/periplexd/store.hpp"
#include "apps/periplexd/workers.hpp"

namespace periplex::apps {

/// The connection manager in its smallest form: it starts the gate and the workers and keeps them running, tells the
/// gate who may come and who may have what, lets seats in that have a token, and writes down what the gate tells.
///
/// When it is killed the gate ends, as it has no parent any more, and workers go on; the next one takes them on.
class Daemon {
 public:
  /// `programs`: the directory where periplex-gate and periplex-machine are. `path` is read again on SIGHUP.
  [[nodiscard]] static std::expected<std::unique_ptr<Daemon>, std::string> start(std::string path,
                                                                                 const std::string& programs);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  /// Until SIGTERM or SIGINT, and all it has started has ended.
  void run();

 private:
  /// How long those it has started may take to end.
  static constexpr Nanoseconds kEndTime = std::chrono::seconds(20);

  Daemon(std::string path, ManagerSettings settings, Store store, link::Credentials gate, const std::string& programs);

  [[nodiscard]] std::expected<void, std::string> start_gate(const std::string& programs);
  void watch_signals();
  void on_signal();
  void reload();
  void configure_gate();
  void gate_reported(const gate::Report& report);
  void stop();
  [[nodiscard]] std::string state_file() const;

  const std::string path_;
  ManagerSettings settings_;
  const Store store_;
  const link::Credentials gate_credentials_;
  UniqueFd lock_;
  EventLoop loop_;
  UniqueFd signals_;
  std::unique_ptr<EventLoop::Watch> signal_watch_;
  Workers workers_;
  std::optional<GateProcess> gate_;
  unsigned ending_ = 0;
  bool stopping_ = false;
  std::unique_ptr<Timer> patience_;
};

}  // namespace periplex::apps
