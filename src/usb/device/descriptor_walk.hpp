// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::device {

/// Calls `visit(offset, descriptor)` with each descriptor that begins in `bytes`; the last may be cut off, as a guest
/// may ask for the beginning of a configuration only. It ends at one that cannot be.
template <typename Visit>
void walk_descriptors(ByteView bytes, Visit visit) {
  constexpr std::size_t kHeader = 2;
  for (std::size_t at = 0; at + kHeader <= bytes.size();) {
    const auto length = std::to_integer<std::size_t>(bytes[at]);
    if (length < kHeader) return;
    visit(at, bytes.subspan(at, std::min(length, bytes.size() - at)));
    at += length;
  }
}

/// Changes one byte of what has come for the guest.
inline void change(Transfer& transfer, std::size_t offset, std::uint8_t to) {
  const std::byte byte{to};
  (void)transfer.data.write(offset, ByteView(&byte, 1));
}

}  // namespace periplex::usb::device
