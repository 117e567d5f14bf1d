// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"
#include "usb/batching/pipe.hpp"
#include "usb/ehci/frame_counter.hpp"

namespace periplex::usb::ehci {

/// How soon the schedules are to be walked again. EHCI has no doorbell: what the guest's driver queues is found by
/// looking. Whoever has just got something back will soon queue more, so the walks are close together after progress,
/// a frame apart for a while, and then further apart than frames.
class Pace {
 public:
  static constexpr Nanoseconds kBusyInterval = std::chrono::microseconds(50);
  static constexpr Nanoseconds kBusy = std::chrono::milliseconds(2);  ///< how long after progress
  static constexpr Nanoseconds kRecent = std::chrono::milliseconds(250);
  static constexpr Nanoseconds kIdleInterval = std::chrono::milliseconds(8);

  /// A walk has come to `activity`.
  void walked(Nanoseconds now, batching::Activity activity) {
    if (activity == batching::Activity::progressed) progressed_ = touched_ = now;
  }
  /// The guest's driver has shown by a register access that it is at work.
  void touched(Nanoseconds now) { touched_ = now; }

  [[nodiscard]] Nanoseconds interval(Nanoseconds now) const {
    if (now - progressed_ < kBusy) return kBusyInterval;
    return now - touched_ < kRecent ? kFrame : kIdleInterval;
  }

 private:
  Nanoseconds progressed_ = -kBusy;
  Nanoseconds touched_ = -kRecent;
};

}  // namespace periplex::usb::ehci
