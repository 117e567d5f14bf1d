// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace periplex {

using Nanoseconds = std::chrono::nanoseconds;
using Microseconds = std::chrono::microseconds;

/// Monotonic time since an arbitrary origin. Device models read time only through this.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Nanoseconds now() const = 0;
};

/// A one-shot timer. Its callback runs on the loop, never inside `arm`. Destruction cancels.
class Timer {
 public:
  virtual ~Timer() = default;
  /// Fires `delay` from now; an armed timer is moved.
  virtual void arm(Nanoseconds delay) = 0;
  virtual void cancel() = 0;
  [[nodiscard]] virtual bool armed() const = 0;
};

/// Makes timers and runs work later on the machine's one loop. A device model gets this and never sees a thread.
class Scheduler : public Clock {
 public:
  using Task = std::move_only_function<void()>;

  /// The timer starts unarmed. It must not outlive the scheduler.
  [[nodiscard]] virtual std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) = 0;
  /// Runs `task` on the loop after the current event has been handled, in the order of the calls.
  virtual void defer(Task task) = 0;
};

}  // namespace periplex
