// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/queue_head_view.hpp"

#include <algorithm>

namespace periplex::usb::ehci {
namespace {

using batching::Descriptor;
using batching::Outcome;
using batching::Pid;
using guest::Fault;
using guest::GuestAddress;

/// NakCnt, in the overlay's Alternate Next qTD Pointer (§3.6.3)
constexpr Field kNakCnt = bits("NakCnt", 4, 1, Access::RW);

/// What the guest alone writes while a qTD is active. The toggle, the error counter and the ping bit are the
/// controller's as well.
constexpr std::uint32_t kTokenOfGuest = static_cast<std::uint32_t>(token::TotalBytes.mask() | token::ioc.mask() |
                                                                   token::C_Page.mask() | token::PIDCode.mask());

/// §3.5.3, PID Code
std::optional<Pid> pid_of(std::uint32_t code) {
  switch (code) {
    case 0:
      return Pid::out;
    case 1:
      return Pid::in;
    case 2:
      return Pid::setup;
    default:
      return std::nullopt;  // reserved
  }
}

}  // namespace

void QueueHeadView::note(std::expected<void, Fault> done) {
  if (!done) walk_.note(done.error());
}

std::optional<Descriptor> QueueHeadView::head() {
  if (walk_.fault || queue_.overlay.halted()) return std::nullopt;
  if (!queue_.overlay.active() && !advance()) return std::nullopt;
  if (queue_.overlay.halted()) return std::nullopt;
  auto descriptor = describe(queue_.current, queue_.overlay);
  // A packet that cannot be sent: what a device would make of it is no answer.
  if (!descriptor) halt(token::XactErr);
  if (descriptor && only_ && direction(descriptor->pid) != *only_) return std::nullopt;
  return descriptor;
}

/// §4.10.2 Advance Queue: "If the field Bytes to Transfer is not zero and the T-bit in the Alternate Next qTD Pointer
/// is set to zero, then the host controller uses the Alternate Next qTD Pointer. Otherwise, the host controller uses
/// the Next qTD Pointer." A qTD that is not active leaves the queue where it is.
bool QueueHeadView::advance() {
  const TransferDescriptor& done = queue_.overlay;
  const bool was_short = done.get(token::TotalBytes) != 0 && !done.alternate.terminate();
  const Link pointer = was_short ? done.alternate : done.next;
  if (pointer.terminate()) return false;
  const auto fetched = TransferDescriptor::read(memory_, pointer.address());
  if (!fetched) {
    walk_.note(fetched.error());
    return false;
  }
  if (!fetched->active()) return false;
  overlay(pointer, *fetched);
  return !walk_.fault;
}

/// "the host controller … moves the pointer value used to reach the qTD (Next or Alternate Next) to the Current qTD
/// Pointer field, then performs the overlay": the toggle stays the queue head's own unless DTC is set.
void QueueHeadView::overlay(const Link& from, const TransferDescriptor& descriptor) {
  const std::uint32_t toggle = queue_.overlay.get(token::dt);
  queue_.current = from.address();
  queue_.overlay = descriptor;
  if (!QueueHead::DTC.test(queue_.characteristics)) queue_.overlay.set(token::dt, toggle);
  std::uint32_t& alternate = queue_.overlay.alternate.raw;
  alternate = static_cast<std::uint32_t>(kNakCnt.set(alternate, QueueHead::RL.get(queue_.characteristics)));
  const TransferDescriptor& now = queue_.overlay;
  const std::array dwords{queue_.current, now.next.raw,   now.alternate.raw, now.token,     now.buffers[0],
                          now.buffers[1], now.buffers[2], now.buffers[3],    now.buffers[4]};
  note(memory_.write(GuestAddress(address_ + QueueHead::kCurrentOffset), dwords));
}

std::optional<Descriptor> QueueHeadView::after(GuestAddress address) {
  const auto at = static_cast<std::uint32_t>(address.value);
  Link next = queue_.overlay.next;
  if (at != queue_.current || !queue_.overlay.active()) {
    const auto read = memory_.read<std::uint32_t>(address);
    if (!read) return std::nullopt;  // it was removed; the head will tell
    next = {*read};
  }
  if (next.terminate()) return std::nullopt;
  const auto descriptor = TransferDescriptor::read(memory_, next.address());
  // One that lies nowhere is a fault once the queue gets there, not before.
  if (!descriptor || !descriptor->active() || descriptor->halted()) return std::nullopt;
  auto found = describe(next.address(), *descriptor);
  if (found && only_ && direction(found->pid) != *only_) return std::nullopt;
  return found;
}

std::optional<Descriptor> QueueHeadView::describe(std::uint32_t address, const TransferDescriptor& descriptor) const {
  const std::optional<Pid> pid = pid_of(descriptor.get(token::PIDCode));
  // Setup belongs to control endpoints, and here only endpoint 0 is one.
  if (!pid || (*pid == Pid::setup && queue_.endpoint() != 0)) return std::nullopt;
  Descriptor result{.address = GuestAddress(address),
                    .pid = *pid,
                    .length = std::min(descriptor.get(token::TotalBytes), descriptor.room()),
                    .packet_size = queue_.packet_size(),
                    .interrupt_on_complete = token::ioc.test(descriptor.token)};
  std::uint32_t page = descriptor.get(token::C_Page);
  std::uint32_t offset = descriptor.buffers[0] & kPageOffset;
  for (std::uint32_t left = result.length; left > 0; ++page) {
    const std::uint32_t bytes = std::min(left, kPageSize - offset);
    result.add_piece(GuestAddress((descriptor.buffers[page] & ~kPageOffset) + offset), bytes);
    left -= bytes;
    offset = 0;
  }
  result.words[0] = descriptor.token & kTokenOfGuest;
  std::ranges::copy(descriptor.buffers, result.words.begin() + 1);
  return result;
}

bool QueueHeadView::retire(const Descriptor& descriptor, const Outcome& outcome) {
  if (walk_.fault) return false;
  TransferDescriptor& done = queue_.overlay;
  const std::uint32_t packet = std::max(queue_.packet_size(), 1u);
  const std::uint32_t packets = std::max((outcome.actual + packet - 1) / packet, 1u);
  done.set(token::dt, done.get(token::dt) ^ (packets & 1));
  done.advance(std::min(outcome.actual, descriptor.length));
  if (token::ioc.test(done.token)) walk_.interrupt = true;
  switch (outcome.status) {
    case Status::ok:
      // §4.15.1.2: "when a short packet is detected … the USBINT bit is set".
      if (descriptor.pid == Pid::in && outcome.ends_short(descriptor)) walk_.interrupt = true;
      done.set(token::Active, 0);
      write_back();
      return !walk_.fault && !done.next.terminate();
    case Status::stall:
      done.set(token::Active, 0);
      done.set(token::Halted, 1);
      walk_.error_interrupt = true;
      write_back();
      return false;
    case Status::babble:
      halt(token::BabbleDetected);
      return false;
    case Status::error:
    case Status::cancelled:
    case Status::disconnected:
      halt(token::XactErr);
      return false;
  }
  return false;
}

/// §4.15.1.1: "three consecutive errors" have counted CERR down to zero.
void QueueHeadView::halt(const Field& reason) {
  TransferDescriptor& done = queue_.overlay;
  done.set(token::Active, 0);
  done.set(token::Halted, 1);
  done.set(reason, 1);
  if (reason.lo == token::XactErr.lo) done.set(token::CERR, 0);
  walk_.error_interrupt = true;
  write_back();
}

/// §4.10.4 Write Back qTD. The qTD's token comes last and passes it back to the guest.
void QueueHeadView::write_back() {
  constexpr std::uint64_t kOverlay = QueueHead::kCurrentOffset + 4;
  const TransferDescriptor& done = queue_.overlay;
  const std::array changed{done.token, done.buffers[0]};
  note(memory_.write(GuestAddress(address_ + kOverlay + TransferDescriptor::kTokenOffset), changed));
  note(memory_.write(GuestAddress(queue_.current + TransferDescriptor::kBufferOffset), done.buffers[0]));
  note(memory_.store_release(GuestAddress(queue_.current + TransferDescriptor::kTokenOffset), done.token));
}

}  // namespace periplex::usb::ehci
