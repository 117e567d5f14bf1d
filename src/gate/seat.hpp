// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gate/documents.hpp"
#include "gate/worker.hpp"
#include "gate/worker_stream.hpp"
#include "link/gate_session.hpp"
#include "link/lane_connection.hpp"

namespace periplex::gate {

class Seat;

/// Whoever has the seats.
class SeatHost {
 public:
  /// The worker that may have the peripheral; null if none may.
  [[nodiscard]] virtual Worker* worker_for(const std::string& seat, const std::string& peripheral) = 0;
  /// How many peripherals the seat may have lent at the same time.
  [[nodiscard]] virtual std::size_t limit_of(const std::string& seat) = 0;
  virtual void seat_changed() = 0;
  /// To the association that the seat was given last (`Seat::bind`).
  virtual void send_datagram(const Seat& seat, ByteView bytes) = 0;
  /// The seat has done with its association.
  virtual void datagrams_over(const Seat& seat) = 0;
  /// Its session is over. It may not be destroyed in this call.
  virtual void seat_ended(Seat& seat) = 0;

 protected:
  ~SeatHost() = default;
};

/// One seat that has come: its agent's session, what that offers, and the streams between it and the workers.
///
/// A channel is open to each offered peripheral that a worker waits for and may have, as far as the seat's limit goes.
/// Every time its stream begins anew, so does the worker's: a new pair of sockets is made, and the other end handed
/// over. Where that goes wrong, or the worker lets a stream go that it still waits for, it is tried again after a
/// while.
class Seat final : private link::GateHost {
 public:
  static constexpr Nanoseconds kRetry = std::chrono::seconds(1);

  /// `datagrams`: whether the gate takes them.
  Seat(EventLoop& loop, SeatHost& host, KnownSeat known, const std::string& gate_name, bool datagrams);
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat();

  [[nodiscard]] const KnownSeat& known() const { return known_; }
  [[nodiscard]] const link::GateSession& session() const { return session_; }
  /// Takes a connection of the seat, or refuses it.
  void take(link::LaneConnection& connection, const link::Hello& hello);
  /// The connection is closed.
  void forget(const link::LaneConnection& connection);
  /// What came first by an association with the seat's certificate; whether it belongs to this session.
  [[nodiscard]] bool bind(const link::Datagram& datagram) { return session_.bind(datagram); }
  /// What came by it later.
  void receive_datagram(ByteView bytes) { session_.receive_datagram(bytes); }
  /// Opens and closes channels as the workers' wishes and the bindings are now.
  void reconsider();
  void end(link::Reason why);
  [[nodiscard]] SeatState state() const;

 private:
  struct Offer {
    link::Peripheral peripheral;
    std::optional<link::ChannelId> channel;
    std::unique_ptr<WorkerStream> stream;
    std::string machine;             ///< that has the channel
    std::string why;                 ///< it was not opened, or closed
    std::uint64_t refused_wish = 0;  ///< the agent has said no to this one, for good
    Nanoseconds not_before{};        ///< when it may be tried again
  };

  // link::SessionHost and GateHost
  void output_ready(link::Lane lane) override;
  void drop(link::Lane lane, Bytes last_words, link::Reason why) override;
  void lane_up(link::Lane lane) override;
  void channel_started(link::ChannelId channel) override;
  void channel_stopped(link::ChannelId channel) override;
  void channel_data(link::ChannelId channel, ByteView bytes) override;
  void channel_writable(link::ChannelId channel) override;
  void channel_closed(link::ChannelId channel, const link::Ending& why) override;
  void session_ended(const link::Ending& why, bool by_far_end) override;
  void send_datagram(Bytes bytes) override { host_.send_datagram(*this, bytes); }
  void datagrams_changed() override { host_.seat_changed(); }
  void datagrams_over() override { host_.datagrams_over(*this); }
  void offered(const link::Peripheral& peripheral) override;
  void withdrawn(const std::string& id, link::Reason why) override;

  [[nodiscard]] Offer* find(link::ChannelId channel);
  [[nodiscard]] Worker* wanting(const Offer& offer) const;
  void reconsider(Offer& offer);
  [[nodiscard]] std::size_t lent() const;
  void keep_to_limit();
  void open(Offer& offer);
  void begin_stream(Offer& offer);
  void end_stream(Offer& offer);
  void close_channel(Offer& offer, link::Reason reason);
  void try_later(Offer& offer, std::string why);
  void reconsider_soon();

  EventLoop& loop_;
  SeatHost& host_;
  const KnownSeat known_;
  link::GateSession session_;
  std::array<link::LaneConnection*, link::kLanes> lanes_{};
  link::LaneConnection* arriving_ = nullptr;
  std::map<std::string, Offer> offers_;
  std::unique_ptr<Timer> retry_;
  log::RateLimit limit_;
};

}  // namespace periplex::gate
