// SPDX-License-Identifier: Apache-2.0
#include "host/io_pool.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <latch>
#include <thread>

namespace periplex::host {
namespace {

using namespace std::chrono_literals;

class TestWork final : public IoPool::Work {
 public:
  explicit TestWork(std::size_t size = 0) : size_(size) {}
  [[nodiscard]] std::size_t memory() const override { return size_; }
  [[nodiscard]] bool prepare() override {
    prepared = true;
    return wanted;
  }
  void perform() override {
    performer = std::this_thread::get_id();
    if (gate != nullptr) gate->wait();
  }
  void finished() override { done = true; }

  std::latch* gate = nullptr;
  bool wanted = true;
  bool prepared = false;
  bool done = false;
  std::thread::id performer;

 private:
  std::size_t size_;
};

template <typename Condition>
void run_until(EventLoop& loop, Condition condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) loop.run_once(1s);
  ASSERT_TRUE(condition());
}

TEST(IoPool, PerformsElsewhereAndFinishesOnTheLoop) {
  EventLoop loop;
  IoPool pool(loop);
  EXPECT_EQ(pool.threads(), 0u) << "none before there is work";
  const auto work = std::make_shared<TestWork>();
  pool.submit(work);
  EXPECT_FALSE(work->done);
  run_until(loop, [&] { return work->done; });
  EXPECT_NE(work->performer, std::this_thread::get_id());
  EXPECT_EQ(pool.threads(), 1u);
}

TEST(IoPool, WorkThatIsNotWantedIsFinishedWithoutBeingPerformed) {
  EventLoop loop;
  IoPool pool(loop);
  const auto work = std::make_shared<TestWork>();
  work->wanted = false;
  pool.submit(work);
  EXPECT_FALSE(work->done);
  run_until(loop, [&] { return work->done; });
  EXPECT_EQ(work->performer, std::thread::id());
  EXPECT_EQ(pool.threads(), 0u);
}

TEST(IoPool, OneSlowJobDoesNotHoldUpTheOthers) {
  EventLoop loop;
  IoPool pool(loop);
  std::latch gate(1);
  const auto slow = std::make_shared<TestWork>();
  slow->gate = &gate;
  const auto quick = std::make_shared<TestWork>();
  pool.submit(slow);
  pool.submit(quick);
  run_until(loop, [&] { return quick->done; });
  EXPECT_FALSE(slow->done);
  gate.count_down();
  run_until(loop, [&] { return slow->done; });
  EXPECT_LE(pool.threads(), 2u);
}

TEST(IoPool, WhatExceedsTheMemoryLimitWaitsAndHoldsNothing) {
  EventLoop loop;
  IoPool pool(loop, 2, 1000);
  std::latch gate(1);
  std::vector<std::shared_ptr<TestWork>> works;
  for (int i = 0; i < 5; ++i) {
    works.push_back(std::make_shared<TestWork>(400));
    works.back()->gate = &gate;
    pool.submit(works.back());
  }
  EXPECT_EQ(pool.memory_in_use(), 800u);
  EXPECT_TRUE(works[1]->prepared);
  EXPECT_FALSE(works[2]->prepared);
  gate.count_down();
  run_until(loop, [&] { return std::ranges::all_of(works, &TestWork::done); });
  EXPECT_EQ(pool.memory_in_use(), 0u);
}

TEST(IoPool, WorkAboveTheLimitIsDoneAlone) {
  EventLoop loop;
  IoPool pool(loop, 2, 1000);
  const auto work = std::make_shared<TestWork>(5000);
  pool.submit(work);
  run_until(loop, [&] { return work->done; });
}

TEST(IoPool, ItsEndPerformsWhatWasPreparedAndFinishesNothing) {
  EventLoop loop;
  std::vector<std::shared_ptr<TestWork>> works;
  {
    IoPool pool(loop, 1);
    for (int i = 0; i < 20; ++i) {
      works.push_back(std::make_shared<TestWork>(1));
      pool.submit(works.back());
    }
  }
  for (const auto& work : works) EXPECT_NE(work->performer, std::thread::id());
  loop.run_once(0ns);
  loop.run_once(0ns);
  for (const auto& work : works) EXPECT_FALSE(work->done);
}

}  // namespace
}  // namespace periplex::host
