// SPDX-License-Identifier: Apache-2.0
#include "loop/event_loop.hpp"

#include <array>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace periplex {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, MayEndBeforeDeferredWorkThatOwnsWatchesAndTimers) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  EventLoop loop;
  auto timer = loop.make_timer([] {});
  timer->arm(std::chrono::hours(1));
  loop.defer([watch = loop.watch(reads.get(), EPOLLIN, [](std::uint32_t) {}), timer = std::move(timer)] {});
}

TEST(EventLoop, RunsDeferredWorkInOrderAndNeverInsideDefer) {
  EventLoop loop;
  std::vector<int> order;
  loop.defer([&] {
    order.push_back(1);
    loop.defer([&] { order.push_back(3); });
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  loop.run_once(0ns);
  loop.run_once(0ns);
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(EventLoop, FiresTimersOnceAndInOrder) {
  EventLoop loop;
  std::vector<int> order;
  auto late = loop.make_timer([&] {
    order.push_back(2);
    loop.stop();
  });
  auto early = loop.make_timer([&] { order.push_back(1); });
  auto cancelled = loop.make_timer([&] { order.push_back(9); });
  late->arm(2ms);
  early->arm(1ms);
  cancelled->arm(1ms);
  cancelled->cancel();
  loop.run();
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_FALSE(early->armed());
}

TEST(EventLoop, AWatchMayEndItselfAndOthersWhileItsBatchIsHandled) {
  EventLoop loop;
  UniqueFd a(::eventfd(1, EFD_NONBLOCK));
  UniqueFd b(::eventfd(1, EFD_NONBLOCK));
  unsigned calls = 0;
  std::unique_ptr<EventLoop::Watch> first;
  std::unique_ptr<EventLoop::Watch> second;
  const auto end_both = [&](std::uint32_t) {
    ++calls;
    first.reset();
    second.reset();
  };
  first = loop.watch(a.get(), EPOLLIN, end_both);
  second = loop.watch(b.get(), EPOLLIN, end_both);
  loop.run_once(0ns);
  loop.run_once(0ns);
  EXPECT_EQ(calls, 1u);
}

TEST(EventLoop, TakesWorkFromOtherThreads) {
  EventLoop loop;
  std::thread other([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  other.join();
}

TEST(EventLoop, ProcessorsAreKeptAwakeWhileWorkArrivesWithinTheSpinAndNotLonger) {
  const auto requested = [](int file) {
    std::int32_t value = -1;
    return ::pread(file, &value, sizeof value, 0) == sizeof value ? value : -1;
  };
  EventLoop loop;
  UniqueFd device(::memfd_create("latency", MFD_CLOEXEC));
  const int seen = device.get();
  loop.keep_processors_awake(std::move(device));
  loop.set_max_spin(10ms);
  bool work = true;
  const auto poller = loop.add_poller([&] { return work; });
  auto stop = loop.make_timer([&] { loop.stop(); });
  stop->arm(1ms);
  loop.run();  // a short sleep, after which it spins
  stop->arm(5ms);
  loop.run();
  EXPECT_EQ(requested(seen), 0);
  work = false;
  stop->arm(ProcessorLatency::kHold * 3);
  loop.run();
  EXPECT_GT(requested(seen), 1'000'000);
}

TEST(EventLoop, AnIdleLoopSleepsWithoutWakingUp) {
  EventLoop loop;
  loop.set_max_spin(50us);
  const auto poller = loop.add_poller([] { return false; });
  auto end = loop.make_timer([&] { loop.stop(); });
  end->arm(50ms);
  loop.run();
  EXPECT_LE(loop.wakeups(), 3u);
}

}  // namespace
}  // namespace periplex
