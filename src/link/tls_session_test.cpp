// SPDX-License-Identifier: Apache-2.0
// A whole session: both ends, two TLS connections over sockets, and what a gate and an agent do around them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "link/agent_session.hpp"
#include "link/gate_session.hpp"
#include "link/lane_connection.hpp"
#include "link/random.hpp"
#include "link/testing/tls.hpp"

namespace periplex::link {
namespace {

using testing::Certificates;

/// What a gate's and an agent's host have in common; `Base` is AgentHost or GateHost.
template <typename Base>
class Host : public Base, public LaneConnection::Owner {
 public:
  void output_ready(Lane lane) override { lanes.at(index(lane))->output_ready(); }
  void drop(Lane lane, Bytes last_words, Reason) override {
    if (LaneConnection* old = std::exchange(lanes[index(lane)], nullptr)) old->detach(std::move(last_words));
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
  void connection_closed(LaneConnection& connection, const std::string& why) override {
    closed.push_back(why);
    for (LaneConnection*& lane : lanes) {
      if (lane == &connection) lane = nullptr;
    }
  }

  Session* session = nullptr;
  std::array<LaneConnection*, kLanes> lanes{};
  std::map<ChannelId, int> started;
  std::map<ChannelId, std::size_t> received;
  std::function<void(ChannelId)> writable = [](ChannelId) {};
  std::optional<Ending> ended;
  std::vector<std::string> closed;

 protected:
  ~Host() = default;
};

class AgentEnd final : public Host<AgentHost> {
 public:
  void lane_up(Lane) override {}
  void channel_opened(ChannelId, const Opening&) override {}
  void connection_established(LaneConnection& connection) override {
    const Lane lane = dialled.at(&connection);
    lanes[index(lane)] = &connection;
    connection.attach(*session, lane);
    static_cast<AgentSession*>(session)->connected(lane);
  }

  std::map<LaneConnection*, Lane> dialled;
};

class GateEnd final : public Host<GateHost> {
 public:
  void lane_up(Lane lane) override { lanes[index(lane)] = greeted; }
  void offered(const Peripheral&) override {}
  void withdrawn(const std::string&, Reason) override {}
  void connection_greeted(LaneConnection& connection, const Hello& hello) override {
    greeted = &connection;
    seat = connection.peer().common_name;
    connection.attach(*session, hello.lane);
    const auto taken = static_cast<GateSession*>(session)->attach(hello);
    if (!taken) connection.refuse(taken.error());
  }

  LaneConnection* greeted = nullptr;
  std::string seat;
};

class TlsSession : public ::testing::Test {
 protected:
  TlsSession() {
    agent_end.session = &agent;
    gate_end.session = &gate;
  }
  void dial(Lane lane) {
    auto [at_gate, at_agent] = testing::connected_sockets();
    connections.push_back(std::make_unique<LaneConnection>(loop, std::move(at_gate), gate_context, gate_end));
    connections.push_back(std::make_unique<LaneConnection>(loop, std::move(at_agent), agent_context, agent_end));
    agent_end.dialled[connections.back().get()] = lane;
  }
  bool run(const std::function<bool()>& done) { return testing::run_until(loop, done); }
  bool up(bool wanted) {
    return run([&] {
      return agent.up(Lane::realtime) == wanted && agent.up(Lane::bulk) == wanted &&
             gate.up(Lane::realtime) == wanted && gate.up(Lane::bulk) == wanted;
    });
  }

  EventLoop loop;
  TlsContext gate_context = *TlsContext::make(Certificates::get().for_gate());
  TlsContext agent_context = *TlsContext::make(Certificates::get().for_agent());
  AgentEnd agent_end;
  GateEnd gate_end;
  AgentSession agent{loop, agent_end, {.name = "seat"}};
  GateSession gate{loop, gate_end, {.name = "gate"}, random_session_id(), random_secret()};
  std::vector<std::unique_ptr<LaneConnection>> connections;
};

TEST_F(TlsSession, CarriesADiskAndKeysAndOutlivesItsConnections) {
  ASSERT_TRUE(agent.offer({.id = "disk"}));
  ASSERT_TRUE(agent.offer({.id = "keys"}));
  dial(Lane::bulk);
  dial(Lane::realtime);
  ASSERT_TRUE(up(true));
  EXPECT_EQ(gate_end.seat, "seat-1");
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

  agent_end.lanes = {};
  connections.clear();  // as a process that is killed, or a network that says so
  gate.disconnected(Lane::realtime);
  gate.disconnected(Lane::bulk);
  gate_end.lanes = {};
  agent.disconnected(Lane::realtime);
  agent.disconnected(Lane::bulk);
  dial(Lane::realtime);
  dial(Lane::bulk);
  ASSERT_TRUE(up(true));
  EXPECT_TRUE(run([&] { return agent_end.started[*keys] == 2 && agent_end.started[*disk] == 2; }));
}

TEST_F(TlsSession, IsToldWhyItEndsAndClosesBothConnections) {
  dial(Lane::realtime);
  dial(Lane::bulk);
  ASSERT_TRUE(up(true));
  gate.end({.reason = Reason::not_allowed});
  EXPECT_TRUE(run([&] { return agent_end.ended.has_value(); }));
  EXPECT_EQ(agent_end.ended->reason, Reason::not_allowed);
  EXPECT_TRUE(run([&] { return agent_end.closed.size() == 2 && gate_end.closed.size() == 2; }));
  EXPECT_THAT(agent_end.closed, ::testing::Each(""));
}

TEST_F(TlsSession, IsToldWhyItIsRefused) {
  dial(Lane::realtime);
  ASSERT_TRUE(run([&] { return agent.up(Lane::realtime); }));
  agent.disconnected(Lane::realtime);
  agent_end.lanes = {};
  gate.end({.reason = Reason::finished});  // as after a restart: nobody knows the session
  dial(Lane::realtime);
  EXPECT_TRUE(run([&] { return agent_end.ended.has_value(); }));
  EXPECT_EQ(agent_end.ended->reason, Reason::unknown_session);
}

TEST(Random, GivesEachSessionItsOwn) {
  EXPECT_NE(random_secret(), random_secret());
  EXPECT_NE(random_session_id(), random_session_id());
}

}  // namespace
}  // namespace periplex::link
