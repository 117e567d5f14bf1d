// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "usb/xhci/testing/producer_ring.hpp"

namespace periplex::usb::xhci::testing {

/// The driver's side of an endpoint with streams (xHCI 1.2 §4.12): a linear array of stream contexts, each of which
/// names a ring. Stream 0 is reserved and has none.
class StreamRings {
 public:
  static constexpr std::uint64_t kContextSize = 16;
  static constexpr std::uint64_t kPrimaryRing = 1u << 1;  // SCT

  StreamRings(GuestRam& ram, unsigned max_primary_streams, unsigned ring_trbs)
      : ram_(ram), rings_(std::size_t{2} << max_primary_streams), array_(ram_.allocate(rings_.size() * kContextSize)) {
    for (unsigned stream = 1; stream < rings_.size(); ++stream) {
      rings_[stream] = std::make_unique<ProducerRing>(ram_, 1, ring_trbs);
      ram_.write(context(stream), rings_[stream]->position() | kPrimaryRing);
    }
  }

  [[nodiscard]] GuestAddress array() const { return array_; }
  [[nodiscard]] GuestAddress context(unsigned stream) const { return array_ + stream * kContextSize; }
  /// The dequeue pointer in the context of `stream`, with DCS in bit 0 and SCT in bits 3:1.
  [[nodiscard]] std::uint64_t dequeue(unsigned stream) const { return ram_.read<std::uint64_t>(context(stream)); }
  [[nodiscard]] ProducerRing& ring(unsigned stream) const { return *rings_.at(stream); }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(rings_.size()); }

 private:
  GuestRam& ram_;
  std::vector<std::unique_ptr<ProducerRing>> rings_;
  GuestAddress array_;
};

}  // namespace periplex::usb::xhci::testing
