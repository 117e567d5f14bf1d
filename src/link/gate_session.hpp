// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <map>
#include <string>

#include "link/session.hpp"

namespace periplex::link {

class GateHost : public SessionHost {
 public:
  /// There is a peripheral, or what is known of it has changed.
  virtual void offered(const Peripheral& peripheral) = 0;
  /// It is gone; a channel to it was closed before.
  virtual void withdrawn(const std::string& id, Reason why) = 0;

 protected:
  ~GateHost() = default;
};

/// The gate's end of a session with one agent: takes connections, learns what is offered, opens channels.
class GateSession final : public Session {
 public:
  /// `id` and `secret` are random, and no other session's.
  GateSession(Scheduler& scheduler, GateHost& host, Settings settings, SessionId id, const Secret& secret);

  /// Whether `hello`, which joins or resumes a session, knows this one. That the connection's certificate is that of
  /// the session's first connection is for the caller to see to.
  [[nodiscard]] bool admits(const Hello& hello) const;

  /// Takes a connection that began with `hello`. The host is told first to `drop` what it replaces, then of `lane_up`:
  /// that is this connection. On an error it is to be refused (`refusal`), and nothing has happened to the session.
  [[nodiscard]] std::expected<void, Reason> attach(const Hello& hello);

  /// Takes the way that `datagram` has come by, if it says that it belongs to the present connection of the real-time
  /// lane; it takes the place of an older one. That the certificate at its far end is that of the session is for the
  /// caller to see to; so is that `send_datagram` finds the way already. It answers.
  [[nodiscard]] bool bind(const Datagram& datagram);

  /// Opens a channel to an offered peripheral, bound to it until it is closed. Its stream begins at once where `room`
  /// is above zero, and otherwise with `channel_started`.
  [[nodiscard]] std::expected<ChannelId, Reason> open(const Opening& opening);

  /// Null if there is none.
  [[nodiscard]] const Peripheral* peripheral(const std::string& id) const;

 private:
  struct Offer {
    Peripheral peripheral;
    bool stated = true;  ///< on the present connection
  };

  void handle_own(Lane lane, const Frame& frame) override;
  void handle_greeting(Lane lane, const Frame& frame) override;
  void handle_bind(const Datagram& datagram) override;
  [[nodiscard]] bool is_ours(const Binding& binding) const;
  void handle_offer(const Frame& frame);
  void handle_sync();
  void withdraw(const std::string& id, Reason why);
  [[nodiscard]] std::expected<Agreement, Reason> judge(const Hello& hello) const;
  /// Queues what a new connection begins with: WELCOME, the channels that go on, SYNC. Returns those channels.
  [[nodiscard]] std::vector<ChannelId> welcome(Lane lane);

  GateHost& gate_host_;
  std::map<std::string, Offer> offers_;
  ChannelId last_channel_;
  std::uint32_t last_way_ = 0;
};

}  // namespace periplex::link
