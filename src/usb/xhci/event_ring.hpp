// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <vector>

#include "guest/memory.hpp"
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci {

/// The producer's side of one event ring (xHCI 1.2 §4.9.4): segments from the guest's segment table, an enqueue
/// position with its Producer Cycle State, and the guest's dequeue position.
class EventRing {
 public:
  /// 2^n entries of the segment table are supported (HCSPARAMS2.ERST Max).
  static constexpr unsigned kErstMax = 4;
  static constexpr unsigned kMaxSegments = 1u << kErstMax;

  explicit EventRing(guest::Memory& memory) : memory_(memory) {}

  /// "When the ERSTBA register is written, the Event Ring State Machine is set to the Start state": the segment table
  /// is read, the cycle state is 1 and the ring is empty. False where the table is outside memory or breaks §6.5.
  [[nodiscard]] bool start(GuestAddress table, unsigned segments);
  void stop();
  [[nodiscard]] bool started() const { return total_ != 0; }

  /// The guest has consumed events up to `dequeue` (ERDP). A place in no segment changes nothing.
  void set_dequeue(GuestAddress dequeue);

  [[nodiscard]] bool empty() const { return enqueue_ == dequeue_; }
  /// Entries that can be written before enqueue would meet dequeue.
  [[nodiscard]] std::uint32_t room() const { return total_ == 0 ? 0 : (dequeue_ + total_ - enqueue_ - 1) % total_; }

  /// Writes one event with the cycle bit last, and moves on. There must be room.
  [[nodiscard]] std::expected<void, guest::Fault> write(const Trb& event);

 private:
  struct Segment {
    GuestAddress base;
    std::uint32_t size;   // in TRBs
    std::uint32_t first;  // index of its first TRB in the whole ring
  };

  [[nodiscard]] GuestAddress address_of(std::uint32_t index) const;

  guest::Memory& memory_;
  std::vector<Segment> segments_;
  std::uint32_t total_ = 0;
  std::uint32_t enqueue_ = 0;  // indices over all segments
  std::uint32_t dequeue_ = 0;
  bool cycle_ = true;
};

}  // namespace periplex::usb::xhci
