// SPDX-License-Identifier: Apache-2.0
#include "loop/event_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <system_error>
#include <time.h>

#include "base/check.hpp"

namespace periplex {
namespace {

constexpr Nanoseconds kForever = Nanoseconds::max();
constexpr Nanoseconds kFirstSpin = std::chrono::microseconds(10);
constexpr int kEventsPerWait = 32;
constexpr unsigned kSpinsPerEpoll = 16;
/// Linux lets timers be this late to save wake-ups, 50 µs by default: as long as a polled schedule's whole period.
constexpr unsigned long kTimerSlackNs = 1000;

UniqueFd must(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return UniqueFd(fd);
}

}  // namespace

class EventLoop::FdWatch final : public Watch {
 public:
  FdWatch(EventLoop& loop, int fd, std::uint32_t events, OnReady on_ready)
      : loop_(loop), fd_(fd), registration_(new Registration{std::move(on_ready)}) {
    epoll_event event{.events = events, .data = {.ptr = registration_}};
    PERIPLEX_CHECK(::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_ADD, fd_, &event) == 0);
  }
  ~FdWatch() override {
    ::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
    // An event of this watch may already lie in the batch that is being handled.
    registration_->alive = false;
    loop_.retired_.push_back(std::unique_ptr<Registration>(registration_));
    if (!loop_.dispatching_) loop_.retired_.clear();
  }
  void set_events(std::uint32_t events) override {
    epoll_event event{.events = events, .data = {.ptr = registration_}};
    PERIPLEX_CHECK(::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_MOD, fd_, &event) == 0);
  }

 private:
  EventLoop& loop_;
  int fd_;
  Registration* registration_;
};

class EventLoop::PollerWatch final : public Watch {
 public:
  PollerWatch(EventLoop& loop, Poller poller) : loop_(loop), poller_(std::move(poller)) {
    loop_.pollers_.push_back(this);
  }
  ~PollerWatch() override { std::ranges::replace(loop_.pollers_, this, static_cast<PollerWatch*>(nullptr)); }
  void set_events(std::uint32_t) override {}
  bool poll() { return poller_(); }

 private:
  EventLoop& loop_;
  Poller poller_;
};

class EventLoop::LoopTimer final : public Timer {
 public:
  LoopTimer(EventLoop& loop, std::function<void()> on_expiry) : loop_(loop), on_expiry_(std::move(on_expiry)) {}
  ~LoopTimer() override { cancel(); }
  void arm(Nanoseconds delay) override {
    cancel();
    deadline_ = loop_.now() + delay;
    armed_ = true;
    loop_.deadlines_.insert({deadline_, this});
  }
  void cancel() override {
    if (armed_) loop_.deadlines_.erase({deadline_, this});
    armed_ = false;
  }
  [[nodiscard]] bool armed() const override { return armed_; }
  void expire() {
    armed_ = false;
    on_expiry_();
  }

 private:
  EventLoop& loop_;
  std::function<void()> on_expiry_;
  Nanoseconds deadline_{};
  bool armed_ = false;
};

