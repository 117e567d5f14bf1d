// SPDX-License-Identifier: Apache-2.0
// Sessions on a network that does nothing worse than take its time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "link/testing/ends.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using testing::Pair;

std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  for (char& c : text) {
    seed = seed * 1'664'525 + 1'013'904'223;
    c = static_cast<char>(seed >> 24);
  }
  return text;
}

TEST(Session, BeginsWithBothLanesAndAgreesOnWhatBothHave) {
  Pair pair({.name = "seat", .capabilities = kCapabilityZstd | 0x8000}, {.name = "gate"});
  pair.network.dial(Lane::bulk);
  pair.run();
  EXPECT_FALSE(pair.agent.established());  // it is the real-time lane that begins a session
  pair.network.dial(Lane::realtime);
  pair.run();
  for (const Lane lane : kEachLane) {
    EXPECT_TRUE(pair.agent.up(lane));
    EXPECT_TRUE(pair.gate.up(lane));
  }
  EXPECT_EQ(pair.agent.agreement()->capabilities, kCapabilityZstd);
  EXPECT_EQ(pair.gate.agreement()->capabilities, kCapabilityZstd);
  EXPECT_EQ(pair.agent.far_name(), "gate");
  EXPECT_EQ(pair.gate.far_name(), "seat");
  EXPECT_EQ(pair.agent.id(), SessionId(7));
}

TEST(Session, GoesDownToTheVersionOfAnOlderRelease) {
  Pair pair({.name = "older", .min_version = 1, .max_version = 1},
            {.name = "newer", .min_version = 1, .max_version = 4});
  pair.dial_both();
  EXPECT_EQ(pair.agent.agreement()->version, 1);
  EXPECT_EQ(pair.gate.agreement()->version, 1);
}

TEST(Session, EndsWithTheReasonWhenThereIsNoCommonVersion) {
  Pair pair({.min_version = 1, .max_version = 1}, {.min_version = 2, .max_version = 4});
  pair.dial_both();
  ASSERT_TRUE(pair.agent_end.notes.ended);
  EXPECT_EQ(pair.agent_end.notes.ended->reason, Reason::no_common_version);
  EXPECT_EQ(pair.network.refused(), Reason::no_common_version);
}

TEST(Session, RunsOnOneConnectionWhereAnEndHasNoMore) {
  Pair pair({.lanes = 1});
  pair.network.dial(Lane::realtime);
  pair.run();
  const ChannelId disk = pair.channel("disk", Priority::bulk);
  pair.gate.send(disk, as_bytes("read"));
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk], "read");
}

TEST(Session, OffersAndWithdrawsPeripherals) {
  Pair pair;
  (void)pair.agent.offer({.id = "early"});
  pair.dial_both();
  (void)pair.agent.offer({.id = "late",
                          .kind = Kind::usb,
                          .vendor = 0x1209,
                          .name = "Key\x07"
                                  "board"});
  pair.run();
  EXPECT_THAT(pair.gate_end.notes.events, ElementsAre("offered early", "offered late"));
  EXPECT_EQ(pair.gate.peripheral("late")->vendor, 0x1209);
  EXPECT_EQ(pair.gate.peripheral("late")->name, "Key?board");
  pair.agent.withdraw("early", Reason::unplugged);
  pair.run();
  EXPECT_THAT(pair.gate_end.notes.events, Contains("withdrawn early unplugged"));
  EXPECT_EQ(pair.gate.peripheral("early"), nullptr);
}

