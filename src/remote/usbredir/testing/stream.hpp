// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bytes.hpp"
#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::remote::usbredir::testing {

/// A connected socket on the loop, for programs that try the protocol with real peers.
class Stream {
 public:
  using OnBytes = std::function<void(ByteView)>;

  Stream(EventLoop& loop, UniqueFd fd, OnBytes on_bytes, std::function<void()> on_end, std::function<void()> on_drained)
      : fd_(std::move(fd)),
        on_bytes_(std::move(on_bytes)),
        on_end_(std::move(on_end)),
        on_drained_(std::move(on_drained)),
        watch_(loop.watch(fd_.get(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); })) {}

  void send(const Bytes& bytes) {
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    flush();
  }
  [[nodiscard]] std::size_t backlog() const { return waiting_.size(); }
  /// Whether input is read.
  void set_reading(bool reading) {
    reading_ = reading;
    update();
  }

 private:
  void on_ready(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      flush();
      on_drained_();
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    std::array<std::byte, 65536> buffer;
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) return on_bytes_(ByteView(buffer).first(static_cast<std::size_t>(size)));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    watch_.reset();
    on_end_();
  }
  void flush() {
    while (!waiting_.empty()) {
      const ssize_t sent = ::send(fd_.get(), waiting_.data(), waiting_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent <= 0) break;
      waiting_.erase(waiting_.begin(), waiting_.begin() + sent);
    }
    update();
  }
  void update() {
    if (watch_) watch_->set_events((reading_ ? EPOLLIN : 0u) | (waiting_.empty() ? 0u : EPOLLOUT));
  }

  UniqueFd fd_;
  OnBytes on_bytes_;
  std::function<void()> on_end_;
  std::function<void()> on_drained_;
  Bytes waiting_;
  bool reading_ = true;
  std::unique_ptr<EventLoop::Watch> watch_;
};

}  // namespace periplex::remote::usbredir::testing
