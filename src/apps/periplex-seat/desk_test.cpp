// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/desk.hpp"

#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <thread>
#include <unistd.h>

#include "apps/places.hpp"

namespace periplex::apps {
namespace {

/// For root there is one place only, which may be in use; then there is nothing to try.
struct DeskTest : ::testing::Test {
  DeskTest() { ::setenv("XDG_RUNTIME_DIR", directory.c_str(), 1); }
  ~DeskTest() override { std::filesystem::remove_all(directory); }

  /// What is answered to `line`, while the loop runs.
  std::expected<std::string, OpenError> ask(const std::string& line) {
    std::expected<std::string, OpenError> answer;
    std::thread client([&] {
      answer = ask_desk(line);
      loop.stop();
    });
    loop.run();
    client.join();
    return answer;
  }

  EventLoop loop;
  const std::string directory =
      std::filesystem::temp_directory_path() / ("periplex-desk-" + std::to_string(::getpid()));
};

TEST_F(DeskTest, OneLineInOneAnswerOut) {
  auto desk = Desk::open(loop, [](std::string_view line) { return "<" + std::string(line) + ">\n"; });
  ASSERT_TRUE(desk) << desk.error();
  EXPECT_EQ(ask("status").value_or(""), "<status>\n");
  EXPECT_EQ(ask("take-back a:b").value_or(""), "<take-back a:b>\n");
  EXPECT_EQ(ask(std::string(Desk::kMostLine + 100, 'x')).value_or("?"), "") << "nobody asks so long a question";
  EXPECT_FALSE(Desk::open(loop, [](std::string_view) { return ""; })) << "there is one already";
  desk->reset();
  EXPECT_FALSE(ask_desk("status"));
}

}  // namespace
}  // namespace periplex::apps
