// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "usb/xhci/testing/guest_ram.hpp"
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci::testing {

/// The driver's side of a command or transfer ring (xHCI 1.2 §4.9.2): segments that Link TRBs join into a circle.
///
/// Written from the guest's side; shares no code with the controller's reader. It does not watch for overruns: whoever
/// queues knows how much is outstanding.
class ProducerRing {
 public:
  /// Each segment has `trbs` TRBs, its Link TRB included.
  ProducerRing(GuestRam& ram, unsigned segments, unsigned trbs);

  /// Where the next TRB goes, with the cycle bit that means "ready" there.
  [[nodiscard]] GuestAddress enqueue() const { return segments_[segment_] + std::uint64_t{index_} * kTrbSize; }
  [[nodiscard]] bool cycle() const { return cycle_; }
  /// Address and cycle state as contexts and CRCR hold them.
  [[nodiscard]] std::uint64_t position() const { return enqueue().value | (cycle_ ? 1 : 0); }
  [[nodiscard]] GuestAddress segment(unsigned index) const { return segments_[index]; }

  /// Writes a TD; its first TRB becomes valid last, so that the controller sees all or nothing. Returns where its last
  /// TRB lies.
  GuestAddress push(std::span<const Trb> td);
  GuestAddress push(const Trb& trb) { return push(std::span(&trb, 1)); }

 private:
  void store(GuestAddress at, const Trb& trb, bool cycle) const;
  void follow_link(bool chained);

  GuestRam& ram_;
  std::vector<GuestAddress> segments_;
  unsigned trbs_;
  unsigned segment_ = 0;
  unsigned index_ = 0;
  bool cycle_ = true;
};

}  // namespace periplex::usb::xhci::testing
