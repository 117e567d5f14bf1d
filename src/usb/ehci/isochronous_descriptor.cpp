// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/isochronous_descriptor.hpp"

#include <algorithm>

namespace periplex::usb::ehci {
namespace {

using batching::Descriptor;
using batching::Outcome;
using batching::Pid;
using guest::Fault;
using guest::GuestAddress;

// §3.3.2, table 3-3: iTD Transaction Status and Control
constexpr Field kOffset = bits("Transaction X Offset", 11, 0, Access::RO);
constexpr Field kPg = bits("PG", 14, 12, Access::RO);
constexpr Field kIoc = bit("ioc", 15, Access::RO);
constexpr Field kLength = bits("Transaction X Length", 27, 16, Access::RW);
constexpr Field kXactErr = bit("XactErr", 28, Access::RW);
constexpr Field kBabbleDetected = bit("Babble Detected", 29, Access::RW);
constexpr Field kDataBufferError = bit("Data Buffer Error", 30, Access::RW);
constexpr Field kActive = bit("Active", 31, Access::RW);

// §3.3.3, tables 3-4 to 3-6: what the low bits of the buffer page pointers hold
constexpr Field kDeviceAddress = bits("Device Address", 6, 0, Access::RO);            // page 0
constexpr Field kEndPt = bits("Endpt", 11, 8, Access::RO);                            // page 0
constexpr Field kMaximumPacketSize = bits("Maximum Packet Size", 10, 0, Access::RO);  // page 1
constexpr Field kDirection = bit("I/O", 11, Access::RO);                              // page 1
constexpr Field kMult = bits("Mult", 1, 0, Access::RO);                               // page 2

}  // namespace

std::expected<IsochronousDescriptor, Fault> IsochronousDescriptor::read(const guest::Memory& memory,
                                                                        std::uint32_t address) {
  const auto dwords = memory.read<std::array<std::uint32_t, kDwords>>(GuestAddress(address));
  if (!dwords) return std::unexpected(dwords.error());
  return IsochronousDescriptor(address, *dwords);
}

unsigned IsochronousDescriptor::device_address() const {
  return static_cast<unsigned>(kDeviceAddress.get(page(0)));
}

EndpointAddress IsochronousDescriptor::endpoint() const {
  return {static_cast<unsigned>(kEndPt.get(page(0))), kDirection.test(page(1)) ? Direction::in : Direction::out};
}

bool IsochronousDescriptor::interrupts(unsigned slot) const {
  return kIoc.test(transaction(slot));
}

std::optional<Descriptor> IsochronousDescriptor::packet(unsigned slot) const {
  const std::uint32_t transaction = this->transaction(slot);
  if (!kActive.test(transaction)) return std::nullopt;
  Descriptor packet{.address = GuestAddress(address_ + 4 * (1 + slot)),
                    .pid = endpoint().direction() == Direction::in ? Pid::in : Pid::out,
                    .packet_size = static_cast<std::uint32_t>(kMaximumPacketSize.get(page(1)))};
  // "Mult: the number of transactions that should be executed per transaction description"; more they cannot carry.
  const std::uint64_t most = packet.packet_size * std::max<std::uint64_t>(kMult.get(page(2)), 1);
  packet.length = static_cast<std::uint32_t>(std::min(kLength.get(transaction), most));
  auto index = static_cast<unsigned>(kPg.get(transaction));
  auto offset = static_cast<std::uint32_t>(kOffset.get(transaction));
  packet.words[0] = transaction;
  std::uint32_t left = packet.length;
  for (; left > 0 && index < kPages; ++index) {
    const std::uint32_t bytes = std::min(left, kPageSize - offset);
    packet.add_piece(GuestAddress((page(index) & ~kPageOffset) + offset), bytes);
    packet.words[packet.piece_count] = page(index) & ~kPageOffset;
    left -= bytes;
    offset = 0;
  }
  packet.length -= left;  // what would lie behind the last page pointer
  return packet;
}

std::expected<void, Fault> IsochronousDescriptor::retire(guest::Memory& memory, unsigned slot,
                                                         const Outcome& outcome) const {
  const bool in = endpoint().direction() == Direction::in;
  std::uint64_t value = kActive.set(transaction(slot), 0);
  // "For an IN … the host controller writes back the number of bytes successfully received."
  if (in) value = kLength.set(value, outcome.actual);
  if (outcome.status == Status::babble) {
    value = kBabbleDetected.set(value, 1);
  } else if (outcome.status != Status::ok) {
    // "XactErr … may only be set for isochronous IN transactions"; what could not be sent is an underrun.
    value = (in ? kXactErr : kDataBufferError).set(value, 1);
  }
  return memory.store_release(GuestAddress(address_ + 4 * (1 + slot)), static_cast<std::uint32_t>(value));
}

}  // namespace periplex::usb::ehci
