// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/child.hpp"

#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace periplex::apps {
namespace {

bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  const Nanoseconds end = loop.now() + std::chrono::seconds(10);
  while (!done() && loop.now() < end) loop.run_once(std::chrono::milliseconds(20));
  return done();
}

TEST(Child, IsStartedAgainWhenItEnds) {
  EventLoop loop;
  int starts = 0;
  Child child(loop, {.name = "true", .arguments = {"/bin/true"}, .started = [&] { ++starts; }});
  child.start();
  EXPECT_TRUE(run_until(loop, [&] { return starts == 2; }));
}

TEST(Child, IsAskedToEndAndNotStartedAgain) {
  EventLoop loop;
  bool ended = false;
  Child child(loop, {.name = "sleep", .arguments = {"/bin/sleep", "100"}});
  child.start();
  EXPECT_TRUE(child.running());
  child.stop([&] { ended = true; });
  EXPECT_TRUE(run_until(loop, [&] { return ended; }));
  EXPECT_FALSE(child.running());
}

TEST(Child, OneThatCannotBeStartedCanBeStopped) {
  EventLoop loop;
  bool ended = false;
  Child child(loop, {.name = "nothing", .arguments = {"/nonexistent/program"}});
  child.start();
  EXPECT_FALSE(child.running());
  child.stop([&] { ended = true; });
  EXPECT_TRUE(ended);
}

TEST(Child, GetsDescriptorsByNumber) {
  EventLoop loop;
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Child child(loop, {.name = "sh",
                     .arguments = {"/bin/sh", "-c", "echo here >&9; exec sleep 100"},
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
