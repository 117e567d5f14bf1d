// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/interrupter.hpp"

#include "base/trace.hpp"
#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr Nanoseconds kModerationUnit{250};  // §5.5.2.2

}  // namespace

Interrupter::Interrupter(unsigned index, RegisterFile& registers, std::uint32_t base, guest::Memory& memory,
                         Scheduler& scheduler, InterrupterHost& host)
    : index_(index),
      scheduler_(scheduler),
      host_(host),
      iman_(registers.add(iman::reg, base)),
      imod_(registers.add(imod::reg, base)),
      erstsz_(registers.add(erstsz::reg, base)),
      erstba_(registers.add(erstba::reg, base)),
      erdp_(registers.add(erdp::reg, base)),
      ring_(memory),
      moderation_(scheduler.make_timer([this] { raise(); })) {
  iman_.on_write([this](const RegisterWrite&) { host_.interrupt_management_changed(index_); });
  imod_.on_write([this](const RegisterWrite&) {
    next_interrupt_ = {};
    moderation_->cancel();
    raise();
  });
  // Read lazily: the register may come in two halves, and the first event tells that both are there.
  erstba_.on_write([this](const RegisterWrite&) { restart_ring(); });
  erstsz_.on_write([this](const RegisterWrite&) { restart_ring(); });
  erdp_.on_write([this](const RegisterWrite& write) { on_erdp_write(write); });
}

bool Interrupter::pending() const {
  return iman_.test(iman::IP);
}
bool Interrupter::enabled() const {
  return iman_.test(iman::IE);
}
void Interrupter::clear_pending() {
  iman_.set(iman::IP, 0);
}

void Interrupter::reset() {
  for (RegisterCell* cell : {&iman_, &imod_, &erstsz_, &erstba_, &erdp_}) cell->reset();
  ring_.stop();
  ring_changed_ = interrupt_wanted_ = false;
  next_interrupt_ = {};
  moderation_->cancel();
  waiting_.clear();
}

void Interrupter::restart_ring() {
  ring_changed_ = true;
  if (waiting_.empty()) return;
  waiting_.clear();  // they belonged to the ring that the guest has given up
  host_.event_ring_has_room();
}

void Interrupter::restore() {
  if (!ring_.started()) return;
  ring_changed_ = false;
  ring_.set_dequeue(GuestAddress(erdp_.value() & erdp::Pointer.mask()));
}

bool Interrupter::ensure_started() {
  if (ring_changed_) {
    ring_changed_ = false;
    const auto segments = static_cast<unsigned>(erstsz_.get(erstsz::Size));
    if (segments == 0) {
      ring_.stop();  // "software may set this field to 0 to disable the Event Ring" of a secondary interrupter
    } else if (!ring_.start(GuestAddress(erstba_.value() & erstba::Pointer.mask()), segments)) {
      host_.event_ring_fault("event ring segment table");
    } else {
      ring_.set_dequeue(GuestAddress(erdp_.value() & erdp::Pointer.mask()));
    }
  }
  return ring_.started();
}

void Interrupter::post(const Trb& event, bool block_interrupt) {
  if (!ensure_started()) return;  // §4.9.4: events for a ring that does not exist are dropped
  if (waiting_.empty() && ring_.room() > 1) {
    write_event(event);
  } else {
    if (waiting_.empty()) write_event(host_controller_event(CompletionCode::event_ring_full_error));
    if (waiting_.size() < kMaxWaiting) waiting_.push_back(event);
  }
  if (block_interrupt) return;
  interrupt_wanted_ = true;
  raise();
}

void Interrupter::write_event(const Trb& event) {
  if (ring_.room() == 0) return;
  if (!ring_.write(event)) host_.event_ring_fault("event ring");
}

void Interrupter::flush() {
  if (waiting_.empty()) return;
  while (!waiting_.empty() && ring_.room() > 1) {
    write_event(waiting_.front());
    waiting_.pop_front();
  }
  interrupt_wanted_ = true;
  if (waiting_.empty()) {
    host_.event_ring_has_room();
  } else if (ring_.room() == 1) {
    write_event(host_controller_event(CompletionCode::event_ring_full_error));
  }
}

void Interrupter::on_erdp_write(const RegisterWrite& write) {
  // Halves: the low one carries the flags and, with 32-bit drivers, the whole pointer. A high half alone changes only
  // the pointer.
  if (ring_changed_ || !ring_.started()) return;  // read when the ring starts
  ring_.set_dequeue(GuestAddress(write.value & erdp::Pointer.mask()));
  flush();
  // EHB went to 0: "if the Event Ring is not empty", the guest has not seen all and is told again. Where it is empty
  // there is nothing to tell, however many events came while the guest was busy.
  if (ring_.empty()) {
    interrupt_wanted_ = false;
  } else if (write.wrote_one(erdp::EHB)) {
    interrupt_wanted_ = true;
  }
  raise();
}

Nanoseconds Interrupter::moderation_interval() const {
  return kModerationUnit * static_cast<std::int64_t>(imod_.get(imod::IMODI));
}

void Interrupter::raise() {
  if (!interrupt_wanted_ || erdp_.test(erdp::EHB)) return;
  const Nanoseconds interval = moderation_interval();
  if (interval != Nanoseconds(0)) {
    const Nanoseconds now = scheduler_.now();
    if (now < next_interrupt_) {
      if (!moderation_->armed()) moderation_->arm(next_interrupt_ - now);
      return;
    }
    next_interrupt_ = now + interval;
  }
  interrupt_wanted_ = false;
  iman_.set(iman::IP, 1);
  erdp_.set(erdp::EHB, 1);
  host_.interrupt_pending(index_);
}

}  // namespace periplex::usb::xhci
