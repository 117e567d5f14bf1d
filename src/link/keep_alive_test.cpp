// SPDX-License-Identifier: Apache-2.0
#include "link/keep_alive.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "base/testing/virtual_time.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Watched {
  periplex::testing::VirtualTime time;
  std::vector<std::uint64_t> pings;
  bool dead = false;
  KeepAlive keep_alive{
      time, {.ping = [this](std::uint64_t token) { pings.push_back(token); }, .dead = [this] { dead = true; }}};
};

TEST(KeepAlive, GivesUpAfterSoManySilentIntervals) {
  Watched watched;
  watched.keep_alive.start(seconds(1), true);
  watched.time.advance(milliseconds(4900));
  EXPECT_FALSE(watched.dead);
  watched.time.advance(milliseconds(200));
  EXPECT_TRUE(watched.dead);
  EXPECT_EQ(watched.time.armed_timers(), 0U);
}

TEST(KeepAlive, TakesAnyByteForASignOfLife) {
  Watched watched;
  watched.keep_alive.start(seconds(1), true);
  for (int i = 0; i < 20; ++i) {
    watched.time.advance(seconds(3));
    watched.keep_alive.heard();
  }
  EXPECT_FALSE(watched.dead);
}

TEST(KeepAlive, SmoothsTheRoundTripAndIgnoresAnswersNobodyAskedFor) {
  Watched watched;
  watched.keep_alive.start(seconds(1), true);
  watched.keep_alive.answered(99);
  EXPECT_FALSE(watched.keep_alive.round_trip());
  watched.time.advance(milliseconds(80));
  watched.keep_alive.answered(watched.pings.back());
  EXPECT_EQ(watched.keep_alive.round_trip(), milliseconds(80));
  watched.keep_alive.heard();
  watched.time.advance(milliseconds(920 + 160));
  watched.keep_alive.answered(watched.pings.back());
  EXPECT_EQ(watched.keep_alive.round_trip(), milliseconds(90));
}

}  // namespace
}  // namespace periplex::link
