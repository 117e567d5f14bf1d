// SPDX-License-Identifier: Apache-2.0
#include "loop/acceptor.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

namespace periplex {
namespace {

constexpr Nanoseconds kPauseAfterFailure = std::chrono::milliseconds(100);

}  // namespace

bool Acceptor::suits(const UniqueFd& socket) {
  int type = 0;
  int listening = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

Acceptor::Acceptor(EventLoop& loop, UniqueFd listening, OnClient on_client)
    : loop_(loop),
      listening_(std::move(listening)),
      on_client_(std::move(on_client)),
      pause_(loop.make_timer([this] { start(); })) {}

void Acceptor::start() {
  pause_->cancel();
  watch_ = loop_.watch(listening_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
}

void Acceptor::stop() {
  pause_->cancel();
  watch_.reset();
}

void Acceptor::accept() {
  UniqueFd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) return on_client_(std::move(socket));
  const int error = errno;
  if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return;
  if (limit_.allow(loop_.now())) log::error("loop", fmt::format("cannot accept a client: {}", std::strerror(error)));
  watch_.reset();
  pause_->arm(kPauseAfterFailure);
}

}  // namespace periplex
