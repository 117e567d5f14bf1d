// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/queue.hpp"

#include "base/trace.hpp"

namespace periplex::usb::uhci {

std::optional<TransferDescriptor> Queue::fetch(GuestAddress address) {
  if (!round_.may_fetch()) return std::nullopt;
  const auto descriptor = read_transfer_descriptor(memory_, address);
  if (!descriptor) {
    round_.system_error = true;
    return std::nullopt;
  }
  last_ = *descriptor;
  return *descriptor;
}

/// One that may lie nowhere: it is a fault once the queue gets there, not before.
std::optional<TransferDescriptor> Queue::peek(GuestAddress address) {
  if (!round_.may_fetch()) return std::nullopt;
  const auto descriptor = read_transfer_descriptor(memory_, address);
  if (!descriptor) return std::nullopt;
  last_ = *descriptor;
  return *descriptor;
}

std::optional<TransferDescriptor> Queue::current() {
  return position_ ? fetch(*position_) : std::nullopt;
}

void Queue::open(const TransferDescriptor& descriptor) {
  device_ = descriptor.device();
  endpoint_ = descriptor.endpoint();
}

bool Queue::owns(const TransferDescriptor& descriptor) const {
  return descriptor.device() == device_ && descriptor.endpoint() == endpoint_;
}

std::optional<batching::Descriptor> Queue::if_owned(const std::optional<TransferDescriptor>& descriptor) const {
  if (!descriptor || !descriptor->active() || !owns(*descriptor) || !descriptor->consistent()) return std::nullopt;
  return descriptor->descriptor();
}

std::optional<batching::Descriptor> Queue::head() {
  return if_owned(current());
}

std::optional<batching::Descriptor> Queue::after(GuestAddress address) {
  if (!queue_head_) return std::nullopt;
  const auto before = last_ && last_->address == address ? last_ : peek(address);
  if (!before || before->link.terminates() || before->link.to_queue_head()) return std::nullopt;
  return if_owned(peek(before->link.address()));
}

bool Queue::store(GuestAddress address, std::uint32_t value) {
  if (memory_.store_release(address, value)) return true;
  round_.system_error = true;
  return false;
}

void Queue::report_nak(const TransferDescriptor& descriptor) {
  if (td_status::Nak.test(descriptor.status)) return;
  store(descriptor.address + TransferDescriptor::kStatusOffset,
        static_cast<std::uint32_t>(td_status::Nak.set(descriptor.status, 1)));
}

bool Queue::retire(const batching::Descriptor& descriptor, const batching::Outcome& outcome) {
  const auto read = last_ && last_->address == descriptor.address ? last_ : fetch(descriptor.address);
  if (!read) return false;
  trace::line("usb/uhci", "TD {:#010x} {} {} bytes", descriptor.address.value, name(outcome.status), outcome.actual);
  if (!store(read->address + TransferDescriptor::kStatusOffset, read->retired(outcome))) return false;
  last_.reset();
  position_.reset();
  if (read->interrupts_on_complete()) round_.interrupt_on_complete = true;
  if (outcome.status != Status::ok) {
    round_.error = true;
    return false;
  }
  if (!queue_head_) return false;
  // SPD: "the TD is marked inactive, the Queue Header is not updated and the USBINT status bit is set".
  if (read->detects_short_packets() && descriptor.pid == batching::Pid::in && outcome.ends_short(descriptor)) {
    round_.short_packet = true;
    return false;
  }
  if (!store(*queue_head_ + QueueHead::kElementOffset, read->link.dword())) return false;
  if (read->link.terminates() || read->link.to_queue_head()) return false;
  position_ = read->link.address();
  return true;
}

}  // namespace periplex::usb::uhci
