// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/consent_command.hpp"

#include <gmock/gmock.h>

namespace periplex::apps {
namespace {

constexpr Nanoseconds kPatience = std::chrono::seconds(20);

bool ask(std::vector<std::string> words) {
  EventLoop loop;
  ConsentCommand consent(loop, std::move(words));
  std::optional<bool> answer;
  consent.ask("usb:1:2:3", {.description = "A stick"}, [&](bool yes) { answer = yes; });
  const Nanoseconds end = loop.now() + kPatience;
  while (!answer && loop.now() < end) loop.run_once(std::chrono::milliseconds(100));
  EXPECT_EQ(consent.questions(), 0u);
  return answer.value();
}

TEST(ConsentCommandTest, ExitStatusZeroIsYes) {
  EXPECT_TRUE(ask({"true"}));
  EXPECT_FALSE(ask({"false"}));
  EXPECT_FALSE(ask({"/nonexistent/program"}));
  EXPECT_FALSE(ask({}));
}

TEST(ConsentCommandTest, ItIsToldWhatItIsAbout) {
  EXPECT_TRUE(ask({"sh", "-c", R"([ "$1" = "A stick" ] && [ "$2" = usb:1:2:3 ])", "sh"}));
}

TEST(ConsentCommandTest, ThereAreNoMoreQuestionsThanAPersonCanAnswer) {
  EventLoop loop;
  unsigned refused = 0;
  {
    ConsentCommand consent(loop, {"sh", "-c", "exec sleep 1000", "sh"});
    for (std::size_t i = 0; i < ConsentCommand::kMostQuestions + 2; ++i) {
      consent.ask("x", {}, [&](bool yes) { refused += yes ? 0 : 1; });
    }
    EXPECT_EQ(consent.questions(), ConsentCommand::kMostQuestions);
  }
  EXPECT_EQ(refused, 2u) << "the others are not answered at the end";
}

}  // namespace
}  // namespace periplex::apps
