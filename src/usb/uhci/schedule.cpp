// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/schedule.hpp"

#include <algorithm>

namespace periplex::usb::uhci {
namespace {

using batching::Activity;
using batching::Outcome;
using batching::Pid;

}  // namespace

Round Schedule::begin_frame(GuestAddress base, unsigned index, std::uint64_t frame) {
  round_ = {.frame = frame, .begins_frame = true};
  walk(base, index);
  if (!round_.failed()) {
    look_ahead(base, index);
    isochronous_.end_interval(frame);
    pipes_.sweep(frame);
  }
  return round_;
}

Round Schedule::repeat_frame(GuestAddress base, unsigned index, std::uint64_t frame) {
  round_ = {.frame = frame};
  walk(base, index);
  return round_;
}

void Schedule::look_again(GuestAddress base, unsigned index, std::uint64_t frame) {
  round_ = {.frame = frame};
  look_ahead(base, index);
}

void Schedule::walk(GuestAddress base, unsigned index) {
  visited_.clear();
  unsigned descriptors = 0;
  LinkPointer link = frame_list_entry(base, index);
  while (!link.terminates() && !round_.failed() && round_.fetches_left > 0) {
    if (!link.to_queue_head()) {
      if (++descriptors > kMaxDescriptors) break;
      link = visit_descriptor(link.address());
      continue;
    }
    // Queue heads in a ring (bandwidth reclamation): all that can be done in this round has been done by now.
    if (std::ranges::find(visited_, link.address()) != visited_.end() || visited_.size() == kMaxQueueHeads) break;
    visited_.push_back(link.address());
    link = visit_queue_head(link.address());
  }
}

LinkPointer Schedule::frame_list_entry(GuestAddress base, unsigned index) {
  const auto entry = memory_.load_acquire(base + std::uint64_t{index % kFrames} * 4);
  if (entry) return LinkPointer(*entry);
  round_.system_error = true;
  return {};
}

LinkPointer Schedule::visit_queue_head(GuestAddress address) {
  const auto head = read_queue_head(memory_, address);
  if (!head) {
    round_.system_error = true;
    return {};
  }
  if (head->element.terminates()) return head->link;
  if (head->element.to_queue_head()) return head->element;
  Queue queue(memory_, round_, address, head->element.address());
  visit(queue);
  return head->link;
}

LinkPointer Schedule::visit_descriptor(GuestAddress address) {
  Queue queue(memory_, round_, address);
  const auto descriptor = queue.current();
  if (!descriptor) return {};
  if (descriptor->active() && descriptor->isochronous()) {
    if (round_.begins_frame) carry_out_isochronous(*descriptor);
  } else {
    visit(queue);
  }
  return descriptor->link;
}

/// Visits the pipes of a queue's descriptors: usually one, but each may belong to another endpoint.
void Schedule::visit(Queue& queue) {
  while (const auto descriptor = queue.current()) {
    if (!descriptor->active()) {
      // "Even if the Active bit in the TD is already cleared when the TD is fetched … an IOC interrupt is generated".
      if (descriptor->interrupts_on_complete() && round_.begins_frame) round_.interrupt_on_complete = true;
      return;
    }
    if (!descriptor->consistent()) {
      round_.process_error = true;
      return;
    }
    if (!visit_endpoint(queue, *descriptor)) return;
  }
}

bool Schedule::visit_endpoint(Queue& queue, const TransferDescriptor& descriptor) {
  const EndpointAddress endpoint = descriptor.endpoint();
  const bool control = endpoint.number() == 0;
  Device* device = devices_.device_at(descriptor.device());
  queue.open(descriptor);
  if (device == nullptr || (descriptor.pid() == Pid::setup && !control)) {
    round_.progressed = true;
    return queue.retire(descriptor.descriptor(), {Status::error, 0});
  }
  const auto known = device->endpoint_type(endpoint).value_or(TransferType::bulk);
  const TransferType type = control                            ? TransferType::control
                            : known == TransferType::interrupt ? TransferType::interrupt
                                                               : TransferType::bulk;
  const Activity activity = pipes_.visit(*device, endpoint, type, queue, {round_.frame, round_.frame});
  if (activity == Activity::progressed) (type == TransferType::interrupt ? round_.active : round_.progressed) = true;
  const auto now = queue.current();
  if (!now || !now->active()) return false;
  if (!queue.owns(*now)) return activity == Activity::progressed;
  queue.report_nak(*now);
  return false;
}

// --- isochronous descriptors: they stand in the frame list, before the first queue head (§1.3)

batching::IsochronousPipe* Schedule::isochronous_pipe(const TransferDescriptor& descriptor) {
  Device* device = devices_.device_at(descriptor.device());
  if (device == nullptr || descriptor.endpoint_number() == 0 || descriptor.pid() == Pid::setup) return nullptr;
  return &isochronous_.at(*device, descriptor.endpoint());
}

void Schedule::carry_out_isochronous(const TransferDescriptor& descriptor) {
  if (!descriptor.consistent()) {
    round_.process_error = true;
    return;
  }
  batching::IsochronousPipe* pipe = isochronous_pipe(descriptor);
  const Outcome outcome =
      pipe != nullptr ? pipe->carry_out(round_.frame, descriptor.descriptor()) : Outcome{Status::error, 0};
  if (round_.failed()) return;
  if (descriptor.interrupts_on_complete()) round_.interrupt_on_complete = true;
  const auto status = descriptor.address + TransferDescriptor::kStatusOffset;
  if (!memory_.store_release(status, descriptor.retired(outcome))) round_.system_error = true;
}

void Schedule::look_ahead(GuestAddress base, unsigned index) {
  for (unsigned ahead = 1; ahead <= isochronous_.window() && !round_.failed(); ++ahead) {
    show_frame(frame_list_entry(base, index + ahead), round_.frame + ahead);
  }
}

void Schedule::show_frame(LinkPointer link, std::uint64_t frame) {
  for (unsigned i = 0; i < kMaxAhead && !link.terminates() && !link.to_queue_head(); ++i) {
    // What lies outside the guest's memory is an error in its own frame, if it is still there then.
    const auto descriptor = read_transfer_descriptor(memory_, link.address());
    if (!descriptor) return;
    link = descriptor->link;
    if (!descriptor->active() || !descriptor->isochronous() || !descriptor->consistent()) continue;
    if (auto* pipe = isochronous_pipe(*descriptor)) pipe->show(frame, descriptor->descriptor());
  }
}

}  // namespace periplex::usb::uhci
