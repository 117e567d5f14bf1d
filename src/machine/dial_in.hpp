// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "loop/acceptor.hpp"

namespace periplex::machine {

/// Waits for the far end of one peripheral to connect, and again whenever it is lost. One is let in at a time; whoever
/// connects meanwhile waits in the socket's own queue.
///
/// Strangers connect as well. One that is not what was waited for within `kPatience` makes room for the next. Each that
/// was may have cost the guest a hot-plug, so the next has to wait for `kPause`.
class DialIn {
 public:
  static constexpr Nanoseconds kPatience = std::chrono::seconds(10);
  static constexpr Nanoseconds kPause = std::chrono::seconds(1);

  struct Events {
    std::function<void(UniqueFd)> connected;
    /// Patience is at its end: whoever has connected is to be sent away, and `lost` to be called.
    std::function<void()> no_answer;
  };

  DialIn(EventLoop& loop, UniqueFd listening, Events events);
  DialIn(const DialIn&) = delete;
  DialIn& operator=(const DialIn&) = delete;

  /// Whoever has connected is the one.
  void answered() { patience_->cancel(); }
  /// It is gone: another may come.
  void lost();
  /// Nobody is let in any more.
  void stop();

 private:
  void on_connection(UniqueFd socket);

  const Events events_;
  Acceptor acceptor_;
  std::unique_ptr<Timer> patience_;
  std::unique_ptr<Timer> pause_;
};

}  // namespace periplex::machine
