// SPDX-License-Identifier: Apache-2.0
// Sessions whose connections are lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "link/testing/ends.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using testing::Pair;

TEST(SessionLoss, OfOneLaneStopsOnlyThatLanesChannels) {
  Pair pair;
  pair.dial_both();
  const ChannelId disk = pair.channel("disk", Priority::bulk);
  const ChannelId keys = pair.channel("keys", Priority::interactive);
  pair.agent_end.notes.events.clear();
  pair.gate_end.notes.events.clear();
  pair.network.cut(Lane::bulk);
  EXPECT_THAT(pair.agent_end.notes.events, ElementsAre("stopped 1"));
  EXPECT_THAT(pair.gate_end.notes.events, ElementsAre("stopped 1"));
  EXPECT_EQ(pair.gate.room(disk), 0U);
  EXPECT_EQ(pair.gate.send(disk, as_bytes("lost")), 0U);
  pair.agent.send(keys, as_bytes("a"));
  pair.run();
  EXPECT_EQ(pair.gate_end.notes.received[keys], "a");
  pair.network.dial(Lane::bulk);
  pair.run();
  EXPECT_THAT(pair.agent_end.notes.events, ElementsAre("stopped 1", "started 1"));
  EXPECT_THAT(pair.gate_end.notes.events, ElementsAre("stopped 1", "started 1"));
  pair.gate.send(disk, as_bytes("again"));
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk], "again");
}

TEST(SessionLoss, OfBothLanesIsResumedAndChannelsKeepTheirBinding) {
  Pair pair;
  pair.dial_both();
  const ChannelId disk = pair.channel("disk", Priority::bulk);
  const ChannelId keys = pair.channel("keys", Priority::interactive);
  pair.network.cut(Lane::realtime);
  pair.network.cut(Lane::bulk);
  pair.run(seconds(30));
  pair.agent_end.notes.events.clear();
  pair.gate_end.notes.events.clear();
  pair.dial_both();
  EXPECT_THAT(pair.agent_end.notes.events, ElementsAre("started 2", "started 1"));
  EXPECT_THAT(pair.gate_end.notes.events, ElementsAre("started 2", "started 1"));
  pair.gate.send(disk, as_bytes("d"));
  pair.gate.send(keys, as_bytes("k"));
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk], "d");
  EXPECT_EQ(pair.agent_end.notes.received[keys], "k");
  EXPECT_EQ(pair.agent.channels().at(disk).peripheral, "disk");
}

TEST(SessionLoss, FromAnotherAddressReplacesWhatTheGateStillBelievesIn) {
  Pair pair;
  pair.dial_both();
  const ChannelId disk = pair.channel("disk");
  pair.network.cut(Lane::realtime, false);
  pair.network.cut(Lane::bulk, false);
  EXPECT_TRUE(pair.gate.up(Lane::bulk));
  pair.network.dial(Lane::bulk);  // whichever is there first resumes
  pair.run();
  EXPECT_FALSE(pair.gate.up(Lane::realtime));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("dropped replaced").Times(2));
  pair.network.dial(Lane::realtime);
  pair.run();
  EXPECT_TRUE(pair.gate.up(Lane::realtime));
  EXPECT_GT(pair.gate.room(disk), 0U);
}

TEST(SessionLoss, IsNoticedThoughNobodySaysSo) {
  Pair pair;
  pair.dial_both();
  (void)pair.channel("disk");
  pair.network.black_hole(Lane::bulk);
  pair.run(seconds(3));
  EXPECT_FALSE(pair.agent.up(Lane::bulk));
  EXPECT_FALSE(pair.gate.up(Lane::bulk));
  EXPECT_TRUE(pair.agent.up(Lane::realtime));
  EXPECT_TRUE(pair.gate.up(Lane::realtime));
  EXPECT_THAT(pair.agent_end.notes.events, Contains("dropped silent"));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("dropped silent"));
}

