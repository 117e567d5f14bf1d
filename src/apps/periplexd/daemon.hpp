// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "apps/periplexd/child.hpp"
#include "apps/periplexd/settings.hpp"
#include "apps/periplexd/store.hpp"
#include "gate/documents.hpp"
#include "gate/lines.hpp"
#include "loop/byte_stream.hpp"

namespace periplex::apps {

/// The connection manager in its smallest form: it starts the gate and the workers and keeps them running, tells the
/// gate who may come and who may have what, lets seats in that have a token, and writes down what the gate tells.
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

  Daemon(std::string path, ManagerSettings settings, Store store, link::Credentials gate, std::string programs);

  [[nodiscard]] std::expected<void, std::string> listen();
  void watch_signals();
  void on_signal();
  void start_gate();
  void start_workers();
  void reload();
  void configure_gate();
  void gate_said(ByteView bytes);
  void gate_reported(std::string_view line);
  void say(std::string_view line);
  void stop();
  void one_has_ended();

  const std::string path_;
  ManagerSettings settings_;
  const Store store_;
  const link::Credentials gate_credentials_;
  const std::string programs_;
  EventLoop loop_;
  UniqueFd listening_;
  UniqueFd signals_;
  std::unique_ptr<EventLoop::Watch> signal_watch_;
  UniqueFd gates_end_;  // while the gate is being started
  gate::LineReader lines_;
  std::unique_ptr<ByteStream> gate_;
  std::vector<std::unique_ptr<Child>> children_;
  std::vector<std::string> started_;  // machines whose workers are among them
  std::size_t ending_ = 0;
  bool stopping_ = false;
  std::unique_ptr<Timer> patience_;
};

}  // namespace periplex::apps
