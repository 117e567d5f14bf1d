// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "guest/memory.hpp"

namespace periplex::guest {

/// Tells faults that will be over in a moment from those that a guest has made.
///
/// A monitor that changes its memory map takes regions away and maps what replaces them a moment later, message by
/// message (firmware that write-protects its shadow RAM makes it do so). A schedule that is walked in between meets
/// holes that no processor of the guest ever sees. So after a change of the map a walk that faults is repeated, for a
/// while; without one it is the guest's doing at once.
class FaultPatience {
 public:
  static constexpr Nanoseconds kPatience = std::chrono::milliseconds(200);

  FaultPatience(const Memory& memory, const Scheduler& scheduler)
      : memory_(memory), scheduler_(scheduler), settled_(memory.changes()), seen_(settled_) {}

  /// A walk has met no fault.
  void note_success() { settled_ = memory_.changes(); }
  /// A walk has met a fault; whether it should be repeated before the guest is told.
  [[nodiscard]] bool may_wait() {
    if (memory_.changes() == settled_) return false;
    if (memory_.changes() != seen_) {
      seen_ = memory_.changes();
      since_ = scheduler_.now();
    }
    if (scheduler_.now() - since_ < kPatience) return true;
    settled_ = seen_;
    return false;
  }

 private:
  const Memory& memory_;
  const Scheduler& scheduler_;
  std::uint64_t settled_;  // changes of the map up to the last walk without a fault
  std::uint64_t seen_;     // changes up to the present fault
  Nanoseconds since_{};    // when the last of them was seen
};

}  // namespace periplex::guest
