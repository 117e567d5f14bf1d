// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <sys/socket.h>
#include <vector>

#include "vfio_user/protocol.hpp"

namespace periplex::vfio_user {

/// One end of a connected Unix stream socket that carries vfio-user messages and file descriptors.
///
/// Receives into a buffer: one system call may bring many messages, and all of them are handed out before the next
/// one. What is sent is collected and leaves with one system call. Neither direction allocates once its buffer has
/// grown; both are bounded: a message longer than `kMaxMessageSize` or with too many descriptors breaks the connection.
class MessageSocket {
 public:
  explicit MessageSocket(UniqueFd socket);

  enum class Wait : bool { no, yes };
  enum class Received : std::uint8_t {
    bytes,    ///< something came; ask `next`
    nothing,  ///< nothing is there now
    closed,   ///< the peer is gone, or cannot be understood any more
  };
  /// Makes one system call. Call it only when `next` has nothing more to give.
  [[nodiscard]] Received receive(Wait wait = Wait::no);

  /// The next whole message, if there is one. Gives nothing more once `broken`.
  [[nodiscard]] std::optional<Message> next();
  /// The framing is wrong: a header whose size is impossible, or descriptors that cannot be attributed.
  [[nodiscard]] bool broken() const { return broken_; }

  /// Bytes to send are appended here.
  [[nodiscard]] Bytes& out() { return out_; }
  [[nodiscard]] std::size_t unsent() const { return out_.size() - sent_; }

  enum class Flushed : std::uint8_t { all, partly, closed };
  /// Sends what `out` holds without waiting; `fds` travel with its first byte.
  [[nodiscard]] Flushed flush(std::span<const int> fds = {});

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] std::uint64_t received_bytes() const { return base_ + end_; }
  [[nodiscard]] std::uint64_t sent_bytes() const { return total_sent_; }

 private:
  /// A received descriptor and the stream position of the message it came with.
  struct ArrivedFd {
    std::uint64_t owner;
    UniqueFd fd;
  };

  void make_room();
  [[nodiscard]] bool keep_fds(const msghdr& message);
  [[nodiscard]] std::uint64_t last_message_start() const;
  void hand_over_fds();

  UniqueFd socket_;
  Bytes in_;
  std::size_t begin_ = 0;   // first byte in `in_` not yet handed out
  std::size_t end_ = 0;     // behind the last byte received
  std::uint64_t base_ = 0;  // stream position of in_[0]
  std::vector<ArrivedFd> arrived_;
  std::vector<UniqueFd> handed_over_;  // of the message handed out last
  bool broken_ = false;
  Bytes out_;
  std::size_t sent_ = 0;
  std::uint64_t total_sent_ = 0;
};

}  // namespace periplex::vfio_user
