// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "usb/batching/isochronous_pipes.hpp"
#include "usb/batching/pipes.hpp"
#include "usb/uhci/queue.hpp"

namespace periplex::usb::uhci {

/// Where the schedule's packets go.
class AddressedDevices {
 public:
  /// The device that answers at `address`, if there is one.
  [[nodiscard]] virtual Device* device_at(unsigned address) = 0;

 protected:
  ~AddressedDevices() = default;
};

/// The frame list and what hangs on it (UHCI Design Guide 1.1 §1.3 and chapter 3), in the guest's memory, which may
/// change it at any time: nothing of it is kept from one round to the next.
class Schedule {
 public:
  static constexpr unsigned kFrames = 1024;  ///< entries of the frame list (3.1)

  Schedule(guest::Memory& memory, AddressedDevices& devices, batching::Pipes& pipes,
           batching::IsochronousPipes& isochronous)
      : memory_(memory), devices_(devices), pipes_(pipes), isochronous_(isochronous) {}

  /// Carries out frame `index` of the list at `base`, which is number `frame` since the controller was made.
  Round begin_frame(GuestAddress base, unsigned index, std::uint64_t frame);
  /// Looks once more at the packets that isochronous endpoints have in the frames after `index`, which is `frame`.
  void look_again(GuestAddress base, unsigned index, std::uint64_t frame);
  /// Walks the same frame once more: only queues that stand in it are visited.
  Round repeat_frame(GuestAddress base, unsigned index, std::uint64_t frame);

  /// A pipe has met an address where the guest has no memory.
  void memory_fault() { round_.system_error = true; }

 private:
  /// Queue heads, and descriptors outside of queues, that a round visits at most: more than fit into a frame. And how
  /// many isochronous descriptors it looks at in a frame ahead.
  static constexpr std::size_t kMaxQueueHeads = 512;
  static constexpr unsigned kMaxDescriptors = 512;
  static constexpr unsigned kMaxAhead = 32;

  void walk(GuestAddress base, unsigned index);
  [[nodiscard]] LinkPointer frame_list_entry(GuestAddress base, unsigned index);
  /// Each returns the link to go on with.
  [[nodiscard]] LinkPointer visit_queue_head(GuestAddress address);
  [[nodiscard]] LinkPointer visit_descriptor(GuestAddress address);
  void visit(Queue& queue);
  /// Whether a visit may go on with what the queue has come to.
  [[nodiscard]] bool visit_endpoint(Queue& queue, const TransferDescriptor& descriptor);
  void carry_out_isochronous(const TransferDescriptor& descriptor);
  void look_ahead(GuestAddress base, unsigned index);
  void show_frame(LinkPointer link, std::uint64_t frame);
  /// The pipe of an isochronous descriptor; null where nobody answers.
  [[nodiscard]] batching::IsochronousPipe* isochronous_pipe(const TransferDescriptor& descriptor);

  guest::Memory& memory_;
  AddressedDevices& devices_;
  batching::Pipes& pipes_;
  batching::IsochronousPipes& isochronous_;
  Round round_;
  std::vector<GuestAddress> visited_;  // queue heads, in this round
};

}  // namespace periplex::usb::uhci
