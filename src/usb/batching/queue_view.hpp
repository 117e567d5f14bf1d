// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "usb/batching/descriptor.hpp"

namespace periplex::usb::batching {

/// One endpoint's queue in the guest's schedule, as a controller reads it: UHCI's queue head with its TDs, EHCI's with
/// its qTDs. It lives for one visit and keeps nothing of guest memory beyond it.
class QueueView {
 public:
  /// The descriptor that the queue stands at. Nothing where it is at its end, halted, or stands at one that is not
  /// active.
  [[nodiscard]] virtual std::optional<Descriptor> head() = 0;

  /// The descriptor that will follow the one at `address` once that is done in full, without going there: what the
  /// guest has queued ahead. Nothing at the end, at one that is not active, or at another endpoint's.
  [[nodiscard]] virtual std::optional<Descriptor> after(guest::GuestAddress address) = 0;

  /// Gives the head, which is `descriptor`, back to the guest with `outcome`, and moves the queue on as the
  /// controller's specification says: to the next descriptor, to the alternate one after a short packet, or nowhere (it
  /// halts). Data has been brought to the guest before. False: the queue does not go on by itself.
  virtual bool retire(const Descriptor& descriptor, const Outcome& outcome) = 0;

 protected:
  ~QueueView() = default;
};

}  // namespace periplex::usb::batching
