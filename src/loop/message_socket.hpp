// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "loop/event_loop.hpp"

namespace periplex {

/// A Unix socket of type SOCK_SEQPACKET on the loop: short texts in both directions, each with a descriptor or without.
///
/// Nothing is queued here: what the kernel does not take at once is not sent, and the caller is told.
class MessageSocket {
 public:
  /// Both are called from the loop, never from inside `send`; either may destroy the socket.
  struct Events {
    /// A message of 1 to kMaxText bytes. A longer one, or more than one descriptor, ends the connection.
    std::function<void(std::string_view text, UniqueFd descriptor)> received;
    /// Nothing is called after it.
    std::function<void()> closed;
  };
  static constexpr std::size_t kMaxText = 512;

  MessageSocket(EventLoop& loop, UniqueFd socket, Events events);
  MessageSocket(const MessageSocket&) = delete;
  MessageSocket& operator=(const MessageSocket&) = delete;
  ~MessageSocket();

  /// False: the other end does not take it now, or is gone (then `closed` follows). `descriptor` stays the caller's; -1
  /// for none.
  [[nodiscard]] bool send(std::string_view text, int descriptor = -1);

 private:
  void on_ready(std::uint32_t events);
  [[nodiscard]] bool receive();
  void close();

  UniqueFd socket_;
  Events events_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// Connects to a listening socket of that type. The error is errno's.
[[nodiscard]] std::expected<UniqueFd, int> connect_messages(const std::string& path);

}  // namespace periplex
