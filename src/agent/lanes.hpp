// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/dialler.hpp"
#include "link/agent_session.hpp"
#include "link/lane_connection.hpp"

namespace periplex::agent {

/// How patient an agent is with the network.
struct Patience {
  Nanoseconds first = std::chrono::milliseconds(200);  ///< from a loss to the next attempt; doubles each time,
  Nanoseconds most = std::chrono::seconds(5);          ///< up to this
  Nanoseconds stable = std::chrono::seconds(10);       ///< a lane that has worked for so long begins with `first` again
  Nanoseconds attempt = std::chrono::seconds(5);       ///< from the name of the gate to TLS
};

/// Keeps the two connections of a session open: dials again whatever is lost, with pauses that grow.
///
/// The computer may have another address by then; the session does not care.
class Lanes final : private link::LaneConnection::Owner {
 public:
  Lanes(EventLoop& loop, link::TlsContext context, Dialler& dialler, const Patience& patience);
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Connects `session`, until `leave`. After a session that is over, the pauses are what they were.
  void serve(link::AgentSession& session);
  /// Nothing is dialled any more; what the session has dropped is brought to its end.
  void leave();
  /// Calls `done` once no connection is left, perhaps at once.
  void when_quiet(std::function<void()> done);

  // What the session tells its host.
  void output_ready(link::Lane lane);
  void drop(link::Lane lane, Bytes last_words);
  void lane_up(link::Lane lane);

  /// The session's connection for `lane`; null if there is none.
  [[nodiscard]] const link::LaneConnection* connection(link::Lane lane) const {
    const State& state = lanes_[index(lane)];
    return state.attached ? state.connection.get() : nullptr;
  }
  /// Why there was no connection the last time, for people; empty if there is nothing to tell.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  struct State {
    std::unique_ptr<link::LaneConnection> connection;
    bool attached = false;       // the connection is the session's
    std::uint64_t attempts = 0;  // tells the last one from those that were given up
    unsigned failures = 0;
    Nanoseconds pause{};
    std::optional<Nanoseconds> up_since;
    std::unique_ptr<Timer> retry;
    std::unique_ptr<Timer> deadline;
  };

  void connection_established(link::LaneConnection& connection) override;
  void connection_closed(link::LaneConnection& connection, const std::string& why) override;

  [[nodiscard]] State& at(link::Lane lane) { return lanes_[index(lane)]; }
  void dial(link::Lane lane);
  void on_socket(link::Lane lane, std::uint64_t attempt, std::expected<UniqueFd, std::string> socket);
  void give_up(link::Lane lane, std::string why);
  void again(link::Lane lane);
  void destroy_later(std::unique_ptr<link::LaneConnection> connection);
  void tell_quiet();

  EventLoop& loop_;
  const link::TlsContext context_;
  Dialler& dialler_;
  const Patience patience_;
  link::AgentSession* session_ = nullptr;
  std::array<State, link::kLanes> lanes_;
  std::vector<std::unique_ptr<link::LaneConnection>> finishing_;  // the session has done with them
  std::vector<std::unique_ptr<link::LaneConnection>> closed_;     // to be destroyed
  std::function<void()> on_quiet_;
  std::string trouble_;
  std::shared_ptr<Lanes*> self_;  // expires with this: sockets find nobody then
};

}  // namespace periplex::agent
