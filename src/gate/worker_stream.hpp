// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "link/byte_queue.hpp"
#include "loop/event_loop.hpp"

namespace periplex::gate {

/// One peripheral's stream to a machine's worker: the gate's end of a pair of sockets.
///
/// It holds nothing back and hurries nothing. What comes from the agent is told as `consumed` only once the worker's
/// socket has taken it, so what is queued here is no more than the channel's window. From the worker no more is read
/// than the channel has room for.
class WorkerStream {
 public:
  /// Called from the loop; `received`, `consumed` and `ended` may let the stream go, but not destroy it at once.
  struct Events {
    /// The worker has sent this; returns how much of it was taken. Less than all: `writable` is called later.
    std::function<std::size_t(ByteView)> received;
    /// The worker has taken so many bytes of what `send` was given.
    std::function<void(std::size_t)> consumed;
    /// The worker has closed its end.
    std::function<void()> ended;
  };
  static constexpr std::size_t kReadSize = 64 * 1024;

  WorkerStream(EventLoop& loop, UniqueFd socket, Events events);
  WorkerStream(const WorkerStream&) = delete;
  WorkerStream& operator=(const WorkerStream&) = delete;
  ~WorkerStream();

  void send(ByteView bytes);
  /// There is room again.
  void writable();
  /// Nothing is called any more, and the worker finds its end closed.
  void close();

  [[nodiscard]] std::size_t queued() const { return out_.size(); }

  /// Two connected stream sockets; the first is the gate's. Null ones where the kernel has none left.
  [[nodiscard]] static std::pair<UniqueFd, UniqueFd> make_pair();

 private:
  void on_ready(std::uint32_t events);
  void read();
  /// Whether all that was read before is with the link.
  [[nodiscard]] bool deliver();
  void write();
  void end();
  void update();

  UniqueFd socket_;
  Events events_;
  link::ByteQueue out_;  // for the worker
  Bytes in_;             // of the worker, not taken yet
  std::uint32_t watched_ = EPOLLIN;
  std::unique_ptr<EventLoop::Watch> watch_;
};

}  // namespace periplex::gate
