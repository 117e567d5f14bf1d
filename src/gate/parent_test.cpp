// SPDX-License-Identifier: Apache-2.0
#include "gate/parent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "link/testing/tls.hpp"

namespace periplex::gate {
namespace {

class ParentTest : public ::testing::Test {
 protected:
  ParentTest() {
    auto [own, far] = link::testing::connected_sockets();
    other = std::move(far);
    parent =
        std::make_unique<Parent>(loop, std::move(own),
                                 Parent::Events{.instructed = [this](Instruction) { ++instructions; },
                                                .mistaken = [this](const std::string& why) { mistakes.push_back(why); },
                                                .state = [this] { return state; },
                                                .gone = [this] { gone = true; }});
  }
  void say(std::string_view text) {
    ASSERT_EQ(::send(other.get(), text.data(), text.size(), 0), std::ssize(text));
    loop.run_once(std::chrono::seconds(1));
  }
  std::string heard() {
    std::array<char, 65536> text;
    const ssize_t count = ::recv(other.get(), text.data(), text.size(), 0);
    return count > 0 ? std::string(text.data(), static_cast<std::size_t>(count)) : std::string();
  }

  EventLoop loop;
  UniqueFd other;
  State state;
  int instructions = 0;
  bool gone = false;
  std::vector<std::string> mistakes;
  std::unique_ptr<Parent> parent;
};

TEST_F(ParentTest, ReadsLinesHoweverTheyArrive) {
  const std::string line = to_line(EnrolmentVerdict{.id = 1});
  say(line.substr(0, 5));
  EXPECT_EQ(instructions, 0);
  say(line.substr(5) + line);
  EXPECT_EQ(instructions, 2);
  say("{}\n");
  EXPECT_EQ(mistakes.size(), 1U);
}

TEST_F(ParentTest, TellsChangesThatComeTogetherOnce) {
  state.machines.push_back({.name = "vm1", .worker = false});
  for (int i = 0; i < 100; ++i) parent->show();
  std::string text;
  ASSERT_TRUE(link::testing::run_until(loop, [&] { return !(text += heard()).empty(); }));
  EXPECT_EQ(text, to_line(state));
}

TEST_F(ParentTest, DoesNotGrowForAParentThatDoesNotRead) {
  unsigned asked = 0;
  const EnrolmentQuestion question{.id = 1, .digest = {}, .request = std::string(8000, 'x')};
  while (asked < 10'000 && parent->ask(question)) {
    ++asked;
    loop.run_once(Nanoseconds(0));
  }
  EXPECT_LT(asked, 1000U);
}

TEST_F(ParentTest, NoticesThatTheParentIsGone) {
  other.reset();
  EXPECT_TRUE(link::testing::run_until(loop, [this] { return gone; }));
}

}  // namespace
}  // namespace periplex::gate