TEST(SessionLoss, IsNoticedWhereTheGreetingIsNeverAnswered) {
  Pair pair;
  pair.network.dial(Lane::realtime);
  pair.network.black_hole(Lane::realtime);
  pair.run(seconds(3));
  EXPECT_THAT(pair.agent_end.notes.events, ElementsAre("dropped silent"));
  EXPECT_FALSE(pair.agent.ended());
  pair.dial_both();
  EXPECT_TRUE(pair.agent.up(Lane::bulk));
}

TEST(SessionLoss, IsNotConcludedFromTheTimeTheProcessWasStopped) {
  Pair pair;
  pair.dial_both();
  pair.time.stall(seconds(3600));
  pair.run(seconds(5));
  EXPECT_TRUE(pair.agent.up(Lane::bulk));
  EXPECT_TRUE(pair.gate.up(Lane::realtime));
}

TEST(SessionLoss, EndsTheSessionAfterTheTimeTheGateHolds) {
  Pair pair({}, {.hold = seconds(20)});
  pair.dial_both();
  pair.network.cut(Lane::realtime);
  pair.network.cut(Lane::bulk);
  for (int i = 0; i < 19; ++i) {  // vain attempts do not lengthen it
    pair.network.dial(Lane::bulk);
    pair.network.cut(Lane::bulk);
    pair.run(seconds(1));
  }
  EXPECT_FALSE(pair.gate.ended());
  EXPECT_FALSE(pair.agent.ended());
  pair.run(seconds(2));
  EXPECT_EQ(pair.gate_end.notes.ended->reason, Reason::resume_timeout);
  EXPECT_EQ(pair.agent_end.notes.ended->reason, Reason::resume_timeout);
}

TEST(SessionLoss, IsNotResumedByWhoDoesNotKnowTheSecret) {
  Pair pair;
  pair.dial_both();
  Hello hello{.lane = Lane::bulk, .purpose = Purpose::join, .session = SessionId(7), .secret = testing::some_secret()};
  EXPECT_TRUE(pair.gate.admits(hello));
  hello.secret[31] ^= std::byte{1};
  EXPECT_FALSE(pair.gate.admits(hello));
  EXPECT_EQ(pair.gate.attach(hello).error(), Reason::unknown_session);
  hello.purpose = Purpose::begin;
  EXPECT_EQ(pair.gate.attach(hello).error(), Reason::unknown_session);
  EXPECT_TRUE(pair.gate.up(Lane::bulk));
}

TEST(SessionLoss, BringsBothEndsToTheSameStateAgain) {
  Pair pair;
  pair.dial_both();
  (void)pair.channel("gone");                         // 1: the agent withdraws it meanwhile
  const ChannelId closed = pair.channel("closed");    // 2: the gate closes it meanwhile
  const ChannelId refused = pair.channel("refused");  // 3: the agent closes it meanwhile
  (void)pair.agent.offer({.id = "opened"});
  pair.run();
  pair.network.cut(Lane::realtime);
  pair.network.cut(Lane::bulk);
  pair.agent.withdraw("gone", Reason::unplugged);
  (void)pair.agent.offer({.id = "new"});
  pair.gate.close(closed, {.reason = Reason::worker_gone});
  pair.agent.close(refused, {.reason = Reason::refused});
  const auto opened = pair.gate.open({.id = "opened"});
  ASSERT_TRUE(opened);
  pair.agent_end.notes.events.clear();
  pair.gate_end.notes.events.clear();
  pair.dial_both();
  EXPECT_THAT(pair.agent_end.notes.events, Contains("closed 2 closed before"));
  EXPECT_THAT(pair.agent_end.notes.events, Contains("opened 4"));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("withdrawn gone withdrawn"));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("closed 1 withdrawn"));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("closed 3 closed before"));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("offered new"));
  EXPECT_THAT(pair.gate_end.notes.events, Not(Contains("offered opened")));  // nothing has changed of that one
  EXPECT_EQ(pair.agent.channels().size(), 1U);
  EXPECT_EQ(pair.gate.channels().size(), 1U);
}

/// One end of a stream that survives: each new stream begins with the number of bytes that have arrived, and the far
/// end goes on from there, as the attachment protocol does with messages.
class ReplayedStream {
 public:
  ReplayedStream(Session& session, std::size_t total) : session_(session), total_(total) {}

