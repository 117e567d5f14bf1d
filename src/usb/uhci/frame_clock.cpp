// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/frame_clock.hpp"

#include <algorithm>

namespace periplex::usb::uhci {

void FrameClock::start() {
  begins_ = clock_.now();
  note_progress();
}

std::uint64_t FrameClock::due() const {
  const Nanoseconds late = clock_.now() - begins_;
  return late < Nanoseconds(0) ? 0 : static_cast<std::uint64_t>(late / kFrame) + 1;
}

void FrameClock::hold_back(std::uint64_t frames) {
  const std::uint64_t now_due = due();
  if (now_due > frames) take(now_due - frames);
}

void FrameClock::note_activity() {
  activity_ = clock_.now();
  idle_pause_ = kFrame;
}

void FrameClock::note_progress() {
  note_activity();
  progress_ = activity_;
}

Nanoseconds FrameClock::until_next_frame() const {
  return std::max(Nanoseconds(0), begins_ - clock_.now());
}

Nanoseconds FrameClock::pause(bool timely) {
  const Nanoseconds now = clock_.now();
  if (now - progress_ < kFastFor) return std::min(kFastPoll, until_next_frame());
  if (timely || now - activity_ < kTimelyFor) return until_next_frame();
  idle_pause_ = std::min(2 * idle_pause_, kLongestPause);
  return idle_pause_;
}

}  // namespace periplex::usb::uhci
