// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/async_schedule.hpp"

#include <algorithm>

#include "usb/ehci/queue_visit.hpp"

namespace periplex::usb::ehci {

bool AsyncSchedule::walk(std::uint64_t frame, Walk& walk) {
  frame_ = std::max(frame_, frame);  // time that stands still for a stream may have been ahead
  const batching::Pipes::Moment now{.frame = frame_, .round = ++walks_};
  met_.clear();
  auto address = static_cast<std::uint32_t>(list_address_.value());
  while (met_.size() < kMaxQueueHeads && std::ranges::find(met_, address) == met_.end()) {
    met_.push_back(address);
    const auto next = step(address, now, walk);
    if (!next) walk.note(next.error());
    if (walk.fault) return false;
    address = *next;
  }
  list_address_.set(address);
  // Only a walk that came round has met them all.
  if (met_.size() == kMaxQueueHeads) return false;
  pipes_.sweep(frame_);
  return true;
}

std::expected<std::uint32_t, guest::Fault> AsyncSchedule::step(std::uint32_t address, batching::Pipes::Moment now,
                                                               Walk& walk) {
  const auto queue = QueueHead::read(surroundings_.memory(), address);
  if (!queue) return std::unexpected(queue.error());
  // A queue head with an S-mask belongs to the periodic schedule (§3.6.2).
  if (!queue->interrupt_scheduled()) {
    QueueHeadView view(surroundings_.memory(), address, *queue, walk);
    visit(view, pipes_, addresses_, TransferType::bulk, now, walk);
  }
  return queue->horizontal.address();  // its T-bit means nothing in this schedule (§3.6)
}

}  // namespace periplex::usb::ehci
