// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gate/datagrams.hpp"
#include "gate/enrolment.hpp"
#include "gate/seat.hpp"
#include "gate/worker.hpp"
#include "link/tls_context.hpp"
#include "loop/acceptor.hpp"

namespace periplex::gate {

/// The one place that meets the network: takes the connections of seats, and passes each peripheral's stream on to the
/// worker of the machine that may have it. It knows what its configuration says and nothing else.
///
/// Strangers, who have not shown yet that they may be here, are few: when one more comes than there may be, the oldest
/// goes. What any seat or worker does wrong ends what is its own.
class Gate final : private link::LaneConnection::Owner, private SeatHost {
 public:
  struct Events {
    /// Whether the question can be asked; `answer` follows.
    std::function<bool(const EnrolmentQuestion&)> enrol;
    /// Asks for a connection to the stream socket of a machine's worker; `worker_connected` follows, or nothing.
    std::function<void(const std::string& machine)> connect_worker;
    /// `state` has something new.
    std::function<void()> changed;
  };
  static constexpr std::size_t kMaxStrangers = 64;
  static constexpr std::size_t kMaxEnrolments = 16;
  /// In a state that is told; a host with more shows the first.
  static constexpr std::size_t kMaxShown = 4096;

  /// Nobody is accepted before there is a configuration. `datagrams`: a UDP socket at the same port; null: none are
  /// taken.
  Gate(EventLoop& loop, UniqueFd listening, UniqueFd datagrams, Events events);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  /// Replaces all that the last one said. On an error nothing has changed.
  [[nodiscard]] std::expected<void, std::string> configure(Configuration configuration);
  void answer(const EnrolmentVerdict& verdict);
  /// A connected socket of type SOCK_SEQPACKET. Of a machine that is not known it is closed.
  void worker_connected(std::string_view machine, UniqueFd socket);
  [[nodiscard]] State state() const;

 private:
  struct Connection {
    std::unique_ptr<link::LaneConnection> lane;
    std::string address;
    std::uint64_t number = 0;  ///< in the order of arrival
    Seat* seat = nullptr;
    std::unique_ptr<Enrolment> enrolment{};  // destroyed before `lane`
  };

  // link::LaneConnection::Owner
  void connection_established(link::LaneConnection& connection) override;
  void connection_greeted(link::LaneConnection& connection, const link::Hello& hello) override;
  void connection_closed(link::LaneConnection& connection, const std::string& why) override;
  // SeatHost
  [[nodiscard]] Worker* worker_for(const std::string& seat, const std::string& peripheral) override;
  [[nodiscard]] std::size_t limit_of(const std::string& seat) override { return configuration_.limit_of(seat); }
  void seat_changed() override { events_.changed(); }
  void send_datagram(const Seat& seat, ByteView bytes) override {
    if (datagrams_) datagrams_->send(seat, bytes);
  }
  void datagrams_over(const Seat& seat) override {
    if (datagrams_) datagrams_->forget(seat);
  }
  void seat_ended(Seat& seat) override;

  [[nodiscard]] Seat* seat_with(const std::string& fingerprint);
  void accept(UniqueFd socket);
  void make_room();
  void begin_enrolment(Connection& connection);
  void set_workers();
  void reconsider();
  void refuse(Connection& connection, link::Reason reason, std::string_view text);
  [[nodiscard]] Seat& seat_for(const KnownSeat& known, const link::Hello& hello);

  EventLoop& loop_;
  Events events_;
  Configuration configuration_;
  std::optional<link::TlsContext> context_;
  std::map<std::string, std::unique_ptr<Worker>, std::less<>> workers_;
  std::unique_ptr<Datagrams> datagrams_;
  std::map<std::string, std::unique_ptr<Seat>> seats_;
  std::map<const link::LaneConnection*, Connection> connections_;
  std::uint64_t last_number_ = 0;
  std::unique_ptr<Timer> reconsider_;
  log::RateLimit limit_{20, std::chrono::seconds(10)};
  Acceptor acceptor_;
};

}  // namespace periplex::gate
