// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/tcp_dialler.hpp"

#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace periplex::apps {

TcpDialler::TcpDialler(EventLoop& loop, Endpoint gate)
    : gate_(std::move(gate)), self_(std::make_shared<TcpDialler*>(this)), pool_(loop, 1), calls_(pool_) {}

void TcpDialler::dial(unsigned failures, OnSocket on_socket) {
  look_up();
  Caller caller{failures, std::move(on_socket)};
  if (!addresses_.empty()) return connect(std::move(caller));
  waiting_.push_back(std::move(caller));
}

void TcpDialler::look_up() {
  if (std::exchange(looking_, true)) return;
  using Found = std::expected<std::vector<Address>, OpenError>;
  const auto found = std::make_shared<Found>();
  calls_.run(
      [found, gate = gate_] {
        *found = resolve_tcp(gate);
        return 0;
      },
      [found, weak = std::weak_ptr(self_)](int) {
        if (const auto self = weak.lock()) (*self)->on_found(std::move(*found));
      });
}

void TcpDialler::on_found(std::expected<std::vector<Address>, OpenError> found) {
  looking_ = false;
  if (found) addresses_ = std::move(*found);
  for (Caller& caller : std::exchange(waiting_, {})) {
    if (addresses_.empty()) {
      caller.on_socket(std::unexpected(found ? "the gate has no address" : found.error().text));
    } else {
      connect(std::move(caller));
    }
  }
}

void TcpDialler::connect(Caller caller) const {
  auto socket = begin_tcp(addresses_[caller.failures % addresses_.size()]);
  if (socket) return caller.on_socket(std::move(*socket));
  caller.on_socket(std::unexpected(
      fmt::format("cannot connect to {} port {}: {}", gate_.host, gate_.port, std::strerror(socket.error()))));
}

}  // namespace periplex::apps
