// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/child.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "loop/unix_listener.hpp"

namespace periplex::apps {
namespace {

bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  const Nanoseconds end = loop.now() + std::chrono::seconds(10);
  while (!done() && loop.now() < end) loop.run_once(std::chrono::milliseconds(20));
  return done();
}

std::function<std::vector<std::string>()> words(std::vector<std::string> list) {
  return [list = std::move(list)] { return list; };
}

TEST(Child, IsStartedAgainWhenItEnds) {
  EventLoop loop;
  int starts = 0;
  Child child(loop, {.name = "true", .arguments = words({"/bin/true"}), .started = [&] { ++starts; }});
  child.start();
  EXPECT_TRUE(run_until(loop, [&] { return starts == 2; }));
}

TEST(Child, IsAskedToEndAndNotStartedAgain) {
  EventLoop loop;
  bool ended = false;
  Child child(loop, {.name = "sleep", .arguments = words({"/bin/sleep", "100"})});
  child.start();
  EXPECT_TRUE(child.running());
  child.stop([&] { ended = true; });
  EXPECT_TRUE(run_until(loop, [&] { return ended; }));
  EXPECT_FALSE(child.running());
}

TEST(Child, OneThatCannotBeStartedCanBeStopped) {
  EventLoop loop;
  bool ended = false;
  Child child(loop, {.name = "nothing", .arguments = words({"/nonexistent/program"})});
  child.start();
  EXPECT_FALSE(child.running());
  child.stop([&] { ended = true; });
  EXPECT_TRUE(ended);
}

/// Somebody else's process that listens on a socket, until it is ended.
class Stranger {
 public:
  Stranger() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    process = ::fork();
    if (process == 0) {
      const auto listening = listen_unix({.path = path});
      (void)!::write(ends[1], "", 1);
      while (listening) ::pause();
      ::_exit(1);
    }
    char ready = 0;
    (void)!::read(ends[0], &ready, 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Stranger() {
    ::kill(process, SIGKILL);
    (void)::waitpid(process, nullptr, 0);
    ::unlink(path.c_str());
  }
  const std::string path = ::testing::TempDir() + "periplex-stranger-" + std::to_string(::getpid()) + ".sock";
  pid_t process = 0;
};

TEST(Child, ThatRunsAlreadyIsTakenOnAndStartedAgainWhenItEnds) {
  EventLoop loop;
  Stranger stranger;
  int starts = 0;
  Child child(loop, {.name = "one",
                     .arguments = words({"/bin/sleep", "100"}),
                     .started = [&] { ++starts; },
                     .find = [&] { return find_listener(stranger.path); }});
  child.start();
  EXPECT_EQ(child.process(), stranger.process);
  EXPECT_EQ(starts, 0);
  ::kill(stranger.process, SIGKILL);
  EXPECT_TRUE(run_until(loop, [&] { return starts == 1; }));
  EXPECT_NE(child.process(), stranger.process);
}

TEST(Child, ThatWasTakenOnIsAskedToEnd) {
  EventLoop loop;
  const Stranger stranger;
  bool ended = false;
  Child child(loop, {.name = "one", .arguments = words({"/bin/sleep", "100"}), .find = [&] {
                       return find_listener(stranger.path);
                     }});
  child.start();
  child.stop([&] { ended = true; });
  EXPECT_TRUE(run_until(loop, [&] { return ended; }));
}

TEST(RunningProcess, IsNotFoundWhereNobodyListens) {
  EXPECT_FALSE(find_listener("/nonexistent/control.sock"));
  EXPECT_FALSE(find_listener(""));
}

TEST(Child, GetsDescriptorsByNumber) {
  EventLoop loop;
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Child child(loop, {.name = "sh",
                     .arguments = words({"/bin/sh", "-c", "echo here >&9; exec sleep 100"}),
                     .descriptors = [&]() -> std::vector<std::pair<int, int>> { return {{write_end.get(), 9}}; },
                     .started = [&] { write_end.reset(); }});
  child.start();
  std::string heard;
  EXPECT_TRUE(run_until(loop, [&] {
    char text[8];
    const ssize_t count = ::read(read_end.get(), text, sizeof text);
    if (count > 0) heard.append(text, static_cast<std::size_t>(count));
    return heard.size() >= 5;
  }));
  EXPECT_EQ(heard, "here\n");
}

}  // namespace
}  // namespace periplex::apps
