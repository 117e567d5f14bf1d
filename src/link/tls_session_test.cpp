// SPDX-License-Identifier: Apache-2.0
// A whole session: both ends, two TLS connections over sockets, and what a gate and an agent do around them.
#include <gtest/gtest.h>
#include <map>

#include "link/agent_session.hpp"
#include "link/gate_session.hpp"
#include "link/reception.hpp"
#include "link/testing/tls.hpp"
#include "link/tls_connection.hpp"

namespace periplex::link {
namespace {

using testing::Certificates;

/// A lane of a session over TLS.
class TlsLane final : public TlsUser {
 public:
  using OnStrangerBytes = std::function<void(TlsLane&, ByteView)>;

  TlsLane(EventLoop& loop, UniqueFd socket, const TlsContext& context, Session& session, Lane lane,
          std::function<void()> on_established, OnStrangerBytes on_stranger)
      : lane(lane),
        session_(session),
        on_established_(std::move(on_established)),
        on_stranger_(std::move(on_stranger)),
        connection(loop, std::move(socket), context, *this) {}

  void tls_established(const TlsPeer&) override {
    if (on_established_) on_established_();
  }
  void tls_received(ByteView bytes) override {
    if (attached) return session_.receive(lane, bytes);
    on_stranger_(*this, bytes);
  }
  Bytes tls_output(std::size_t limit) override { return attached ? session_.take(lane, limit) : Bytes(); }
  void tls_closed(const std::string&) override {
    closed = true;
    if (attached) session_.disconnected(lane);
  }

  Lane lane;
  bool attached = false;  ///< its bytes are the session's
  bool closed = false;

 private:
  Session& session_;
  std::function<void()> on_established_;
  OnStrangerBytes on_stranger_;

 public:
  Reception reception;
  TlsConnection connection;
};

/// Either end; `Base` is AgentHost or GateHost.
template <typename Base>
class Host : public Base {
 public:
  void output_ready(Lane lane) override { lanes.at(index(lane))->connection.output_ready(); }
  void drop(Lane lane, Bytes last_words, Reason) override {
    if (TlsLane* old = std::exchange(lanes[index(lane)], nullptr)) {
      old->attached = false;
      old->connection.finish(std::move(last_words));
    }
  }
  void lane_up(Lane lane) override {
    if (next != nullptr) lanes[index(lane)] = next;
  }
  void channel_started(ChannelId channel) override { ++started[channel]; }
  void channel_stopped(ChannelId) override {}
  void channel_writable(ChannelId channel) override { writable(channel); }
  void channel_closed(ChannelId, const Ending&) override {}
  void channel_data(ChannelId channel, ByteView bytes) override {
    received[channel] += bytes.size();
    session->consumed(channel, bytes.size());
  }
  void session_ended(const Ending& why, bool) override { ended = why; }

  Session* session = nullptr;
  std::array<TlsLane*, kLanes> lanes{};
  TlsLane* next = nullptr;
  std::map<ChannelId, int> started;
  std::map<ChannelId, std::size_t> received;
  std::function<void(ChannelId)> writable = [](ChannelId) {};
  std::optional<Ending> ended;

 protected:
  ~Host() = default;
};

class AgentEnd final : public Host<AgentHost> {
  void channel_opened(ChannelId, const Opening&) override {}
};
class GateEnd final : public Host<GateHost> {
  void offered(const Peripheral&) override {}
  void withdrawn(const std::string&, Reason) override {}
};

class TlsSession : public ::testing::Test {
 protected:
  TlsSession() {
    agent_end.session = &agent;
    gate_end.session = &gate;
  }
  void dial(Lane lane) {
    auto [at_gate, at_agent] = testing::connected_sockets();
    lanes.push_back(std::make_unique<TlsLane>(loop, std::move(at_gate), gate_context, gate, lane, nullptr,
                                              [this](TlsLane& stranger, ByteView bytes) {
                                                const auto hello = stranger.reception.receive(bytes);
                                                if (!hello) return stranger.connection.finish(refusal(hello.error()));
                                                if (!*hello) return;
                                                gate_end.next = &stranger;
                                                stranger.attached = true;
                                                if (const auto taken = gate.attach(**hello); !taken) {
                                                  stranger.attached = false;
                                                  return stranger.connection.finish(refusal(taken.error()));
                                                }
                                                gate.receive(stranger.lane, stranger.reception.rest());
                                              }));
    lanes.push_back(std::make_unique<TlsLane>(
        loop, std::move(at_agent), agent_context, agent, lane,
        [this, lane] {
          lanes_ready.at(index(lane))->attached = true;
          agent_end.lanes[index(lane)] = lanes_ready.at(index(lane));
          agent.connected(lane);
        },
        nullptr));
    lanes_ready[index(lane)] = lanes.back().get();
  }
  bool run(const std::function<bool()>& done) { return testing::run_until(loop, done); }
  bool all_up() {
    return run([this] {
      return agent.up(Lane::realtime) && agent.up(Lane::bulk) && gate.up(Lane::realtime) && gate.up(Lane::bulk);
    });
  }

  EventLoop loop;
  TlsContext gate_context = *TlsContext::make(Certificates::get().for_gate());
  TlsContext agent_context = *TlsContext::make(Certificates::get().for_agent());
  AgentEnd agent_end;
  GateEnd gate_end;
  AgentSession agent{loop, agent_end, {.name = "seat"}};
  GateSession gate{loop, gate_end, {.name = "gate"}, SessionId(1), Secret{}};
  std::vector<std::unique_ptr<TlsLane>> lanes;
  std::array<TlsLane*, kLanes> lanes_ready{};
};

TEST_F(TlsSession, CarriesADiskAndKeysAndOutlivesItsConnections) {
  ASSERT_TRUE(agent.offer({.id = "disk"}));
  ASSERT_TRUE(agent.offer({.id = "keys"}));
  dial(Lane::bulk);
  dial(Lane::realtime);
  ASSERT_TRUE(all_up());
  ASSERT_TRUE(run([&] { return gate.peripheral("keys") != nullptr; }));
  const auto disk = gate.open({.id = "disk", .priority = Priority::bulk});
  const auto keys = gate.open({.id = "keys", .priority = Priority::interactive});
  ASSERT_TRUE(disk && keys);
  const Bytes much(20'000'000);
  std::size_t sent = 0;
  gate_end.writable = [&](ChannelId channel) {
    if (channel == *disk) sent += gate.send(*disk, ByteView(much).subspan(sent));
  };
  gate_end.writable(*disk);
  ASSERT_TRUE(run([&] { return agent_end.started[*keys] == 1; }));
  agent.send(*keys, as_bytes("a"));
  EXPECT_TRUE(run([&] { return agent_end.received[*disk] == much.size(); }));
  EXPECT_EQ(gate_end.received[*keys], 1U);

  for (TlsLane* lane : agent_end.lanes) lane->connection.finish({});
  ASSERT_TRUE(run([&] { return !gate.up(Lane::bulk) && !gate.up(Lane::realtime); }));
  ASSERT_TRUE(run([&] { return !agent.up(Lane::bulk) && !agent.up(Lane::realtime); }));
  dial(Lane::realtime);
  dial(Lane::bulk);
  ASSERT_TRUE(all_up());
  EXPECT_TRUE(run([&] { return agent_end.started[*keys] == 2 && agent_end.started[*disk] == 2; }));
  gate.end({.reason = Reason::finished});
  EXPECT_TRUE(run([&] { return agent_end.ended.has_value(); }));
}

}  // namespace
}  // namespace periplex::link