TEST(Session, BindsAChannelToOnePeripheralAndCarriesItsBytes) {
  Pair pair;
  pair.dial_both();
  const ChannelId keys = pair.channel("keys", Priority::interactive);
  EXPECT_EQ(pair.gate.open({.id = "keys"}).error(), Reason::busy);
  EXPECT_EQ(pair.gate.open({.id = "nothing"}).error(), Reason::not_offered);
  EXPECT_THAT(pair.agent_end.notes.events, ElementsAre("opened 1", "started 1"));
  const std::string there = pattern(200'000, 1);
  const std::string back = pattern(200'000, 2);
  EXPECT_EQ(pair.gate.send(keys, as_bytes(there)), there.size());
  EXPECT_EQ(pair.agent.send(keys, as_bytes(back)), back.size());
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[keys], there);
  EXPECT_EQ(pair.gate_end.notes.received[keys], back);
}

TEST(Session, ClosesAChannelFromEitherEndAndWithItsPeripheral) {
  Pair pair;
  pair.dial_both();
  const ChannelId one = pair.channel("one");
  pair.gate.close(one, {.reason = Reason::worker_gone});
  pair.agent.send(one, as_bytes("late"));  // crosses the CLOSE, and is no violation
  pair.run();
  EXPECT_THAT(pair.agent_end.notes.events, Contains("closed 1 worker gone"));
  const ChannelId two = pair.channel("one");
  EXPECT_EQ(two, ChannelId(2));  // numbers are never used again
  pair.agent.close(two, {.reason = Reason::refused});
  pair.run();
  EXPECT_THAT(pair.gate_end.notes.events, Contains("closed 2 refused"));
  const ChannelId three = pair.channel("one");
  pair.agent.withdraw("one", Reason::taken_back);
  pair.run();
  EXPECT_THAT(pair.gate_end.notes.events, Contains("closed 3 taken back"));
  EXPECT_EQ(pair.gate.room(three), 0U);
  EXPECT_FALSE(pair.gate.ended());
  EXPECT_FALSE(pair.agent.ended());
}

TEST(Session, LetsNobodySendMoreThanItsUserTakes) {
  const Windows windows{.urgent = 32 * 1024, .bulk = 100'000};
  Pair pair({.windows = windows}, {});
  pair.dial_both();
  const ChannelId disk = pair.channel("disk");
  pair.agent_end.notes.consumes = false;
  const std::string data = pattern(250'000);
  EXPECT_EQ(pair.gate.send(disk, as_bytes(data)), data.size());
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk].size(), windows.bulk);
  EXPECT_LT(pair.gate.send(disk, as_bytes(pattern(200'000))), 200'000U);  // the rest waits here, within bounds
  pair.agent.consumed(disk, 10'000);
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk].size(), windows.bulk);  // credit is given in larger pieces
  pair.agent.consumed(disk, 40'000);
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk].size(), windows.bulk + 50'000);
  EXPECT_THAT(pair.gate_end.notes.events, Not(Contains("writable 1")));
  pair.agent_end.notes.consumes = true;
  pair.agent.consumed(disk, windows.bulk);
  pair.run(milliseconds(500));
  EXPECT_THAT(pair.gate_end.notes.events, Contains("writable 1"));
  EXPECT_EQ(pair.agent_end.notes.received[disk].substr(0, data.size()), data);
}

TEST(Session, LetsAUserThatTakesNothingDelayNobodyElse) {
  Pair pair;
  pair.dial_both();
  const ChannelId stuck = pair.channel("stuck");
  const ChannelId disk = pair.channel("disk");
  pair.agent_end.notes.consumes = false;
  pair.agent_end.notes.on_data = [&](ChannelId channel, ByteView bytes) {
    if (channel == disk) pair.agent.consumed(channel, bytes.size());
  };
  const std::string much = pattern(100'000);
  for (int i = 0; i < 100; ++i) {
    (void)pair.gate.send(stuck, as_bytes(much));
    EXPECT_EQ(pair.gate.send(disk, as_bytes(much)), much.size());
    pair.run(milliseconds(20));
  }
  pair.run();
  EXPECT_EQ(pair.agent_end.notes.received[disk].size(), 100 * much.size());
  EXPECT_EQ(pair.agent_end.notes.received[stuck].size(), Windows{}.bulk);
}

TEST(Session, SendsAKeyBeforeTheBulkThatWaitsOnTheSameLane) {
  Pair pair({.lanes = 1});
  pair.network.options.bytes_per_second = 1'000'000;
  pair.network.dial(Lane::realtime);
  pair.run();
  const ChannelId disk = pair.channel("disk", Priority::bulk);
  const ChannelId keys = pair.channel("keys", Priority::interactive);
  pair.agent.send(disk, as_bytes(pattern(250'000)));
  pair.run(milliseconds(50));
  const Nanoseconds pressed = pair.time.now();
  std::optional<Nanoseconds> seen;
  pair.gate_end.notes.on_data = [&](ChannelId channel, ByteView) {
    if (channel == keys) seen = pair.time.now();
  };
  pair.agent.send(keys, as_bytes("a"));
  pair.run(milliseconds(100));
  ASSERT_TRUE(seen);
  EXPECT_LE(*seen - pressed, milliseconds(5 + 2 * 17));  // the way, the piece being sent, and its own
}

TEST(Session, StarvesNoChannelAndServesThoseOfAPriorityInTurn) {
  Pair pair({.lanes = 1});
  pair.network.options.bytes_per_second = 1'000'000;
  pair.network.dial(Lane::realtime);
  pair.run();
  const ChannelId sound = pair.channel("sound", Priority::realtime);
  const ChannelId one = pair.channel("one", Priority::bulk);
  const ChannelId two = pair.channel("two", Priority::bulk);
  const std::string much = pattern(16 * 1024);
  pair.agent_end.notes.on_writable = [&](ChannelId channel) {
    while (pair.agent.send(channel, as_bytes(much)) == much.size()) {
    }
  };
  for (const ChannelId channel : {sound, one, two}) pair.agent_end.notes.on_writable(channel);
  pair.run(std::chrono::seconds(2));
  auto& received = pair.gate_end.notes.received;
  EXPECT_GT(received[sound].size(), 1'500'000U);
  EXPECT_GT(received[one].size(), 80'000U);
  EXPECT_NEAR(static_cast<double>(received[one].size()), static_cast<double>(received[two].size()), 16 * 1024 + 1);
}

TEST(Session, CompressesWhereItIsWelcomeAndPays) {
  Pair pair;
  pair.dial_both();
  const ChannelId text = pair.channel("text", Priority::bulk, true);
  const std::string zeros(200'000, 'x');
  pair.agent.send(text, as_bytes(zeros));
  std::size_t sent = 0;
  for (Bytes bytes = pair.agent.take(Lane::bulk, 16 * 1024); !bytes.empty();
       bytes = pair.agent.take(Lane::bulk, 16 * 1024)) {
    sent += bytes.size();
    pair.gate.receive(Lane::bulk, bytes);
  }
  EXPECT_LT(sent, 4000U);
  EXPECT_EQ(pair.gate_end.notes.received[text], zeros);
}

TEST(Session, MeasuresTheRoundTrip) {
  Pair pair;
  pair.network.options.delay = milliseconds(25);
  pair.dial_both();
  pair.run(std::chrono::seconds(5));
  for (const Lane lane : kEachLane) {
    EXPECT_EQ(pair.agent.round_trip(lane), milliseconds(50));
    EXPECT_EQ(pair.gate.round_trip(lane), milliseconds(50));
  }
}

TEST(Session, TellsTheFarEndWhyItEnds) {
  Pair pair;
  pair.dial_both();
  pair.gate.end({.reason = Reason::not_allowed, .text = "the seat was removed"});
  pair.run();
  ASSERT_TRUE(pair.agent_end.notes.ended);
  EXPECT_EQ(pair.agent_end.notes.ended->reason, Reason::not_allowed);
  EXPECT_EQ(pair.agent_end.notes.ended->text, "the seat was removed");
  EXPECT_TRUE(pair.agent_end.notes.by_far_end);
  EXPECT_FALSE(pair.gate_end.notes.by_far_end);
  EXPECT_EQ(pair.time.armed_timers(), 0U);
}

}  // namespace
}  // namespace periplex::link
