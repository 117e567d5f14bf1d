// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vfio_user/message_socket.hpp"
#include "vfio_user/session.hpp"

namespace periplex::vfio_user {

/// One client, from its connection to its end: moves messages between its socket and its session.
///
/// Bounded whatever the client does: while it takes no replies, nothing more is received or handled. Its DMA regions go
/// with it.
class Connection {
 public:
  Connection(UniqueFd socket, pci::Function& function, guest::Memory& memory, IrqLines& lines);

  enum class Progress : std::uint8_t { nothing, worked, ended };
  /// Receives once, handles every message that is complete and sends the replies; with replies left from last time,
  /// sends those first. Never waits.
  [[nodiscard]] Progress advance();

  /// Replies wait for the client: advance when the socket takes bytes again.
  [[nodiscard]] bool congested() const { return congested_; }
  [[nodiscard]] bool negotiated() const { return session_.negotiated(); }
  [[nodiscard]] int fd() const { return socket_.fd(); }

  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t received_bytes() const { return socket_.received_bytes(); }
  [[nodiscard]] std::uint64_t sent_bytes() const { return socket_.sent_bytes(); }

 private:
  [[nodiscard]] bool handle_received();
  [[nodiscard]] bool flush();

  MessageSocket socket_;
  Session session_;
  bool congested_ = false;
  std::uint64_t messages_ = 0;
};

}  // namespace periplex::vfio_user
