// SPDX-License-Identifier: Apache-2.0
// Sessions whose urgent streams datagrams repeat, on networks of all kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "link/testing/ends.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::DatagramPath;
using testing::Pair;

/// Where a test's bytes come from: 37 bytes are what a key costs.
constexpr std::size_t kKey = 37;

class Datagrams : public ::testing::Test {
 protected:
  explicit Datagrams(const Settings& agent = {.name = "seat"}, const Settings& gate = {.name = "gate"})
      : pair(agent, gate) {
    pair.agent_end.notes.datagrams = true;
  }

  void begin() {
    pair.dial_both();
    keys = pair.channel("keys", Priority::interactive);
    pair.gate_end.notes.on_data = [this](ChannelId channel, ByteView) {
      while (channel == keys && arrived.size() < pressed.size() &&
             arrived.size() < pair.gate_end.notes.received[keys].size() / kKey) {
        arrived.push_back(pair.time.now() - pressed[arrived.size()]);
      }
    };
  }
  /// Keys in both directions, one each `interval`.
  void type(unsigned count, Nanoseconds interval) {
    for (unsigned i = 0; i < count; ++i) {
      std::string key = std::to_string(pressed.size());
      key.resize(kKey, '.');
      pressed.push_back(pair.time.now());
      typed += key;
      EXPECT_EQ(pair.agent.send(keys, as_bytes(key)), kKey);
      EXPECT_EQ(pair.gate.send(keys, as_bytes(key)), kKey);
      pair.run(interval);
    }
  }
  void expect_all() {
    EXPECT_EQ(pair.gate_end.notes.received[keys], typed);
    EXPECT_EQ(pair.agent_end.notes.received[keys], typed);
  }
  [[nodiscard]] Nanoseconds worst() const { return *std::ranges::max_element(arrived); }
  [[nodiscard]] Nanoseconds share(unsigned percent) {
    std::ranges::sort(arrived);
    return arrived[(arrived.size() - 1) * percent / 100];
  }

  Pair pair;
  ChannelId keys;
  std::string typed;
  std::vector<Nanoseconds> pressed;
  std::vector<Nanoseconds> arrived;  ///< after so long, in the order of the keys
};

TEST_F(Datagrams, RepeatWhatTheStreamCarriesAndNothingComesTwice) {
  begin();
  EXPECT_TRUE(pair.agent.datagrams().works());
  EXPECT_TRUE(pair.gate.datagrams().works());
  type(100, milliseconds(8));
  pair.run(seconds(1));
  expect_all();
  for (const Session* session : {static_cast<Session*>(&pair.agent), static_cast<Session*>(&pair.gate)}) {
    EXPECT_EQ(session->datagrams().counters().sent, 100U);
    EXPECT_EQ(session->datagrams().counters().received, 100U);
    EXPECT_EQ(session->datagrams().counters().repeated, 0U);
  }
}

TEST_F(Datagrams, CarryKeysWhileTheStreamIsStalled) {
  begin();
  type(5, milliseconds(20));
  pair.network.stall(Lane::realtime, seconds(3));
  type(100, milliseconds(20));
  EXPECT_EQ(pair.gate_end.notes.received[keys].size(), typed.size());
  EXPECT_LE(worst(), milliseconds(6));
  EXPECT_GE(pair.gate.datagrams().counters().first, 100U);
  pair.run(seconds(3));
  type(5, milliseconds(20));
  pair.run(seconds(1));
  expect_all();
  EXPECT_TRUE(pair.gate.up(Lane::realtime));
  EXPECT_EQ(pair.gate_end.notes.events, (std::vector<std::string>{"offered keys"}));
}

TEST_F(Datagrams, CostTheStreamNothingWhereTheyDoNotGetThrough) {
  begin();
  pair.network.datagram_options.loss = 100;
  pair.network.options.delay = milliseconds(5);
  pair.run(seconds(4));
  EXPECT_FALSE(pair.agent.datagrams().works());
  EXPECT_FALSE(pair.gate.datagrams().works());
  type(50, milliseconds(8));
  EXPECT_LE(worst(), milliseconds(6));
  EXPECT_EQ(pair.agent.datagrams().counters().sent, 0U);
  expect_all();
  pair.network.datagram_options.loss = 0;
  pair.run(seconds(2));
  EXPECT_TRUE(pair.agent.datagrams().works());
  type(50, milliseconds(8));
  EXPECT_GE(pair.gate.datagrams().counters().received, 50U);
  pair.run();
  expect_all();
}

TEST_F(Datagrams, AreNotUsedBeforeTheyHaveGotThrough) {
  pair.network.datagram_options.loss = 100;
  begin();
  type(50, milliseconds(8));
  EXPECT_FALSE(pair.gate.datagrams().is_open());
  EXPECT_EQ(pair.agent.datagrams().counters().sent, 0U);
  pair.run();
  expect_all();
}

