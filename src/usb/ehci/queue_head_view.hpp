// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "guest/memory.hpp"
#include "usb/batching/queue_view.hpp"
#include "usb/ehci/structures.hpp"
#include "usb/ehci/walk.hpp"

namespace periplex::usb::ehci {

/// An endpoint's queue head and its qTDs, for one visit (EHCI 1.0 §4.10).
///
/// It works on its copy of the overlay, as a controller on its cache, and writes back what it changes. The guest's
/// driver learns of a finished qTD by the token in the qTD, which is therefore written last: whoever sees it done finds
/// the data and the overlay as they should be.
///
/// Not done: NAK counting, ping, data toggles as a means of flow control; split transactions. There is no wire.
class QueueHeadView final : public batching::QueueView {
 public:
  /// `queue` as just read from `address`. What happens goes to `walk`.
  QueueHeadView(guest::Memory& memory, std::uint32_t address, const QueueHead& queue, Walk& walk)
      : memory_(memory), address_(address), queue_(queue), walk_(walk) {}

  [[nodiscard]] const QueueHead& queue() const { return queue_; }

  /// Shows only what goes in `direction` from now on: the endpoint's other half is another pipe.
  void show_only(Direction direction) { only_ = direction; }

  /// §4.10.1 and §4.10.2: where the overlay is done, the next qTD is brought there first.
  [[nodiscard]] std::optional<batching::Descriptor> head() override;
  [[nodiscard]] std::optional<batching::Descriptor> after(guest::GuestAddress address) override;
  /// §4.10.3 to §4.10.5.
  bool retire(const batching::Descriptor& descriptor, const batching::Outcome& outcome) override;

 private:
  [[nodiscard]] bool advance();
  void overlay(const Link& from, const TransferDescriptor& descriptor);
  [[nodiscard]] std::optional<batching::Descriptor> describe(std::uint32_t address,
                                                             const TransferDescriptor& descriptor) const;
  void note(std::expected<void, guest::Fault> done);
  void halt(const Field& reason);
  void write_back();

  guest::Memory& memory_;
  std::uint32_t address_;
  QueueHead queue_;
  Walk& walk_;
  std::optional<Direction> only_;
};

}  // namespace periplex::usb::ehci
