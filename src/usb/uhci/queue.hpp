// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "usb/batching/queue_view.hpp"
#include "usb/uhci/round.hpp"
#include "usb/uhci/structures.hpp"

namespace periplex::usb::uhci {

/// The transfer descriptors of one queue head (UHCI Design Guide 1.1 §3.4), or a single one that stands in the frame
/// list by itself, for the length of one visit.
///
/// Whether the guest asks for the rest of a queue depth first (Vf) or breadth first makes no difference here: what the
/// device side has answered is given back at once.
class Queue final : public batching::QueueView {
 public:
  /// The queue of the head at `queue_head`, whose element link leads to the descriptor at `element`.
  Queue(guest::Memory& memory, Round& round, GuestAddress queue_head, GuestAddress element)
      : memory_(memory), round_(round), queue_head_(queue_head), position_(element) {}
  /// A descriptor outside a queue.
  Queue(guest::Memory& memory, Round& round, GuestAddress descriptor)
      : memory_(memory), round_(round), position_(descriptor) {}

  /// The descriptor that the queue stands at, of whatever endpoint, active or not. Nothing at the end.
  [[nodiscard]] std::optional<TransferDescriptor> current();
  /// From now on this is the queue of the endpoint of `descriptor`; others' descriptors do not belong to it.
  void open(const TransferDescriptor& descriptor);
  [[nodiscard]] bool owns(const TransferDescriptor& descriptor) const;

  /// Tells the guest that the device was asked for `descriptor` and had nothing to answer yet.
  void report_nak(const TransferDescriptor& descriptor);

  [[nodiscard]] std::optional<batching::Descriptor> head() override;
  [[nodiscard]] std::optional<batching::Descriptor> after(GuestAddress address) override;
  bool retire(const batching::Descriptor& descriptor, const batching::Outcome& outcome) override;

 private:
  [[nodiscard]] std::optional<TransferDescriptor> fetch(GuestAddress address);
  [[nodiscard]] std::optional<TransferDescriptor> peek(GuestAddress address);
  [[nodiscard]] std::optional<batching::Descriptor> if_owned(const std::optional<TransferDescriptor>& descriptor) const;
  bool store(GuestAddress address, std::uint32_t value);

  guest::Memory& memory_;
  Round& round_;
  std::optional<GuestAddress> queue_head_;
  std::optional<GuestAddress> position_;    // where the controller stands: its copy of the element link
  std::optional<TransferDescriptor> last_;  // read most recently
  unsigned device_ = 0;
  EndpointAddress endpoint_;
};

}  // namespace periplex::usb::uhci
