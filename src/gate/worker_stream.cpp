// SPDX-License-Identifier: Apache-2.0
#include "gate/worker_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace periplex::gate {
namespace {

constexpr int kRoundsPerTurn = 4;  // others on the loop have their turns, too
constexpr std::size_t kWriteSize = 256 * 1024;

}  // namespace

std::pair<UniqueFd, UniqueFd> WorkerStream::make_pair() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return {};
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

WorkerStream::WorkerStream(EventLoop& loop, UniqueFd socket, Events events)
    : socket_(std::move(socket)),
      events_(std::move(events)),
      watch_(loop.watch(socket_.get(), EPOLLIN, [this](std::uint32_t ready) { on_ready(ready); })) {}

WorkerStream::~WorkerStream() = default;

void WorkerStream::send(ByteView bytes) {
  if (!watch_) return;
  const bool waits = !out_.empty();
  out_.push(bytes);
  if (!waits) write();
}

void WorkerStream::writable() {
  if (watch_ && deliver()) update();
}

void WorkerStream::close() {
  watch_.reset();
  socket_.reset();
  out_.clear();
  in_.clear();
}

void WorkerStream::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write();
  if (!watch_) return;
  if (!in_.empty()) {
    // The link has no room. What is not read of a worker that is gone will not be missed.
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) end();
    return;
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void WorkerStream::read() {
  for (int round = 0; round < kRoundsPerTurn && watch_ && in_.empty(); ++round) {
    in_.resize(kReadSize);
    const ssize_t count = ::recv(socket_.get(), in_.data(), in_.size(), MSG_DONTWAIT);
    const int error = errno;
    in_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (count < 0 && (error == EAGAIN || error == EINTR)) return;
    if (count <= 0) return end();
    if (!deliver()) break;
    if (static_cast<std::size_t>(count) < kReadSize) return;
  }
  update();
}

bool WorkerStream::deliver() {
  if (in_.empty()) return true;
  const std::size_t taken = events_.received(in_);
  if (!watch_) return false;
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(std::min(taken, in_.size())));
  return in_.empty();
}

void WorkerStream::write() {
  std::size_t taken = 0;
  bool broken = false;
  while (!out_.empty()) {
    const ByteView bytes = out_.front(kWriteSize);
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    broken = count < 0 && errno != EAGAIN;
    if (count <= 0) break;
    out_.pop(static_cast<std::size_t>(count));
    taken += static_cast<std::size_t>(count);
  }
  if (taken > 0) events_.consumed(taken);
  if (!watch_) return;
  if (broken) return end();
  update();
}

void WorkerStream::end() {
  close();
  events_.ended();
}

void WorkerStream::update() {
  const std::uint32_t wanted = (in_.empty() ? EPOLLIN : 0u) | (out_.empty() ? 0u : EPOLLOUT);
  if (watch_ && std::exchange(watched_, wanted) != wanted) watch_->set_events(wanted);
}

}  // namespace periplex::gate
