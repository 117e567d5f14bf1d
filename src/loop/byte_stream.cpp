// SPDX-License-Identifier: Apache-2.0
#include "loop/byte_stream.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace periplex {
namespace {

constexpr std::size_t kReadSize = 256 * 1024;
constexpr int kReadsPerTurn = 4;  // others on the loop have their turns, too
constexpr std::size_t kBlocksPerCall = 64;
/// Small messages share a block up to this size.
constexpr std::size_t kJoinedSize = 16 * 1024;

std::string error_text(int error) {
  return fmt::format("the connection is broken: {}", std::strerror(error));
}

}  // namespace

bool ByteStream::suits(const UniqueFd& socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

ByteStream::ByteStream(EventLoop& loop, UniqueFd socket, Events events, std::size_t limit)
    : loop_(loop),
      socket_(std::move(socket)),
      events_(std::move(events)),
      limit_(limit),
      watch_(loop.watch(socket_.get(), EPOLLIN, [this](std::uint32_t ready) { on_ready(ready); })),
      self_(std::make_shared<ByteStream*>(this)) {}

ByteStream::~ByteStream() {
  *self_ = nullptr;
}

void ByteStream::send(Bytes bytes) {
  if (bytes.empty() || !watch_ || finishing_) return;
  queued_ += bytes.size();
  if (!blocks_.empty() && blocks_.back().size() + bytes.size() <= kJoinedSize) {
    blocks_.back().insert(blocks_.back().end(), bytes.begin(), bytes.end());
  } else {
    blocks_.push_back(std::move(bytes));
  }
  if (blocked_ && queued_ <= limit_) return;
  if (std::exchange(flush_due_, true)) return;
  loop_.defer([self = self_] {
    if (*self != nullptr) (*self)->flush();
  });
}

void ByteStream::pause_reading(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  update_events();
}

void ByteStream::finish() {
  finishing_ = true;
  update_events();
  if (std::exchange(flush_due_, true)) return;
  loop_.defer([self = self_] {
    if (*self != nullptr) (*self)->flush();
  });
}

void ByteStream::on_ready(std::uint32_t events) {
  const std::shared_ptr<ByteStream*> self = self_;
  if ((events & EPOLLOUT) != 0) flush();
  if (*self == nullptr || !watch_) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  // While reading is paused only the end is worth knowing of, and that comes with EPOLLHUP or EPOLLERR.
  if (paused_ || finishing_) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) end("the other end has closed the connection");
    return;
  }
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!read() || *self == nullptr || !watch_ || paused_ || finishing_) return;
  }
}

/// Whether there may be more.
bool ByteStream::read() {
  // One buffer for all: nothing is kept in it from call to call.
  static thread_local std::array<std::byte, kReadSize> buffer;
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) end(error_text(errno));
    return false;
  }
  if (count == 0) {
    end("the other end has closed the connection");
    return false;
  }
  events_.received(ByteView(buffer).first(static_cast<std::size_t>(count)));
  return static_cast<std::size_t>(count) == buffer.size();
}

void ByteStream::flush() {
  flush_due_ = false;
  if (!watch_) return;
  const bool had_any = !blocks_.empty();
  blocked_ = false;
  while (!blocks_.empty() && !blocked_) {
    std::array<iovec, kBlocksPerCall> vectors{};
    std::size_t used = 0;
    for (auto block = blocks_.begin(); block != blocks_.end() && used < kBlocksPerCall; ++block) {
      const std::size_t skip = used == 0 ? written_ : 0;
      vectors[used++] = {block->data() + skip, block->size() - skip};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = used;
    const ssize_t done = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno != EAGAIN) return end(error_text(errno));
    blocked_ = done < 0;
    const std::size_t taken = blocked_ ? 0 : static_cast<std::size_t>(done);
    queued_ -= taken;
    written_ += taken;
    while (!blocks_.empty() && written_ >= blocks_.front().size()) {
      written_ -= blocks_.front().size();
      blocks_.pop_front();
    }
  }
  if (queued_ > limit_) return end("the other end does not take what it is sent");
  if (finishing_ && blocks_.empty()) return end("it was closed here");
  update_events();
  if (had_any && blocks_.empty() && events_.drained) events_.drained();
}

void ByteStream::end(std::string why) {
  watch_.reset();
  socket_.reset();
  blocks_.clear();
  queued_ = written_ = 0;
  const auto closed = std::move(events_.closed);
  if (closed) closed(std::move(why));
}

void ByteStream::update_events() {
  const std::uint32_t wanted = (paused_ || finishing_ ? 0u : EPOLLIN) | (blocked_ ? EPOLLOUT : 0u);
  if (watch_ && wanted != std::exchange(watched_, wanted)) watch_->set_events(wanted);
}

}  // namespace periplex
