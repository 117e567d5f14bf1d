// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <gtest/gtest.h>

namespace periplex::log {
namespace {

using namespace std::chrono_literals;

TEST(RateLimit, PassesABurstAndCountsWhatItSwallows) {
  RateLimit limit(2, 10s);
  EXPECT_TRUE(limit.allow(11s));
  EXPECT_TRUE(limit.allow(12s));
  EXPECT_FALSE(limit.allow(13s));
  EXPECT_FALSE(limit.allow(14s));
  EXPECT_EQ(limit.suppressed(), 2u);
}

TEST(RateLimit, StartsAgainInTheNextWindow) {
  RateLimit limit(1, 10s);
  EXPECT_TRUE(limit.allow(20s));
  EXPECT_FALSE(limit.allow(25s));
  EXPECT_TRUE(limit.allow(30s));
  EXPECT_EQ(limit.suppressed(), 0u);
}

}  // namespace
}  // namespace periplex::log
