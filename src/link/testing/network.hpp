// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "base/testing/virtual_time.hpp"
#include "link/agent_session.hpp"
#include "link/gate_session.hpp"
#include "link/reception.hpp"

namespace periplex::link::testing {

using periplex::testing::VirtualTime;

/// One direction of a connection: asks its source for bytes when it can carry some, and delivers them later, in order.
class Pipe {
 public:
  struct Options {
    Nanoseconds delay = std::chrono::milliseconds(5);
    std::uint64_t bytes_per_second = 0;  ///< 0: without bound
    std::size_t take = 16 * 1024;        ///< how much is asked for at once
  };
  using Source = std::function<Bytes(std::size_t)>;
  using Sink = std::function<void(ByteView)>;

  Pipe(VirtualTime& time, Options options, Source source, Sink sink);

  /// The source has something.
  void wake();
  /// Something that does not come from the source.
  void put(Bytes bytes);
  /// Carries so many bytes more and then calls `then`; what is beyond is lost.
  void cut_after(std::size_t bytes, std::function<void()> then);
  /// Holds back what arrives until then.
  void stall_until(Nanoseconds time) { stalled_until_ = time; }
  /// Loses everything from now on.
  void lose_all() { losing_ = true; }

 private:
  void deliver();
  void arm();

  VirtualTime& time_;
  Options options_;
  Source source_;
  Sink sink_;
  std::unique_ptr<Timer> busy_;
  std::unique_ptr<Timer> arrival_;
  std::deque<std::pair<Nanoseconds, Bytes>> on_the_way_;
  std::optional<std::size_t> left_;
  std::function<void()> cut_;
  Nanoseconds stalled_until_{};
  bool losing_ = false;
};

/// One direction of a path for datagrams: each is lost, doubled or late as chance has it, the same in each run.
class DatagramPath {
 public:
  struct Options {
    Nanoseconds delay = std::chrono::milliseconds(5);
    Nanoseconds jitter{};  ///< up to so much more, each for itself: later ones overtake
    unsigned loss = 0;     ///< percent
    unsigned doubled = 0;  ///< percent
  };
  using Sink = std::function<void(ByteView)>;

  DatagramPath(VirtualTime& time, const Options& options, unsigned seed, Sink sink);

  void send(const Bytes& datagram);

  std::size_t longest = 0;
  std::size_t bytes = 0;    ///< that were sent
  std::vector<Bytes> seen;  ///< all that was sent

 private:
  void deliver();

  VirtualTime& time_;
  const Options& options_;
  Sink sink_;
  std::minstd_rand random_;
  std::multimap<Nanoseconds, Bytes> on_the_way_;
  std::unique_ptr<Timer> arrival_;
};

/// The connections between an agent's session and the gate's. Hosts pass on `output_ready`, `drop` and `lane_up`.
class Network {
 public:
  Network(VirtualTime& time, AgentSession& agent, GateSession& gate);
  ~Network();

  Pipe::Options options{};                   ///< of connections made from now on
  DatagramPath::Options datagram_options{};  ///< in both directions, now

  /// The agent has made a connection for `lane`.
  void dial(Lane lane);
  /// The agent's connection of `lane` ends; each end is told, unless the gate does not notice.
  void cut(Lane lane, bool gate_notices = true);
  /// The agent's connection of `lane` brings nothing for so long, as TCP after losses.
  void stall(Lane lane, Nanoseconds duration);
  /// Nothing arrives any more at either end, and nobody is told.
  void black_hole(Lane lane);
  /// The agent's connection of `lane` ends within so many bytes more, in the direction chosen.
  void cut_after(Lane lane, bool to_gate, std::size_t bytes);
  [[nodiscard]] bool connected(Lane lane) const { return agent_side_[index(lane)] != nullptr; }
  [[nodiscard]] std::optional<Reason> refused() const { return refused_; }

  void agent_output(Lane lane);
  void agent_drop(Lane lane, Bytes last_words);
  void gate_output(Lane lane);
  void gate_drop(Lane lane, Bytes last_words);
  void gate_lane_up(Lane lane);
  void agent_datagram(const Bytes& bytes) { datagrams_to_gate.send(bytes); }
  void gate_datagram(const Bytes& bytes) { datagrams_to_agent.send(bytes); }
  void gate_datagrams_over() { gate_bound_ = false; }
  /// A datagram arrives at the gate, whoever sent it.
  void gate_gets(ByteView datagram);

  DatagramPath datagrams_to_gate;
  DatagramPath datagrams_to_agent;

 private:
  struct Connection {
    Lane lane{};
    Reception reception;
    std::unique_ptr<Pipe> to_gate;
    std::unique_ptr<Pipe> to_agent;
  };

  void gate_receives(Connection& connection, ByteView bytes);
  void greet(Connection& connection, ByteView bytes);

  VirtualTime& time_;
  AgentSession& agent_;
  GateSession& gate_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<Connection*, kLanes> agent_side_{};
  std::array<Connection*, kLanes> gate_side_{};
  Connection* greeting_ = nullptr;
  std::optional<Reason> refused_;
  bool gate_bound_ = false;
};

}  // namespace periplex::link::testing
