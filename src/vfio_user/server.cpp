// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/server.hpp"

#include "base/check.hpp"

namespace periplex::vfio_user {
namespace {

// Somebody who connects and says nothing would keep the machine's monitor out.
constexpr Nanoseconds kIntroductionTime = std::chrono::seconds(5);

}  // namespace

Server::Server(EventLoop& loop, UniqueFd listening)
    : loop_(loop),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { accept(std::move(socket)); }),
      lines_(loop),
      introduction_(loop.make_timer([this] { disconnect(); })) {}

void Server::serve(pci::Function& function) {
  PERIPLEX_CHECK(function_ == nullptr);
  function_ = &function;
  poller_ = loop_.add_poller([this] { return connection_ && !connection_->congested() && advance(); });
  acceptor_.start();
}

void Server::stop() {
  if (connection_) disconnect();
  acceptor_.stop();
  poller_.reset();
  function_ = nullptr;
}

void Server::accept(UniqueFd socket) {
  acceptor_.stop();
  connection_ = std::make_unique<Connection>(std::move(socket), *function_, memory_, lines_);
  ++past_.clients;
  introduction_->arm(kIntroductionTime);
  waits_for_room_ = false;
  watch_ = loop_.watch(connection_->fd(), EPOLLIN, [this](std::uint32_t) { advance(); });
  if (limit_.allow(loop_.now())) log::info("vfio_user", "a client has connected");
}

bool Server::advance() {
  const auto progress = connection_->advance();
  settle(progress);
  return progress != Connection::Progress::nothing;
}

void Server::settle(Connection::Progress progress) {
  if (progress == Connection::Progress::ended) return disconnect();
  if (introduction_->armed() && connection_->negotiated()) introduction_->cancel();
  if (waits_for_room_ == connection_->congested()) return;
  waits_for_room_ = connection_->congested();
  watch_->set_events(waits_for_room_ ? EPOLLOUT : EPOLLIN);
}

void Server::disconnect() {
  past_.messages += connection_->messages();
  past_.received_bytes += connection_->received_bytes();
  past_.sent_bytes += connection_->sent_bytes();
  introduction_->cancel();
  watch_.reset();
  connection_.reset();  // and its DMA regions with it
  lines_.disarm();
  function_->on_disconnect();
  lines_.forget_pending();  // of the guest that is gone
  if (limit_.allow(loop_.now())) log::info("vfio_user", "the client has disconnected");
  acceptor_.start();
}

Server::Statistics Server::statistics() const {
  Statistics now = past_;
  if (connection_) {
    now.messages += connection_->messages();
    now.received_bytes += connection_->received_bytes();
    now.sent_bytes += connection_->sent_bytes();
  }
  now.mapped_bytes = memory_.mapped_bytes();
  return now;
}

}  // namespace periplex::vfio_user
