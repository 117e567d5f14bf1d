// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "loop/event_loop.hpp"

namespace periplex {

/// A connected stream socket on the loop: bytes in as they come, bytes out as the other end takes them.
///
/// What is sent in one turn of the loop goes with few system calls. What the other end does not take is queued, up to a
/// limit; who sends more has lost the connection. Both functions are called from the loop, never from inside `send`;
/// either may destroy the stream.
class ByteStream {
 public:
  struct Events {
    std::function<void(ByteView bytes)> received;
    /// The connection has ended, for a reason in words; nothing is called after it. A limit that was passed ends it,
    /// too.
    std::function<void(std::string why)> closed;
    /// The other end has taken all that was queued. May be empty.
    std::function<void()> drained;
  };

  static constexpr std::size_t kDefaultLimit = std::size_t{128} << 20;

  /// Whether `socket` is what this can carry: a stream socket.
  [[nodiscard]] static bool suits(const UniqueFd& socket);

  ByteStream(EventLoop& loop, UniqueFd socket, Events events, std::size_t limit = kDefaultLimit);
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  /// What is queued is not sent any more.
  ~ByteStream();

  void send(Bytes bytes);
  [[nodiscard]] std::size_t queued() const { return queued_; }
  /// Stops reading from the other end, which is stopped in its turn, or goes on.
  void pause_reading(bool paused);
  /// Closes as soon as the other end has taken what is queued; nothing more is read or sent.
  void finish();

 private:
  void on_ready(std::uint32_t events);
  [[nodiscard]] bool read();
  void flush();
  void end(std::string why);
  void update_events();

  EventLoop& loop_;
  UniqueFd socket_;
  Events events_;
  const std::size_t limit_;
  std::deque<Bytes> blocks_;
  std::size_t written_ = 0;  // of the first block
  std::size_t queued_ = 0;
  bool blocked_ = false;  // the other end takes nothing more for now
  bool paused_ = false;
  bool finishing_ = false;
  bool flush_due_ = false;
  std::uint32_t watched_ = EPOLLIN;
  std::unique_ptr<EventLoop::Watch> watch_;  // null once it has ended
  std::shared_ptr<ByteStream*> self_;        // null inside once this is gone
};

}  // namespace periplex