/// A network, its share of losses, and within what time so many of a hundred keys are there though the stream is
/// stalled the whole time. One way takes 5 ms.
struct Weather {
  const char* name;
  DatagramPath::Options options;
  unsigned percent;
  milliseconds within;
};
class DatagramsInWeather : public Datagrams, public ::testing::WithParamInterface<Weather> {};

TEST_P(DatagramsInWeather, CarryEachKeyOnceInOrderAndSoon) {
  begin();
  pair.network.datagram_options = GetParam().options;
  pair.network.stall(Lane::realtime, seconds(4));
  type(250, milliseconds(16));
  pair.run(seconds(8));
  expect_all();
  ASSERT_EQ(arrived.size(), 250U);
  EXPECT_LE(share(GetParam().percent), GetParam().within);
  EXPECT_LE(pair.network.datagrams_to_gate.longest, Datagram::kMaxSize);
}

INSTANTIATE_TEST_SUITE_P(
    , DatagramsInWeather,
    ::testing::Values(Weather{"NineOfTenAtOnceWith5PercentLost", {.loss = 5}, 90, milliseconds(6)},
                      Weather{"NearlyAllWith5PercentLost", {.loss = 5}, 98, milliseconds(40)},
                      Weather{"MostAtOnceWith30PercentLost", {.loss = 30}, 60, milliseconds(10)},
                      Weather{"NineOfTenWith30PercentLost", {.loss = 30}, 90, milliseconds(60)},
                      Weather{"AllWhereTheyOvertake", {.jitter = milliseconds(60)}, 100, milliseconds(66)},
                      Weather{"AllWhereTheyAreDoubled", {.doubled = 100}, 100, milliseconds(6)},
                      Weather{"NineOfTenWithAllOfThat",
                              {.jitter = milliseconds(40), .loss = 30, .doubled = 30},
                              90,
                              milliseconds(80)}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST_F(Datagrams, ThatAreReplayedChangeNothing) {
  begin();
  type(50, milliseconds(8));
  const std::vector<Bytes> seen = pair.network.datagrams_to_gate.seen;
  for (const Bytes& datagram : seen) pair.network.gate_gets(datagram);
  type(50, milliseconds(8));
  for (const Bytes& datagram : seen) pair.network.gate_gets(datagram);
  pair.run(seconds(1));
  expect_all();
}

TEST_F(Datagrams, OfAnOlderConnectionMeanNothingToTheNextOne) {
  begin();
  type(20, milliseconds(8));
  const std::vector<Bytes> seen = pair.network.datagrams_to_gate.seen;
  pair.network.cut(Lane::realtime);
  EXPECT_FALSE(pair.gate.datagrams().is_open());
  pair.network.datagram_options.loss = 100;
  pair.network.dial(Lane::realtime);
  pair.run();
  // Also the binding is of the older one; and what belongs to nobody is not looked at.
  for (const Bytes& datagram : seen) pair.network.gate_gets(datagram);
  EXPECT_FALSE(pair.gate.datagrams().is_open());
  EXPECT_EQ(pair.gate_end.notes.received[keys], "");
  pair.network.datagram_options.loss = 0;
  pair.run(seconds(1));
  EXPECT_TRUE(pair.gate.datagrams().works());
  typed.clear();
  type(20, milliseconds(8));
  pair.run();
  expect_all();
}

TEST_F(Datagrams, AreBoundByWhoKnowsTheSessionsSecretOnly) {
  pair.dial_both();
  pair.network.datagram_options.loss = 100;
  Datagram bind{.type = Datagram::Type::bind, .number = 1, .binding = {.session = SessionId(8), .way = 1}};
  bind.binding.secret = testing::some_secret();
  EXPECT_FALSE(pair.gate.bind(bind)) << "another session";
  bind.binding.session = SessionId(7);
  bind.binding.secret[31] ^= std::byte{1};
  EXPECT_FALSE(pair.gate.bind(bind)) << "a wrong secret";
  bind.binding.secret = testing::some_secret();
  bind.binding.way = 2;
  EXPECT_FALSE(pair.gate.bind(bind)) << "another connection";
  bind.binding.way = 1;
  bind.type = Datagram::Type::probe;
  EXPECT_FALSE(pair.gate.bind(bind)) << "no binding";
  bind.type = Datagram::Type::bind;
  EXPECT_TRUE(pair.gate.bind(bind));
  pair.network.cut(Lane::realtime);
  EXPECT_FALSE(pair.gate.bind(bind)) << "no lane";
}

class DatagramsSwitchedOff : public Datagrams {
 protected:
  DatagramsSwitchedOff() : Datagrams({.name = "seat"}, {.name = "gate", .capabilities = kCapabilityZstd}) {}
};
TEST_F(DatagramsSwitchedOff, AreNotAskedFor) {
  begin();
  type(10, milliseconds(8));
  pair.run();
  expect_all();
  EXPECT_FALSE(pair.agent.takes_datagrams());
  EXPECT_TRUE(pair.network.datagrams_to_gate.seen.empty());
}

TEST_F(Datagrams, RepeatUrgentChannelsOnlyAndNoMoreThanTheyMay) {
  begin();
  pair.run(seconds(1));
  const ChannelId disk = pair.channel("disk", Priority::bulk);
  pair.agent.send(disk, Bytes(100'000));
  pair.run();
  EXPECT_EQ(pair.agent.datagrams().counters().sent, 0U);
  const Nanoseconds before = pair.time.now();
  const std::size_t then = pair.network.datagrams_to_gate.bytes;
  for (int i = 0; i < 200; ++i) {  // 2 MB a second
    pair.agent.send(keys, Bytes(20'000));
    pair.run(milliseconds(10));
  }
  const double seconds_passed = std::chrono::duration<double>(pair.time.now() - before).count();
  const double sent = static_cast<double>(pair.network.datagrams_to_gate.bytes - then);
  EXPECT_LE(sent, DatagramWay::kRate * seconds_passed * 1.05 + DatagramWay::kBurst);
  EXPECT_EQ(pair.gate_end.notes.received[keys].size(), 4'000'000U);
}

TEST_F(Datagrams, DoNotGoBeyondTheCreditThatTheStreamHas) {
  begin();
  pair.gate_end.notes.consumes = false;
  pair.network.stall(Lane::realtime, seconds(3));
  for (int i = 0; i < 20; ++i) {
    pair.agent.send(keys, Bytes(20'000));
    pair.run(milliseconds(100));
  }
  const std::uint32_t window = Windows().urgent;
  EXPECT_LE(pair.gate_end.notes.received[keys].size(), window);
  EXPECT_GT(pair.gate_end.notes.received[keys].size(), 40'000U);
  pair.run(seconds(4));
  EXPECT_EQ(pair.gate_end.notes.received[keys].size(), window);
  pair.gate_end.notes.consumes = true;
  pair.gate.consumed(keys, window);
  pair.run(seconds(1));
  EXPECT_GE(pair.gate_end.notes.received[keys].size(), 400'000U);
  EXPECT_FALSE(pair.gate.ended());
  EXPECT_FALSE(pair.agent.ended());
}

TEST_F(Datagrams, KeepALaneThatIsSilentAWhileLongerButNotForEver) {
  begin();
  pair.network.black_hole(Lane::realtime);
  pair.run(seconds(6));
  EXPECT_TRUE(pair.gate.up(Lane::realtime));
  type(20, milliseconds(20));
  EXPECT_EQ(pair.gate_end.notes.received[keys], typed);
  pair.run(seconds(4));
  EXPECT_FALSE(pair.gate.up(Lane::realtime));
  EXPECT_FALSE(pair.agent.up(Lane::realtime));
  EXPECT_FALSE(pair.agent.datagrams().is_open());
}

TEST_F(Datagrams, EndWithTheSession) {
  begin();
  pair.agent.end({.reason = Reason::finished});
  pair.run();
  EXPECT_TRUE(pair.gate.ended());
  EXPECT_EQ(pair.time.armed_timers(), 0U);
}

TEST_F(Datagrams, ThatAreNoneOrTellLiesAreOfNoUse) {
  begin();
  type(10, milliseconds(8));
  for (const Datagram& lie : {Datagram{.channel = ChannelId(99), .content = as_bytes("x")},
                              Datagram{.channel = keys, .offset = ~std::uint64_t{0}, .content = as_bytes("x")},
                              Datagram{.channel = keys, .offset = typed.size() + 1, .content = as_bytes("x")},
                              Datagram{.channel = keys, .acknowledged = ~std::uint64_t{0}},
                              Datagram{.type = Datagram::Type::answer, .number = ~std::uint64_t{0}},
                              Datagram{.type = Datagram::Type::answer, .number = 0},
                              Datagram{.type = Datagram::Type::bind}, Datagram{.type = Datagram::Type(77)}}) {
    pair.network.gate_gets(lie.bytes());
    pair.agent.receive_datagram(lie.bytes());
  }
  pair.network.gate_gets({});
  pair.network.gate_gets(Bytes(Datagram::kMaxSize + 1, std::byte{1}));
  type(10, milliseconds(8));
  pair.run(seconds(1));
  expect_all();
}

}  // namespace
}  // namespace periplex::link
