// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>

#include "usb/xhci/context.hpp"

namespace periplex::usb::xhci {

/// The Primary Stream Array of an endpoint in guest memory (xHCI 1.2 §4.12, §6.2.4): a linear array of stream contexts,
/// in which a Stream ID is the index. Stream 0 is reserved.
class StreamArray {
 public:
  /// HCCPARAMS1.MaxPSASize. 64 stream contexts are 63 commands that a UAS driver has under way, more than block layers
  /// ask of one disk by default.
  static constexpr unsigned kMaxPSASize = 5;

  /// `context` has MaxPStreams greater than 0: then its TR Dequeue Pointer is the array's.
  StreamArray(guest::Memory& memory, const EndpointContext& context)
      : memory_(&memory), address_(context.dequeue().address), size_(std::size_t{2} << context.max_primary_streams()) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool contains(std::uint16_t stream) const { return stream != 0 && stream < size_; }

  [[nodiscard]] std::expected<StreamContext, guest::Fault> read(std::uint16_t stream) const;
  /// Writes the dequeue pointer of `stream`. Its Stopped EDTLA stays what the guest made it: HCCPARAMS1.SEC is 0.
  [[nodiscard]] std::expected<void, guest::Fault> write(std::uint16_t stream, RingPosition dequeue);

 private:
  [[nodiscard]] GuestAddress place_of(std::uint16_t stream) const { return address_ + stream * StreamContext::kSize; }

  guest::Memory* memory_;
  GuestAddress address_;
  std::size_t size_;
};

}  // namespace periplex::usb::xhci
