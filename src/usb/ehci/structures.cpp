// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/structures.hpp"

#include <algorithm>

namespace periplex::usb::ehci {
namespace {

using guest::Fault;
using guest::GuestAddress;

constexpr std::size_t kOverlayDwords = 8;
constexpr std::size_t kQueueHeadDwords = 4 + kOverlayDwords;

TransferDescriptor from_dwords(std::span<const std::uint32_t, kOverlayDwords> dwords) {
  TransferDescriptor descriptor{.next = {dwords[0]}, .alternate = {dwords[1]}, .token = dwords[2]};
  std::ranges::copy(dwords.subspan<3>(), descriptor.buffers.begin());
  return descriptor;
}

}  // namespace

std::expected<TransferDescriptor, Fault> TransferDescriptor::read(const guest::Memory& memory, std::uint32_t address) {
  const auto token = memory.load_acquire(GuestAddress(address + kTokenOffset));
  if (!token) return std::unexpected(token.error());
  auto dwords = memory.read<std::array<std::uint32_t, kOverlayDwords>>(GuestAddress(address));
  if (!dwords) return std::unexpected(dwords.error());
  TransferDescriptor descriptor = from_dwords(*dwords);
  descriptor.token = *token;  // what was decided by is what counts, whatever the guest writes meanwhile
  return descriptor;
}

std::uint32_t TransferDescriptor::room() const {
  const std::uint32_t page = get(token::C_Page);
  if (page >= kPages) return 0;
  return static_cast<std::uint32_t>(kPages - page) * kPageSize - (buffers[0] & kPageOffset);
}

void TransferDescriptor::advance(std::uint32_t bytes) {
  const std::uint32_t offset = (buffers[0] & kPageOffset) + bytes;
  const std::uint32_t page = get(token::C_Page) + offset / kPageSize;
  // At the very end there is no page to point to; the offset alone has gone round then.
  set(token::C_Page, std::min<std::uint32_t>(page, kPages - 1));
  buffers[0] = (buffers[0] & ~kPageOffset) | (offset & kPageOffset);
  set(token::TotalBytes, get(token::TotalBytes) - bytes);
}

std::expected<QueueHead, Fault> QueueHead::read(const guest::Memory& memory, std::uint32_t address) {
  const auto dwords = memory.read<std::array<std::uint32_t, kQueueHeadDwords>>(GuestAddress(address));
  if (!dwords) return std::unexpected(dwords.error());
  const std::span<const std::uint32_t, kQueueHeadDwords> all(*dwords);
  return QueueHead{.horizontal = {all[0]},
                   .characteristics = all[1],
                   .capabilities = all[2],
                   .current = Link{all[3]}.address(),
                   .overlay = from_dwords(all.subspan<4, kOverlayDwords>())};
}

}  // namespace periplex::usb::ehci
