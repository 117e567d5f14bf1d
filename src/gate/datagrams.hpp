// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "link/dtls_association.hpp"
#include "link/dtls_reception.hpp"
#include "loop/udp_socket.hpp"

namespace periplex::gate {

class Seat;

/// The gate's one UDP socket, with an association for each seat whose network lets datagrams through.
///
/// Strangers, whose association belongs to no seat yet, are few: when one more comes than there may be, the oldest
/// goes. Nothing at all is kept of who has not shown that he can be reached at his address (`link::DtlsReception`).
class Datagrams {
 public:
  static constexpr std::size_t kMaxStrangers = 64;
  /// How long an association may last without saying whose it is.
  static constexpr Nanoseconds kBindTime = std::chrono::seconds(5);

  /// `seat_of`: the seat that has come and whose certificate has this fingerprint; null if there is none.
  Datagrams(EventLoop& loop, UniqueFd socket, std::function<Seat*(const std::string& fingerprint)> seat_of);
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;
  ~Datagrams();

  /// New associations begin with these credentials; before the first call none begin.
  void use(const link::TlsContext& context) { reception_.emplace(loop_, context); }
  /// To where the seat's association leads; lost if it has none.
  void send(const Seat& seat, ByteView bytes);
  /// The seat's association is over.
  void forget(const Seat& seat);

  [[nodiscard]] std::size_t associations() const { return associations_.size(); }

 private:
  class Association;

  void received(const UdpPath& path, ByteView datagram);
  void greet(const UdpPath& path, ByteView datagram);
  void make_room();
  [[nodiscard]] bool bind(Association& association, ByteView bytes);
  void remove(const Association& association);

  EventLoop& loop_;
  std::function<Seat*(const std::string& fingerprint)> seat_of_;
  std::optional<link::DtlsReception> reception_;
  std::map<Bytes, std::unique_ptr<Association>> associations_;  // by the far end's address
  std::map<const Seat*, Association*> bound_;
  std::uint64_t last_number_ = 0;
  UdpSocket socket_;
};

}  // namespace periplex::gate
