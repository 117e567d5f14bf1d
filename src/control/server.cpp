// SPDX-License-Identifier: Apache-2.0
#include "control/server.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace periplex::control {

Server::Server(EventLoop& loop, UniqueFd listening, machine::Operations& machine)
    : loop_(loop),
      listening_(std::move(listening)),
      router_(machine),
      watch_(loop_.watch(listening_.get(), EPOLLIN, [this](std::uint32_t) { accept(); })) {}

void Server::accept() {
  UniqueFd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !make_room()) return;
  const int fd = socket.get();
  const auto connection = connections_.insert(connections_.end(), {Session(std::move(socket), router_), nullptr});
  connection->watch =
      loop_.watch(fd, EPOLLIN, [this, connection](std::uint32_t events) { on_ready(connection, events); });
}

bool Server::make_room() {
  if (connections_.size() < kMaxSessions) return true;
  const auto idle = std::ranges::find_if(connections_, [](const Connection& c) { return c.session.idle(); });
  if (idle == connections_.end()) return false;
  connections_.erase(idle);
  return true;
}

void Server::on_ready(Connections::iterator connection, std::uint32_t events) {
  const std::uint32_t before = connection->session.wanted_events();
  if (!connection->session.on_ready(events)) {
    connections_.erase(connection);
    return;
  }
  const std::uint32_t wanted = connection->session.wanted_events();
  if (wanted != before) connection->watch->set_events(wanted);
  connections_.splice(connections_.end(), connections_, connection);
}

}  // namespace periplex::control
