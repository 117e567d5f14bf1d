// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <map>
#include <string>

#include "link/session.hpp"

namespace periplex::link {

class AgentHost : public SessionHost {
 public:
  /// The gate opens a channel to an offered peripheral; `channel_started` follows. Who does not want it closes it.
  virtual void channel_opened(ChannelId channel, const Opening& opening) = 0;
  /// The gate takes datagrams for the real-time lane that has just come up (`AgentSession::datagrams_connected`), until
  /// `datagrams_over`.
  virtual void datagrams_welcome() {}

 protected:
  ~AgentHost() = default;
};

/// The agent's end of a session with a gate: dials, offers its peripherals, takes the gate's channels.
///
/// Its host connects both lanes, at any time and in any order, and connects a lane again when it is lost; the session
/// begins, joins or resumes by itself. When the session ends the host makes a new one.
class AgentSession final : public Session {
 public:
  AgentSession(Scheduler& scheduler, AgentHost& host, Settings settings);

  /// There is a connection for `lane`.
  void connected(Lane lane);
  /// There is a way for datagrams to the gate of the real-time lane, encrypted and authenticated as its connection is.
  /// A new one takes the place of an older one.
  void datagrams_connected();
  /// There is none any more.
  void datagrams_disconnected() { way_.close(); }

  /// Offers a peripheral, or tells what has changed of it; at most kMaxPeripherals, with valid identifiers.
  [[nodiscard]] std::expected<void, Reason> offer(const Peripheral& peripheral);
  /// The peripheral is gone, and its channel with it. The host is not told what it says itself.
  void withdraw(const std::string& id, Reason why);

 private:
  void handle_own(Lane lane, const Frame& frame) override;
  void handle_greeting(Lane lane, const Frame& frame) override;
  void lane_lost(Lane lane) override;

  void greet_next();
  void greet(Lane lane, Purpose purpose);
  void handle_welcome(Lane lane, ByteView payload);
  void handle_refusal(Lane lane, ByteView payload);
  void handle_open(Lane lane, const Frame& frame);
  void open_new(Lane lane, ChannelId id, const Opening& opening);
  void open_again(Channel& channel, const Opening& opening);
  void handle_sync(Lane lane);

  AgentHost& agent_host_;
  std::map<std::string, Peripheral> offers_;
};

}  // namespace periplex::link
