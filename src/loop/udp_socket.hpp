// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>

#include "base/bytes.hpp"
#include "loop/event_loop.hpp"

namespace periplex {

/// Where a datagram has come from, and to which of our addresses: an answer goes back the same way.
struct UdpPath {
  Bytes far;    ///< a socket address, as the kernel has it; empty: the socket is connected
  Bytes local;  ///< which of our addresses, as the kernel says it (IP_PKTINFO); empty: it has not said
};

/// A UDP socket on the loop. What the kernel does not take at once is lost, as the network loses datagrams; errors that
/// the network reports are passed over.
class UdpSocket {
 public:
  /// May destroy the socket.
  using OnDatagram = std::function<void(const UdpPath& path, ByteView datagram)>;
  /// A longer datagram is lost.
  static constexpr std::size_t kMaxDatagram = 2048;

  UdpSocket(EventLoop& loop, UniqueFd socket, OnDatagram on_datagram);
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  ~UdpSocket();

  void send(const UdpPath& path, ByteView datagram);
  /// Asks networks that look at it to hurry (DSCP EF, RFC 3246).
  void mark_urgent();

 private:
  void on_ready();
  [[nodiscard]] bool receive();

  UniqueFd socket_;
  OnDatagram on_datagram_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// A socket that sends to, and hears, the UDP port at a TCP connection's far end, from a port of its own. The error is
/// errno's; EAFNOSUPPORT where that connection is none of IPv4 or IPv6.
[[nodiscard]] std::expected<UniqueFd, int> connect_udp_beside(int tcp_socket);

}  // namespace periplex
