// SPDX-License-Identifier: Apache-2.0
#include "link/arbiter.hpp"

#include <gtest/gtest.h>

namespace periplex::link {
namespace {

TEST(Arbiter, PicksTheMostUrgentThatHasSomething) {
  Arbiter arbiter;
  EXPECT_EQ(arbiter.pick({false, false, false}), std::nullopt);
  EXPECT_EQ(arbiter.pick({false, false, true}), Priority::bulk);
  EXPECT_EQ(arbiter.pick({false, true, true}), Priority::interactive);
  EXPECT_EQ(arbiter.pick({true, true, true}), Priority::realtime);
}

TEST(Arbiter, LetsALowerOneThroughAfterItWasPassedOverLongEnough) {
  Arbiter arbiter;
  std::array<int, kPriorities> picked{};
  for (int i = 0; i < 100; ++i) ++picked[index(*arbiter.pick({true, true, true}))];
  EXPECT_GE(picked[0], 70);
  EXPECT_GE(picked[1], 8);
  EXPECT_GE(picked[2], 8);
}

}  // namespace
}  // namespace periplex::link
