// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <sys/epoll.h>
#include <vector>

#include "base/time.hpp"
#include "loop/processor_latency.hpp"
#include "loop/unique_fd.hpp"

namespace periplex {

/// One machine's event loop: epoll, timers, deferred work, and a short adaptive spin before it sleeps.
///
/// Everything of a machine is touched only on the thread inside `run`. `post` is the one call other threads may make.
/// An idle loop makes no system call and has no timer armed.
class EventLoop final : public Scheduler {
 public:
  using OnReady = std::function<void(std::uint32_t events)>;
  /// Looks for work without blocking; returns whether it found some.
  using Poller = std::function<bool()>;

  /// Stops watching when destroyed. The descriptor stays the caller's.
  class Watch {
   public:
    virtual ~Watch() = default;
    /// Changes which of EPOLLIN and EPOLLOUT are waited for.
    virtual void set_events(std::uint32_t events) = 0;
  };

  EventLoop();
  ~EventLoop() override;

  /// Calls `on_ready` on the loop whenever `fd` has one of `events` (level triggered).
  [[nodiscard]] std::unique_ptr<Watch> watch(int fd, std::uint32_t events, OnReady on_ready);

  /// Registers something worth asking directly while spinning, which saves an epoll_wait per message. The returned
  /// handle unregisters it. `Watch::set_events` has no meaning for it.
  [[nodiscard]] std::unique_ptr<Watch> add_poller(Poller poller);

  /// The longest time the loop spins before it sleeps; zero switches spinning off. Within it the spin adapts: it grows
  /// while work keeps arriving during it and shrinks to nothing when none does.
  void set_max_spin(Nanoseconds max) { max_spin_ = max; }

  /// While work keeps arriving within the spin, no processor of this computer sleeps. `device` is /dev/cpu_dma_latency,
  /// open for writing.
  void keep_processors_awake(UniqueFd device);

  [[nodiscard]] Nanoseconds now() const override;
  [[nodiscard]] std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override;
  void defer(Task task) override { deferred_.push_back(std::move(task)); }

  /// Runs `task` on the loop; may be called from any thread.
  void post(Task task);

  /// Handles events until `stop`.
  void run();
  /// Handles what is ready now and returns; sleeps at most `timeout` for it.
  void run_once(Nanoseconds timeout);
  /// Makes `run` return; may be called from any thread.
  void stop();

  /// How often the loop slept and was woken (an idle machine must not add to it).
  [[nodiscard]] std::uint64_t wakeups() const { return wakeups_; }

 private:
  struct Registration {
    OnReady on_ready;
    bool alive = true;
  };
  class FdWatch;
  class PollerWatch;
  class LoopTimer;
  struct Deadline {
    Nanoseconds at;
    LoopTimer* timer;
    auto operator<=>(const Deadline&) const = default;
  };

  void turn(Nanoseconds longest_sleep);
  bool run_deferred();
  bool run_pollers();
  bool run_timers();
  bool wait(Nanoseconds timeout);
  bool spin(Nanoseconds started);
  void adapt_spin(Nanoseconds waited);
  void drain_posted();
  [[nodiscard]] Nanoseconds until_next_timer() const;

  UniqueFd epoll_;
  UniqueFd wake_;
  std::vector<Task> deferred_;
  std::set<Deadline> deadlines_;
  std::vector<PollerWatch*> pollers_;
  std::vector<std::unique_ptr<Registration>> retired_;  // of watches that ended while a batch was handled
  bool dispatching_ = false;
  std::mutex posted_mutex_;
  std::vector<Task> posted_;
  std::atomic<bool> stop_ = false;
  Nanoseconds max_spin_{};
  Nanoseconds spin_budget_{};
  std::unique_ptr<ProcessorLatency> processor_latency_;
  std::uint64_t wakeups_ = 0;
};

}  // namespace periplex
