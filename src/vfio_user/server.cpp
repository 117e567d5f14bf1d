// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/server.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

#include "base/check.hpp"

namespace periplex::vfio_user {
namespace {

constexpr Nanoseconds kPauseAfterFailure = std::chrono::milliseconds(100);
// Somebody who connects and says nothing would keep the machine's monitor out.
constexpr Nanoseconds kIntroductionTime = std::chrono::seconds(5);

}  // namespace

Server::Server(EventLoop& loop, UniqueFd listening)
    : loop_(loop),
      listening_(std::move(listening)),
      lines_(loop),
      pause_(loop.make_timer([this] { listen(); })),
      introduction_(loop.make_timer([this] { disconnect(); })) {}

void Server::serve(pci::Function& function) {
  PERIPLEX_CHECK(function_ == nullptr);
  function_ = &function;
  poller_ = loop_.add_poller([this] { return connection_ && !connection_->congested() && advance(); });
  listen();
}

void Server::stop() {
  if (connection_) disconnect();
  pause_->cancel();
  watch_.reset();
  poller_.reset();
  function_ = nullptr;
}

void Server::listen() {
  watch_ = loop_.watch(listening_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
}

void Server::accept() {
  UniqueFd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    if (limit_.allow(loop_.now()))
      log::error("vfio_user", fmt::format("cannot accept a client: {}", std::strerror(errno)));
    watch_.reset();  // out of descriptors, most likely: it would be reported again and again
    pause_->arm(kPauseAfterFailure);
    return;
  }
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
  listen();
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
