// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "base/log.hpp"
#include "loop/event_loop.hpp"

namespace periplex {

/// Accepts clients on a listening socket while it is started; it begins stopped.
///
/// Where a client cannot be accepted (out of descriptors, most likely) it pauses for a moment: the socket stays
/// readable, and would wake the loop again and again.
class Acceptor {
 public:
  /// Gets the client's socket, which does not block. May call `stop` and `start`.
  using OnClient = std::function<void(UniqueFd)>;

  /// Whether `socket` is one: a stream socket that listens.
  [[nodiscard]] static bool suits(const UniqueFd& socket);

  Acceptor(EventLoop& loop, UniqueFd listening, OnClient on_client);

  void start();
  void stop();

 private:
  void accept();

  EventLoop& loop_;
  UniqueFd listening_;
  OnClient on_client_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<Timer> pause_;
  log::RateLimit limit_;
};

}  // namespace periplex
