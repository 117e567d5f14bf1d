// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/command_ring.hpp"

#include <utility>

#include "base/trace.hpp"
#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {

CommandRing::CommandRing(Services& services, SlotCommands& commands, RegisterFile& registers, std::uint32_t base)
    : services_(services), commands_(commands), crcr_(registers.add(crcr::reg, base)) {
  // "The Command Ring Pointer … and RCS … always return 0 when read."
  crcr_.on_read([this] { return crcr::CRR.set(0, running_ ? 1 : 0); });
  crcr_.on_write([this](const RegisterWrite& write) { on_crcr_write(write); });
}

void CommandRing::on_crcr_write(const RegisterWrite& write) {
  if (!running_) {
    // A half that is written changes its half of where the ring stands now, not of what was written once.
    const std::uint64_t kept = dequeue_.address.value & ~write.lanes;
    dequeue_.address = GuestAddress(kept | (write.written & write.lanes & crcr::Pointer.mask()));
    if ((write.lanes & crcr::RCS.mask()) != 0) dequeue_.cycle = crcr::RCS.test(write.written);
    return;
  }
  // "If the CRCR is written while CRR = 1 the value of pointer and RCS is ignored."
  if (!write.wrote_one(crcr::CS) && !write.wrote_one(crcr::CA)) return;
  stopping_ = true;
  aborting_ = aborting_ || write.wrote_one(crcr::CA);
  if (!executing_) return stop();
  if (aborting_) commands_.abort();
}

void CommandRing::ring_doorbell() {
  running_ = true;
  advance();
}

void CommandRing::advance() {
  for (unsigned taken = 0; running_ && !executing_ && services_.running() && services_.may_fetch(); ++taken) {
    if (taken == kMaxCommandsInOneGo) return advance_later();
    RingReader reader(services_.memory(), dequeue_);
    const auto next = reader.next();
    if (!next) {
      running_ = false;
      return services_.host_system_error("command ring");
    }
    if (!*next) return;
    dequeue_ = reader.position();
    executing_ = true;
    const Trb command = **next;
    trace::line("usb/xhci", "command type {} parameter {:#x} control {:#010x}", static_cast<unsigned>(command.type()),
                command.parameter, command.control);
    commands_.execute(command,
                      [this, at = command.address](CompletionCode code, SlotId slot) { complete(at, code, slot); });
  }
}

void CommandRing::complete(GuestAddress command, CompletionCode code, SlotId slot) {
  if (!executing_) return;  // the controller was reset while the command waited for a device
  executing_ = false;
  if (aborting_ && code != CompletionCode::success) code = CompletionCode::command_aborted;
  trace::line("usb/xhci", "command completes: {} slot {}", name(code), slot.value);
  services_.post_event(0, command_completion_event(command, code, slot), false);
  if (stopping_) return stop();
  advance_later();
}

void CommandRing::advance_later() {
  if (!std::exchange(advances_later_, true)) services_.advance_later(SlotId(0), 0);
}

void CommandRing::advance_again() {
  advances_later_ = false;
  advance();
}

void CommandRing::stop() {
  running_ = stopping_ = aborting_ = false;
  services_.post_event(0, command_completion_event(dequeue_.address, CompletionCode::command_ring_stopped, SlotId(0)),
                       false);
}

void CommandRing::reset() {
  crcr_.reset();
  dequeue_ = {};
  running_ = executing_ = stopping_ = aborting_ = false;
}

}  // namespace periplex::usb::xhci
