// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/isoch_schedule.hpp"

#include <algorithm>

namespace periplex::usb::xhci {
namespace {

constexpr Microframes kFrameIds = 1u << 11;

}  // namespace

std::optional<Microframes> IsochSchedule::place(std::optional<unsigned> frame_id, Microframes now) const {
  const Microframes earliest = next(now);
  if (!frame_id) return earliest;
  // Counted from the schedule's own place, not from the clock: what is late here was in time when it was queued.
  const Microframes frame = earliest / kMicroframesPerFrame;
  const Microframes ahead = (*frame_id + kFrameIds - frame % kFrameIds) % kFrameIds;
  if (ahead > kFrameWindow) return std::nullopt;
  const Microframes wanted = (frame + ahead) * kMicroframesPerFrame;
  return std::max(earliest, wanted / length_ * length_);
}

std::uint64_t IsochSchedule::catch_up(Microframes now) {
  if (!next_ || *next_ + kMaxLate >= now) return 0;
  const Microframes given_up = align_up(now) - *next_;
  next_ = align_up(now);
  return given_up / length_;
}

}  // namespace periplex::usb::xhci
