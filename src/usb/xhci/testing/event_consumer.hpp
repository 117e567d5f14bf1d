// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "usb/xhci/testing/guest_ram.hpp"
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci::testing {

/// The driver's side of an event ring (xHCI 1.2 §4.9.4): its segments, the segment table, and the place to read next.
class EventConsumer {
 public:
  EventConsumer(GuestRam& ram, unsigned segments, unsigned trbs) : ram_(ram), trbs_(trbs) {
    table_ = ram_.allocate(segments * std::uint64_t{16});
    for (unsigned i = 0; i < segments; ++i) {
      segments_.push_back(ram_.allocate(trbs * kTrbSize, 0x1000));
      ram_.write(table_ + i * std::uint64_t{16}, segments_.back().value);
      ram_.write(table_ + i * std::uint64_t{16} + 8, std::uint64_t{trbs});
    }
  }

  [[nodiscard]] GuestAddress table() const { return table_; }
  [[nodiscard]] unsigned segments() const { return static_cast<unsigned>(segments_.size()); }
  /// Where the next event will be read.
  [[nodiscard]] GuestAddress dequeue() const { return segments_[segment_] + std::uint64_t{index_} * kTrbSize; }

  [[nodiscard]] std::optional<Trb> next() {
    const GuestAddress at = dequeue();
    const std::uint32_t control = ram_.load_acquire(at + 12);
    if (((control & 1) != 0) != cycle_) return std::nullopt;
    const Trb event{ram_.read<std::uint64_t>(at), ram_.read<std::uint32_t>(at + 8), control, at};
    if (++index_ == trbs_) {
      index_ = 0;
      if (++segment_ == segments_.size()) {
        segment_ = 0;
        cycle_ = !cycle_;
      }
    }
    return event;
  }

 private:
  GuestRam& ram_;
  unsigned trbs_;
  GuestAddress table_;
  std::vector<GuestAddress> segments_;
  unsigned segment_ = 0;
  unsigned index_ = 0;
  bool cycle_ = true;
};

}  // namespace periplex::usb::xhci::testing
