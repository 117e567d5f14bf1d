// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "base/time.hpp"

namespace periplex::testing {

/// A scheduler whose time passes only when a test says so. No test sleeps.
class VirtualTime final : public Scheduler {
 public:
  [[nodiscard]] Nanoseconds now() const override { return now_; }

  [[nodiscard]] std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override {
    return std::make_unique<VirtualTimer>(*this, std::move(on_expiry));
  }

  void defer(Task task) override { tasks_.push_back(std::move(task)); }

  /// Runs deferred tasks, and what they defer, until none is left. `limit` guards tests against endless work.
  void run_until_idle(std::size_t limit = 1'000'000) {
    for (std::size_t i = 0; !tasks_.empty() && i < limit; ++i) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

  /// Lets `duration` pass, firing the timers that fall due in order of their deadlines.
  void advance(Nanoseconds duration) {
    const Nanoseconds end = now_ + duration;
    run_until_idle();
    while (VirtualTimer* next = earliest_until(end)) {
      now_ = std::max(now_, next->deadline_);
      next->armed_ = false;
      next->on_expiry_();
      run_until_idle();
    }
    now_ = end;
  }

  /// Lets `duration` pass for a loop that is late: timers that fall due are served by the next `advance`.
  void sleep_through(Nanoseconds duration) { now_ += duration; }

  /// Lets `duration` pass while nothing runs: timers that fall due meanwhile fire late.
  void stall(Nanoseconds duration) { now_ += duration; }

  [[nodiscard]] std::size_t armed_timers() const {
    return static_cast<std::size_t>(std::ranges::count_if(timers_, [](const auto* t) { return t->armed_; }));
  }

 private:
  class VirtualTimer final : public Timer {
   public:
    VirtualTimer(VirtualTime& owner, std::function<void()> on_expiry)
        : owner_(owner), on_expiry_(std::move(on_expiry)) {
      owner_.timers_.push_back(this);
    }
    ~VirtualTimer() override { std::erase(owner_.timers_, this); }
    void arm(Nanoseconds delay) override {
      deadline_ = owner_.now_ + delay;
      armed_ = true;
    }
    void cancel() override { armed_ = false; }
    [[nodiscard]] bool armed() const override { return armed_; }

   private:
    friend class VirtualTime;
    VirtualTime& owner_;
    std::function<void()> on_expiry_;
    Nanoseconds deadline_{};
    bool armed_ = false;
  };

  VirtualTimer* earliest_until(Nanoseconds end) {
    VirtualTimer* best = nullptr;
    for (VirtualTimer* timer : timers_) {
      if (timer->armed_ && timer->deadline_ <= end && (!best || timer->deadline_ < best->deadline_)) best = timer;
    }
    return best;
  }

  Nanoseconds now_{};
  std::deque<Task> tasks_;
  std::vector<VirtualTimer*> timers_;
};

}  // namespace periplex::testing
