// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "link/agent_session.hpp"
#include "link/dtls_association.hpp"
#include "link/lane_connection.hpp"
#include "loop/udp_socket.hpp"

namespace periplex::agent {

/// An agent's way for datagrams: an association with the gate that the real-time lane's connection leads to, made anew
/// where it does not come about or does not work any more, with pauses that grow. Each attempt has a port of its own.
class DatagramLine final : private link::DtlsUser {
 public:
  static constexpr Nanoseconds kFirstPause = std::chrono::seconds(1);  ///< doubles with each attempt in vain
  static constexpr Nanoseconds kLongestPause = std::chrono::minutes(1);
  /// For how long an association may not work before another one is tried.
  static constexpr Nanoseconds kPatience = std::chrono::seconds(5);

  /// Without `context` there are no datagrams.
  DatagramLine(EventLoop& loop, std::optional<link::TlsContext> context);
  DatagramLine(const DatagramLine&) = delete;
  DatagramLine& operator=(const DatagramLine&) = delete;
  ~DatagramLine();

  /// What the session's settings say of it.
  [[nodiscard]] std::uint32_t capabilities() const {
    return context_ ? link::kCapabilities : link::kCapabilities & ~link::kCapabilityDatagrams;
  }

  // What the session tells its host.
  /// The gate takes datagrams; `lane` is the real-time lane's connection.
  void begin(link::AgentSession& session, const link::LaneConnection& lane);
  void end();
  void send(ByteView bytes);
  /// Whether the session's datagrams get through has changed.
  void changed();

  /// Why there was no way the last time, for people; empty if there is nothing to tell.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  /// Destroyed together, and later: it may be one of them that is calling.
  struct Attempt {
    std::unique_ptr<UdpSocket> socket;
    std::unique_ptr<link::DtlsAssociation> association;
  };

  void dtls_established(const std::string& fingerprint) override;
  void dtls_received(ByteView bytes) override;
  void dtls_send(ByteView datagram) override;
  void dtls_closed(const std::string& why) override;

  void attempt();
  void give_up(std::string why);
  void drop();

  EventLoop& loop_;
  const std::optional<link::TlsContext> context_;
  link::AgentSession* session_ = nullptr;
  const link::LaneConnection* lane_ = nullptr;
  Attempt attempt_;
  std::string trouble_;
  Nanoseconds pause_ = kFirstPause;
  std::unique_ptr<Timer> retry_;
  std::unique_ptr<Timer> patience_;
};

}  // namespace periplex::agent