EventLoop::EventLoop()
    : epoll_(must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(must(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  PERIPLEX_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

EventLoop::~EventLoop() {
  // What was to run later may own watches and timers, which need all the rest still.
  while (!deferred_.empty()) std::vector<Task>().swap(deferred_);
  std::vector<Task>().swap(posted_);
}

std::unique_ptr<EventLoop::Watch> EventLoop::watch(int fd, std::uint32_t events, OnReady on_ready) {
  return std::make_unique<FdWatch>(*this, fd, events, std::move(on_ready));
}

std::unique_ptr<EventLoop::Watch> EventLoop::add_poller(Poller poller) {
  return std::make_unique<PollerWatch>(*this, std::move(poller));
}

std::unique_ptr<Timer> EventLoop::make_timer(std::function<void()> on_expiry) {
  return std::make_unique<LoopTimer>(*this, std::move(on_expiry));
}

Nanoseconds EventLoop::now() const {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

void EventLoop::post(Task task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void EventLoop::stop() {
  stop_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void EventLoop::run() {
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  stop_ = false;
  while (!stop_) turn(kForever);
}

void EventLoop::run_once(Nanoseconds timeout) {
  turn(timeout);
}

void EventLoop::turn(Nanoseconds longest_sleep) {
  // One system call a turn: descriptors are asked with the very call that sleeps, unless other work was found first.
  bool worked = run_deferred();
  worked |= run_timers();
  if (worked || !deferred_.empty() || stop_ || longest_sleep == Nanoseconds(0)) {
    run_pollers();
    wait(Nanoseconds(0));
    return;
  }
  const Nanoseconds started = max_spin_ == Nanoseconds(0) || pollers_.empty() ? kForever : now();
  if (started != kForever && spin(started)) return;
  ++wakeups_;
  wait(std::min(longest_sleep, until_next_timer()));
  if (started != kForever) adapt_spin(now() - started);
}

bool EventLoop::run_deferred() {
  if (deferred_.empty()) return false;
  std::vector<Task> tasks;
  tasks.swap(deferred_);  // what these defer runs in the next turn, so that descriptors are not starved
  for (Task& task : tasks) task();
  return true;
}

bool EventLoop::run_pollers() {
  bool worked = false;
  for (std::size_t i = 0; i < pollers_.size(); ++i) {
    if (pollers_[i] != nullptr) worked |= pollers_[i]->poll();
  }
  std::erase(pollers_, nullptr);
  return worked;
}

bool EventLoop::run_timers() {
  if (deadlines_.empty()) return false;
  const Nanoseconds time = now();
  bool worked = false;
  while (!deadlines_.empty() && deadlines_.begin()->at <= time) {
    LoopTimer* timer = deadlines_.begin()->timer;
    deadlines_.erase(deadlines_.begin());
    timer->expire();
    worked = true;
  }
  return worked;
}

Nanoseconds EventLoop::until_next_timer() const {
  if (deadlines_.empty()) return kForever;
  return std::max(Nanoseconds(0), deadlines_.begin()->at - now());
}

bool EventLoop::wait(Nanoseconds timeout) {
  std::array<epoll_event, kEventsPerWait> events;
  timespec limit{};
  if (timeout != kForever) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    limit = {.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count()};
  }
  const int count =
      ::epoll_pwait2(epoll_.get(), events.data(), kEventsPerWait, timeout == kForever ? nullptr : &limit, nullptr);
  if (count <= 0) return false;
  dispatching_ = true;
  for (int i = 0; i < count; ++i) {
    auto* registration = static_cast<Registration*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (registration == nullptr) {
      drain_posted();
    } else if (registration->alive) {
      registration->on_ready(events[static_cast<std::size_t>(i)].events);
    }
  }
  dispatching_ = false;
  retired_.clear();
  return true;
}

void EventLoop::keep_processors_awake(UniqueFd device) {
  processor_latency_ = std::make_unique<ProcessorLatency>(*this, std::move(device));
}

bool EventLoop::spin(Nanoseconds started) {
  const Nanoseconds limit = std::min(spin_budget_, until_next_timer());
  for (unsigned i = 1; now() - started < limit; ++i) {
    if (run_pollers() || (i % kSpinsPerEpoll == 0 && wait(Nanoseconds(0)))) {
      if (processor_latency_) processor_latency_->touch();
      return true;
    }
    // The peer's threads may wait for this very core. Yielding gives it to them at once, and keeps it from going idle:
    // waking an idle core costs more than all the rest of a message.
    ::sched_yield();
  }
  return false;
}

/// As in halt polling: a sleep that a longer spin would have spared makes the spin longer, one that was worth it makes
/// the spin shorter.
void EventLoop::adapt_spin(Nanoseconds waited) {
  if (waited > max_spin_) {
    spin_budget_ = spin_budget_ > kFirstSpin ? spin_budget_ / 2 : Nanoseconds(0);
  } else {
    spin_budget_ = std::min(max_spin_, std::max(kFirstSpin, spin_budget_ * 2));
  }
}

void EventLoop::drain_posted() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

}  // namespace periplex
