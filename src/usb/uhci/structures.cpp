// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/structures.hpp"

namespace periplex::usb::uhci {
namespace {

// 3.2.3: "These values are the only valid PIDs"
constexpr std::uint64_t kIn = 0x69;
constexpr std::uint64_t kOut = 0xe1;
constexpr std::uint64_t kSetup = 0x2d;

static_assert(encode_length(1) == 0 && encode_length(1280) == 0x4ff && encode_length(0) == 0x7ff);
static_assert(decode_length(0x7ff) == 0 && decode_length(0x4ff) == 1280);

/// Table in 3.2.2: which status bits an outcome sets.
std::uint64_t status_bits(const batching::Outcome& outcome, batching::Pid pid, bool isochronous) {
  using td_status::Babble;
  using td_status::CrcTimeout;
  using td_status::DataBufferError;
  // "If isochronous … the transaction is never retried", and the endpoint never stalls.
  const std::uint64_t stalled = isochronous ? 0 : td_status::Stalled.mask();
  switch (outcome.status) {
    case Status::ok:
      return 0;
    case Status::stall:
      return stalled | (isochronous ? CrcTimeout.mask() : 0);
    case Status::babble:
      return stalled | Babble.mask();
    case Status::error:
    case Status::cancelled:
    case Status::disconnected:
      // Nobody answers a device-bound isochronous packet: what can be missing is only the data for it.
      if (isochronous && pid == batching::Pid::out) return DataBufferError.mask();
      return stalled | CrcTimeout.mask();
  }
  return 0;
}

}  // namespace

std::optional<batching::Pid> TransferDescriptor::pid() const {
  switch (td_token::Pid.get(token)) {
    case kIn:
      return batching::Pid::in;
    case kOut:
      return batching::Pid::out;
    case kSetup:
      return batching::Pid::setup;
    default:
      return std::nullopt;
  }
}

EndpointAddress TransferDescriptor::endpoint() const {
  return {endpoint_number(), td_token::Pid.get(token) == kIn ? Direction::in : Direction::out};
}

batching::Descriptor TransferDescriptor::descriptor() const {
  batching::Descriptor made;
  made.address = address;
  made.pid = pid().value_or(batching::Pid::out);
  made.length = length();
  made.interrupt_on_complete = interrupts_on_complete();
  if (made.length > 0) made.add_piece(buffer, made.length);
  // Without the toggle: drivers change it in what is queued behind a packet that they take out.
  made.words = {static_cast<std::uint32_t>(td_token::D.set(token, 0)), static_cast<std::uint32_t>(buffer.value)};
  return made;
}

std::uint32_t TransferDescriptor::retired(const batching::Outcome& outcome) const {
  std::uint64_t value =
      td_status::Status.set(status, 0) | status_bits(outcome, pid().value_or(batching::Pid::out), isochronous());
  if (outcome.status == Status::error) value = td_status::CErr.set(value, 0);  // "decremented to zero"
  return static_cast<std::uint32_t>(td_status::ActLen.set(value, encode_length(outcome.actual)));
}

std::expected<TransferDescriptor, guest::Fault> read_transfer_descriptor(const guest::Memory& memory,
                                                                         GuestAddress address) {
  // Active passes ownership to us: what the guest wrote before it set that bit is there in the rest.
  const auto status = memory.load_acquire(address + TransferDescriptor::kStatusOffset);
  if (!status) return std::unexpected(status.error());
  const auto dwords = memory.read<std::array<std::uint32_t, TransferDescriptor::kSize / 4>>(address);
  if (!dwords) return std::unexpected(dwords.error());
  return TransferDescriptor{.address = address,
                            .link = LinkPointer((*dwords)[0]),
                            .status = *status,
                            .token = (*dwords)[2],
                            .buffer = GuestAddress((*dwords)[3])};
}

std::expected<QueueHead, guest::Fault> read_queue_head(const guest::Memory& memory, GuestAddress address) {
  const auto link = memory.load_acquire(address);
  if (!link) return std::unexpected(link.error());
  const auto element = memory.load_acquire(address + QueueHead::kElementOffset);
  if (!element) return std::unexpected(element.error());
  return QueueHead{LinkPointer(*link), LinkPointer(*element)};
}

}  // namespace periplex::usb::uhci
