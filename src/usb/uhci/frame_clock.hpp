// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace periplex::usb::uhci {

/// When frames begin, and when the schedule should be looked at next.
///
/// There is no doorbell: while the guest lets the controller run, its schedule may change at any time. Looking costs
/// time, so it is looked at faster than a frame while the guest is at work, each frame for a while after that, and more
/// and more seldom when nothing happens; frames that have passed by then are carried out one after the other.
class FrameClock {
 public:
  static constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);
  /// How often frames are repeated, and for how long after progress.
  static constexpr Nanoseconds kFastPoll = std::chrono::microseconds(50);
  static constexpr Nanoseconds kFastFor = std::chrono::milliseconds(2);
  /// How long after activity each frame is begun in time.
  static constexpr Nanoseconds kTimelyFor = std::chrono::milliseconds(50);
  /// The longest pause after that.
  static constexpr Nanoseconds kLongestPause = std::chrono::milliseconds(10);

  explicit FrameClock(const Clock& clock) : clock_(clock) {}

  /// The first frame begins now.
  void start();
  /// Frames that have begun and were not taken.
  [[nodiscard]] std::uint64_t due() const;
  void take(std::uint64_t frames = 1) { begins_ += kFrame * static_cast<std::int64_t>(frames); }
  /// Stops time: of the frames that are due only `frames` have begun.
  void hold_back(std::uint64_t frames);

  /// Something happened, and a frame must not be late for what follows.
  void note_activity();
  /// The guest is at work, and will have more to do within a frame.
  void note_progress();
  /// How long nothing has to be done. `timely`: there are packets that belong to a frame.
  [[nodiscard]] Nanoseconds pause(bool timely);

 private:
  [[nodiscard]] Nanoseconds until_next_frame() const;

  const Clock& clock_;
  Nanoseconds begins_{};  // the next frame to be taken
  Nanoseconds activity_{};
  Nanoseconds progress_{};
  Nanoseconds idle_pause_ = kFrame;
};

}  // namespace periplex::usb::uhci
