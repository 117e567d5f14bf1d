// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/time.hpp"
#include "guest/memory.hpp"
#include "usb/in_flight.hpp"
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci {

class MicroframeIndex;

/// What slots, endpoints and the command ring may ask of the controller they belong to.
class Services {
 public:
  [[nodiscard]] virtual guest::Memory& memory() = 0;
  [[nodiscard]] virtual InFlight& in_flight() = 0;

  /// Puts an event on the ring of `interrupter`; with `block_interrupt` (BEI) it waits for the next interrupt.
  virtual void post_event(unsigned interrupter, const Trb& event, bool block_interrupt) = 0;
  /// False while an event ring is full: then nothing is fetched from command and transfer rings (xHCI 1.2 §4.9.4).
  [[nodiscard]] virtual bool may_fetch() const = 0;
  /// USBCMD.R/S is set and no reset, halt or error is going on.
  [[nodiscard]] virtual bool running() const = 0;

  /// The clock of isochronous endpoints; it stands while the controller does not run.
  [[nodiscard]] virtual const MicroframeIndex& microframes() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) = 0;

  /// Calls the endpoint's `advance_again` (for endpoint 0 of slot 0: the command ring's) in a later turn of the loop.
  virtual void advance_later(SlotId slot, unsigned dci) = 0;

  /// A structure that the guest pointed us to lies outside its memory, which ends on a physical bus as a master abort:
  /// USBSTS.HSE, and the controller halts (§4.10.2.6).
  virtual void host_system_error(std::string_view what) = 0;

 protected:
  ~Services() = default;
};

}  // namespace periplex::usb::xhci
