// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/periodic_schedule.hpp"

#include <algorithm>

#include "usb/ehci/frame_counter.hpp"
#include "usb/ehci/queue_visit.hpp"
#include "usb/ehci/registers.hpp"

namespace periplex::usb::ehci {

using guest::GuestAddress;

PeriodicSchedule::PeriodicSchedule(batching::Surroundings& surroundings, const batching::BusAddresses& addresses,
                                   const RegisterCell& usbcmd, const RegisterCell& list_base)
    : surroundings_(surroundings),
      addresses_(addresses),
      usbcmd_(usbcmd),
      list_base_(list_base),
      pipes_(surroundings),
      isochronous_(surroundings, kFramesAhead * kMicroframesPerFrame) {}

std::uint64_t PeriodicSchedule::frame_list_size() const {
  return 1024u >> usbcmd_.get(usbcmd::FrameListSize);  // 11b is reserved; 128 is as good as anything
}

void PeriodicSchedule::process_until(std::uint64_t frame, Nanoseconds now, Walk& walk) {
  waits_for_guest_ = false;
  if (!due(frame)) return;
  if (streaming()) {
    frame = std::min(frame, processed_ + kFramesAhead / 2);
  } else if (frame - processed_ > kMaxFramesBehind) {
    processed_ = frame - kMaxFramesBehind;
  }
  const std::uint64_t before = processed_;
  while (processed_ < frame && !walk.fault) {
    waits_for_guest_ = guest_is_late(now, walk);
    if (waits_for_guest_ || walk.fault) break;
    carry_out(processed_, walk);
    visit_queues(++processed_, walk);
  }
  if (walk.fault || processed_ == before) return;
  show_ahead(processed_, walk);
  isochronous_.end_interval(processed_ * kMicroframesPerFrame - 1);
  pipes_.sweep(processed_);
}

/// A physical frame passes whether the driver has queued its packets or not, and drivers are in time for that. One
/// whose processor has to wait for its turn is not always: then its time stands still until it is.
bool PeriodicSchedule::guest_is_late(Nanoseconds now, Walk& walk) {
  const std::uint64_t end = (processed_ + 1) * kMicroframesPerFrame;
  if (!isochronous_.wait_for_guest(end, now)) return false;
  show_ahead(processed_, walk);
  return isochronous_.wait_for_guest(end, now);
}

std::optional<Link> PeriodicSchedule::entry(std::uint64_t frame, Walk& walk) const {
  const GuestAddress at(list_base_.value() + frame % frame_list_size() * 4);
  const auto read = surroundings_.memory().load_acquire(at);
  if (read) return Link{*read};
  walk.note(read.error());
  return std::nullopt;
}

/// The link at the beginning of every structure.
Link PeriodicSchedule::follow(std::uint32_t address, Walk& walk) const {
  const auto next = surroundings_.memory().load_acquire(GuestAddress(address));
  if (next) return {*next};
  walk.note(next.error());
  return {static_cast<std::uint32_t>(link::T.mask())};
}

// --- interrupt endpoints (§4.10)
// ----------------------------------------------------------------------------------------

void PeriodicSchedule::visit_queues(std::uint64_t frame, Walk& walk) {
  std::optional<Link> link = entry(frame, walk);
  for (unsigned i = 0; link && !link->terminate() && i < kMaxStructures && !walk.fault; ++i) {
    const std::uint32_t address = link->address();
    if (link->type() != LinkType::qh) {
      link = follow(address, walk);
      continue;
    }
    const auto queue = QueueHead::read(surroundings_.memory(), address);
    if (!queue) return walk.note(queue.error());
    if (queue->interrupt_scheduled()) {
      QueueHeadView view(surroundings_.memory(), address, *queue, walk);
      visit(view, pipes_, addresses_, TransferType::interrupt, {frame, frame}, walk);
    }
    link = queue->horizontal;
  }
}

// --- isochronous endpoints (§4.7)
// ---------------------------------------------------------------------------------------

/// "isochronous transaction descriptors … must precede all interrupt queue heads in the list" (§4.6, figure 4-7).
template <typename OnItd>
void PeriodicSchedule::for_each_itd(std::uint64_t frame, Walk& walk, OnItd on_itd) {
  std::optional<Link> link = entry(frame, walk);
  for (unsigned i = 0; link && !link->terminate() && i < kMaxStructures && !walk.fault; ++i) {
    if (link->type() == LinkType::qh) return;
    if (link->type() != LinkType::itd) {
      link = follow(link->address(), walk);
      continue;
    }
    const auto descriptor = IsochronousDescriptor::read(surroundings_.memory(), link->address());
    if (!descriptor) return walk.note(descriptor.error());
    on_itd(*descriptor);
    link = descriptor->next();
  }
}

batching::IsochronousPipe* PeriodicSchedule::pipe_of(const IsochronousDescriptor& itd) {
  Device* device = addresses_.at(itd.device_address());
  if (device == nullptr || itd.endpoint().number() == 0) return nullptr;
  return &isochronous_.at(*device, itd.endpoint());
}

void PeriodicSchedule::carry_out(std::uint64_t frame, Walk& walk) {
  for_each_itd(frame, walk, [&](const IsochronousDescriptor& itd) { carry_out(itd, frame, walk); });
}

void PeriodicSchedule::carry_out(const IsochronousDescriptor& itd, std::uint64_t frame, Walk& walk) {
  batching::IsochronousPipe* pipe = pipe_of(itd);
  for (unsigned slot = 0; slot < IsochronousDescriptor::kSlots && !walk.fault; ++slot) {
    const auto packet = itd.packet(slot);
    if (!packet) continue;
    batching::Outcome outcome{Status::error, 0};  // nobody answers
    if (pipe != nullptr) {
      outcome = pipe->carry_out(frame * kMicroframesPerFrame + slot, *packet);
    } else if (itd.endpoint().direction() == Direction::out) {
      outcome.status = Status::ok;  // nobody acknowledges either
    }
    if (walk.fault) return;
    if (auto done = itd.retire(surroundings_.memory(), slot, outcome); !done) return walk.note(done.error());
    if (itd.interrupts(slot)) walk.interrupt = true;
    if (outcome.status != Status::ok) walk.error_interrupt = true;
  }
}

/// Shows what the schedule holds for `frame` and those after it.
void PeriodicSchedule::show_ahead(std::uint64_t frame, Walk& walk) {
  for (std::uint64_t ahead = frame; ahead < frame + kFramesAhead && !walk.fault; ++ahead) {
    for_each_itd(ahead, walk, [&](const IsochronousDescriptor& itd) {
      batching::IsochronousPipe* pipe = pipe_of(itd);
      for (unsigned slot = 0; pipe != nullptr && slot < IsochronousDescriptor::kSlots; ++slot) {
        if (const auto packet = itd.packet(slot)) pipe->show(ahead * kMicroframesPerFrame + slot, *packet);
      }
    });
  }
}

// --- devices
// ------------------------------------------------------------------------------------------------------------

void PeriodicSchedule::device_disabled(Device& device) {
  pipes_.device_reset(device);
  isochronous_.device_reset(device);
}

void PeriodicSchedule::configured(Device& device, const SetupPacket& setup) {
  pipes_.configured(device, setup);
  isochronous_.configured(device, setup);
}

void PeriodicSchedule::for_each_endpoint(const Device& device, const VisitEndpoint& visit) const {
  pipes_.for_each(device, visit);
  isochronous_.for_each(device, visit);
}

}  // namespace periplex::usb::ehci
