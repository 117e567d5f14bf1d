// SPDX-License-Identifier: Apache-2.0
#include "link/datagram.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "base/testing/virtual_time.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct End {
  explicit End(periplex::testing::VirtualTime& time)
      : lane(time, ChannelId(5),
             {.send_datagram = [this](Bytes bytes) { datagrams.push_back(std::move(bytes)); },
              .send_on_stream = [this](Message message) { messages.push_back(std::move(message)); },
              .deliver = [this](ByteView content) { delivered.emplace_back(as_text(content)); }}) {}

  void gets(std::uint32_t sequence, std::string_view content) {
    lane.datagram_received(
        Datagram{.channel = ChannelId(5), .sequence = sequence, .content = as_bytes(content)}.bytes());
  }

  std::vector<Bytes> datagrams;
  std::vector<Message> messages;
  std::vector<std::string> delivered;
  DatagramLane lane;
};

TEST(DatagramLane, PutsMessagesInOrderAndDropsThoseThatComeTwiceOrLate) {
  periplex::testing::VirtualTime time;
  End end(time);
  end.gets(0, "a");
  end.gets(2, "c");
  end.gets(2, "c");
  EXPECT_THAT(end.delivered, ElementsAre("a"));
  end.gets(1, "b");
  EXPECT_THAT(end.delivered, ElementsAre("a", "b", "c"));
  end.gets(1, "b");
  EXPECT_EQ(end.lane.counters().late, 2U);
}

TEST(DatagramLane, GivesUpWhatIsMissingAfterAWhile) {
  periplex::testing::VirtualTime time;
  End end(time);
  end.gets(1, "b");
  end.gets(3, "d");
  time.advance(milliseconds(19));
  EXPECT_THAT(end.delivered, IsEmpty());
  time.advance(milliseconds(2));
  EXPECT_THAT(end.delivered, ElementsAre("b"));
  time.advance(milliseconds(20));
  EXPECT_THAT(end.delivered, ElementsAre("b", "d"));
  end.gets(0, "a");
  EXPECT_THAT(end.delivered, ElementsAre("b", "d"));
  EXPECT_EQ(end.lane.counters().missing, 2U);
  EXPECT_EQ(time.armed_timers(), 0U);
}

TEST(DatagramLane, HoldsABoundedNumberOfEarlyMessages) {
  periplex::testing::VirtualTime time;
  End end(time);
  for (std::uint32_t i = 1; i <= DatagramLane::kMaxEarly; ++i) end.gets(i * 2, "x");
  EXPECT_THAT(end.delivered, IsEmpty());
  end.gets(1000, "y");
  EXPECT_THAT(end.delivered, ElementsAre("x"));
}

TEST(DatagramLane, FallsBackToTheStreamAndReturns) {
  periplex::testing::VirtualTime time;
  End end(time);
  End far(time);
  const auto carry = [&] {
    for (const Bytes& bytes : std::exchange(end.datagrams, {})) far.lane.datagram_received(bytes);
    for (const Bytes& bytes : std::exchange(far.datagrams, {})) end.lane.datagram_received(bytes);
  };
  end.lane.send(as_bytes("0"));
  EXPECT_EQ(end.messages.size(), 1U);
  end.lane.begin_datagrams();
  carry();
  EXPECT_TRUE(end.lane.uses_datagrams());
  end.lane.send(as_bytes("1"));
  end.lane.send(Bytes(Datagram::kMaxContent + 1));  // fits no datagram
  EXPECT_EQ(end.messages.size(), 2U);
  for (const Message& message : end.messages) far.lane.message_received(message);
  carry();
  EXPECT_EQ(far.delivered.size(), 3U);
  time.advance(seconds(3));  // nothing is answered: a firewall
  EXPECT_FALSE(end.lane.uses_datagrams());
  end.lane.send(as_bytes("3"));
  EXPECT_EQ(end.messages.size(), 3U);
  carry();
  EXPECT_TRUE(end.lane.uses_datagrams());
}

TEST(DatagramLane, CountsRoundTheEndOfTheNumbers) {
  periplex::testing::VirtualTime time;
  End end(time);
  std::vector<std::string> sent;
  std::uint32_t at = 0;
  for (int i = 0; i < 4; ++i) {  // jumps no longer than half way round, so that each is ahead
    at += 0x7000'0000;
    end.gets(at, std::to_string(at));
    sent.push_back(std::to_string(at));
    time.advance(milliseconds(20));
  }
  EXPECT_EQ(end.delivered, sent);
}

TEST(DatagramLane, DeliversEachMessageOnceOrNotAtAllOnAnyNetwork) {
  periplex::testing::VirtualTime time;
  std::minstd_rand random(3);
  End end(time);
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    if (random() % 10 != 0) numbers.push_back(i);
    if (random() % 10 == 0) numbers.push_back(i);
  }
  for (std::size_t i = 0; i + 4 < numbers.size(); ++i) std::swap(numbers[i], numbers[i + random() % 4]);
  for (const std::uint32_t number : numbers) {
    end.gets(number, std::string(6 - std::to_string(number).size(), '0') + std::to_string(number));
    time.advance(milliseconds(random() % 4));
  }
  time.advance(seconds(1));
  EXPECT_TRUE(std::ranges::is_sorted(end.delivered));
  EXPECT_EQ(std::ranges::adjacent_find(end.delivered), end.delivered.end());
  EXPECT_GT(end.delivered.size(), 1700U);
}

TEST(DatagramLane, IgnoresWhatIsNoDatagramOfItsChannel) {
  periplex::testing::VirtualTime time;
  End end(time);
  end.lane.datagram_received({});
  end.lane.datagram_received(Bytes(Datagram::kMaxSize + 1));
  end.lane.datagram_received(Datagram{.type = Datagram::Type(9), .channel = ChannelId(5)}.bytes());
  end.lane.datagram_received(Datagram{.channel = ChannelId(6)}.bytes());
  EXPECT_THAT(end.delivered, IsEmpty());
  EXPECT_THAT(end.datagrams, IsEmpty());
}

}  // namespace
}  // namespace periplex::link
