// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "control/router.hpp"
#include "control/session.hpp"
#include "loop/acceptor.hpp"
#include "loop/event_loop.hpp"

namespace periplex::control {

/// The control API on a listening Unix socket, served on the machine's own loop, without a timer of its own.
///
/// Who may connect is decided by the socket's owner and mode. There are at most `kMaxSessions` connections: one more
/// takes the place of the one that has been idle the longest or, where all are in the middle of a request, of the one
/// that has been silent the longest.
class Server {
 public:
  static constexpr std::size_t kMaxSessions = 16;

  Server(EventLoop& loop, UniqueFd listening, machine::Operations& machine);

  [[nodiscard]] std::size_t sessions() const { return connections_.size(); }

 private:
  struct Connection {
    Session session;
    std::unique_ptr<EventLoop::Watch> watch;
  };
  using Connections = std::list<Connection>;  // the one that was active last stands at the back

  void accept(UniqueFd socket);
  void make_room();
  void on_ready(Connections::iterator connection, std::uint32_t events);

  EventLoop& loop_;
  Router router_;
  Connections connections_;
  Acceptor acceptor_;
};

}  // namespace periplex::control
