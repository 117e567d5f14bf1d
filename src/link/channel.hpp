// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "link/byte_queue.hpp"
#include "link/compression.hpp"
#include "link/ids.hpp"
#include "link/stream_copy.hpp"

namespace periplex::link {

/// One channel as a session keeps it. Between a loss of its lane and the OPEN that begins it again it does not run.
struct Channel {
  static constexpr std::size_t kMaxQueued = 256 * 1024;  ///< bytes that wait to be sent

  ChannelId id;
  std::string peripheral;
  Priority priority = Priority::bulk;
  Lane lane = Lane::bulk;
  bool compression = false;
  bool running = false;
  bool stated = true;  ///< agent: the gate has said again, on this connection, that it is open

  // All of the stream that runs; none of it outlives the connection.
  ByteQueue queue;
  bool wants_room = false;         ///< its user has more to send than there was room for
  std::uint32_t may_send = 0;      ///< credit the far end gave and we have not used
  std::uint32_t may_receive = 0;   ///< credit we gave and the far end has not used
  std::uint32_t not_consumed = 0;  ///< handed to the user, who has not done with it
  std::uint32_t to_grant = 0;      ///< consumed, and not given as credit again yet
  StreamCopy copy;                 ///< where datagrams repeat it

  CompressionGauge gauge;

  /// A new stream, at its first byte in both directions.
  void start(std::uint32_t send_window, std::uint32_t receive_window) {
    stop();
    running = true;
    may_send = send_window;
    may_receive = receive_window;
  }
  void stop() {
    running = false;
    queue.clear();
    wants_room = false;
    may_send = may_receive = not_consumed = to_grant = 0;
    copy = {};
  }
  [[nodiscard]] bool has_piece() const { return running && !queue.empty() && may_send > 0; }
  /// What may be given as credit now. Bytes that a datagram has brought are only given back once the stream has brought
  /// them, too: credit is counted along the stream.
  [[nodiscard]] std::uint32_t grantable() const {
    return to_grant - static_cast<std::uint32_t>(std::min<std::size_t>(to_grant, copy.ahead()));
  }
};

}  // namespace periplex::link
