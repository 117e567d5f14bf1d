// SPDX-License-Identifier: Apache-2.0
#include "control/server.hpp"

#include <algorithm>
#include <utility>

namespace periplex::control {

Server::Server(EventLoop& loop, UniqueFd listening, machine::Operations& machine)
    : loop_(loop),
      router_(machine),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { accept(std::move(socket)); }) {
  acceptor_.start();
}

void Server::accept(UniqueFd socket) {
  make_room();
  const int fd = socket.get();
  const auto connection = connections_.insert(connections_.end(), {Session(std::move(socket), router_), nullptr});
  connection->watch =
      loop_.watch(fd, EPOLLIN, [this, connection](std::uint32_t events) { on_ready(connection, events); });
}

void Server::make_room() {
  if (connections_.size() < kMaxSessions) return;
  const auto idle = std::ranges::find_if(connections_, [](const Connection& c) { return c.session.idle(); });
  connections_.erase(idle == connections_.end() ? connections_.begin() : idle);
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