  void started(ChannelId channel) {
    far_count_.reset();
    head_.clear();
    (void)session_.send(channel, ByteWriter().le64(received).view());
  }
  void data(ChannelId channel, ByteView bytes) {
    while (!bytes.empty() && head_.size() < 8) {
      head_.push_back(bytes.front());
      bytes = bytes.subspan(1);
    }
    if (head_.size() == 8 && !far_count_) far_count_ = ByteReader(head_).le64();
    for (const std::byte byte : bytes) right = right && byte == byte_at(received++);
    pump(channel);
  }
  void pump(ChannelId channel) {
    while (far_count_ && *far_count_ < total_) {
      Bytes piece(std::min<std::size_t>(total_ - *far_count_, 5000));
      for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(*far_count_ + i);
      const std::size_t taken = session_.send(channel, piece);
      *far_count_ += taken;
      if (taken < piece.size()) return;
    }
  }

  std::uint64_t received = 0;
  bool right = true;

 private:
  static std::byte byte_at(std::uint64_t i) { return static_cast<std::byte>(i * 31 + (i >> 8) * 7 + (i >> 16)); }

  Session& session_;
  std::uint64_t total_;
  Bytes head_;
  std::optional<std::uint64_t> far_count_;
};

void cut_at_random(Pair& pair, std::minstd_rand& random) {
  const auto number = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  const Lane lane = number(2) == 0 ? Lane::bulk : Lane::realtime;
  switch (number(5)) {
    case 0:
      return pair.network.cut(lane, number(2) == 0);
    case 1:
      pair.network.cut(Lane::bulk, number(2) == 0);
      return pair.network.cut(Lane::realtime, number(2) == 0);
    case 2:
      return pair.network.black_hole(lane);
    default:
      return pair.network.cut_after(lane, number(2) == 0, number(60'000));
  }
}

TEST(SessionLoss, AtRandomPointsLosesNothingThatIsReplayed) {
  constexpr std::size_t kTotal = 400'000;
  std::ptrdiff_t restarts = 0;
  for (unsigned seed = 1; seed <= 24; ++seed) {
    std::minstd_rand random(seed);
    Pair pair;
    pair.network.options.bytes_per_second = 250'000;
    pair.dial_both();
    const ChannelId disk = pair.channel("disk", seed % 2 == 0 ? Priority::bulk : Priority::interactive, seed % 3 == 0);
    ReplayedStream at_gate(pair.gate, kTotal);
    ReplayedStream at_agent(pair.agent, kTotal);
    const auto connect = [&](testing::Notes& notes, ReplayedStream& stream) {
      notes.on_started = [&](ChannelId channel) { stream.started(channel); };
      notes.on_data = [&](ChannelId channel, ByteView bytes) { stream.data(channel, bytes); };
      notes.on_writable = [&](ChannelId channel) { stream.pump(channel); };
      stream.started(disk);
    };
    connect(pair.gate_end.notes, at_gate);
    connect(pair.agent_end.notes, at_agent);
    for (int turn = 0; turn < 400 && (at_gate.received < kTotal || at_agent.received < kTotal); ++turn) {
      if (turn % 2 == 0 && turn < 200) cut_at_random(pair, random);
      pair.run(milliseconds(random() % 200));
      pair.network.options.delay = milliseconds(1 + random() % 40);  // the lanes overtake each other
      for (const Lane lane : kEachLane) {
        if (!pair.network.connected(lane)) pair.network.dial(lane);
      }
    }
    EXPECT_EQ(at_gate.received, kTotal) << "seed " << seed;
    EXPECT_EQ(at_agent.received, kTotal) << "seed " << seed;
    EXPECT_TRUE(at_gate.right && at_agent.right) << "seed " << seed;
    EXPECT_FALSE(pair.agent.ended() || pair.gate.ended()) << "seed " << seed;
    restarts += std::ranges::count(pair.agent_end.notes.events, "started 1");
  }
  EXPECT_GT(restarts, 100);
}

}  // namespace
}  // namespace periplex::link
