// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace periplex::usb::uhci {

/// One walk through the schedule of a frame: what it may spend, and what the guest is told at its end.
struct Round {
  /// Transfer descriptors that a round reads at most, some of them several times. A physical controller runs out of
  /// time at the end of the frame; this is far more than a guest can have use for, and a few milliseconds of ours.
  static constexpr unsigned kMaxFetches = 65'536;

  std::uint64_t frame = 0;    ///< counted since the controller was made
  bool begins_frame = false;  ///< the first in its frame
  unsigned fetches_left = kMaxFetches;

  bool progressed = false;  ///< a control or bulk packet was handed over or given back: more will follow at once
  bool active = false;      ///< an interrupt packet was: the next is due in a later frame

  bool interrupt_on_complete = false;
  bool short_packet = false;
  bool error = false;
  bool process_error = false;  ///< a structure failed the consistency check
  bool system_error = false;   ///< a structure lies outside the guest's memory

  [[nodiscard]] bool failed() const { return process_error || system_error; }
  /// Whether one more descriptor may be read.
  [[nodiscard]] bool may_fetch() {
    if (failed() || fetches_left == 0) return false;
    --fetches_left;
    return true;
  }
};

}  // namespace periplex::usb::uhci
