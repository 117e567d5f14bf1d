// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/options.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace periplex::apps {
namespace {

auto parse(std::vector<const char*> words) {
  words.insert(words.begin(), "periplex-gate");
  return parse_gate_options(static_cast<int>(words.size()), words.data());
}

TEST(GateOptions, AreNumbers) {
  const auto options = parse({"--listen", "3", "--parent", "4", "--workers", "5", "--root", "6", "--user", "12:34"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->listening, 3);
  EXPECT_EQ(options->parent, 4);
  EXPECT_EQ(options->workers, 5);
  EXPECT_EQ(options->root, 6);
  EXPECT_EQ(options->user, (sandbox::User{.user = 12, .group = 34}));
  EXPECT_EQ(parse({"--listen", "3", "--parent", "4", "--workers", "5"})->user, std::nullopt);
}

TEST(GateOptions, MistakesEndWithStatusTwo) {
  EXPECT_EQ(parse({"--listen", "3", "--parent", "4"}).error().status, 2);
  for (const char* const user : {"nobody", "1", "1:", ":1", "1:2:3", "-1:0"}) {
    const auto options = parse({"--listen", "3", "--parent", "4", "--workers", "5", "--user", user});
    ASSERT_FALSE(options) << user;
    EXPECT_EQ(options.error().status, 2) << user;
  }
}

}  // namespace
}  // namespace periplex::apps
