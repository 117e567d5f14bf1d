// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "loop/event_loop.hpp"
#include "usb/bus.hpp"

namespace periplex::bench {

/// A driver of one controller in one process with it: it brings a device up and moves data sets, as a guest's driver
/// would, on the loop that the controller runs on. The processor time of both is counted together.
class ControllerGuest {
 public:
  virtual ~ControllerGuest() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Bytes of one descriptor's full load: what the guest calls a packet.
  [[nodiscard]] virtual std::uint32_t packet() const = 0;
  [[nodiscard]] virtual usb::Bus& bus() = 0;

  /// Resets the port of the device that is attached, gives it an address, and sets its bulk endpoints up: 1 in, 1 out.
  virtual void bring_up() = 0;
  /// Queues one data set on the endpoint of `direction`. The memory is the guest's own, the same for equal slots.
  virtual void queue(usb::Direction direction, std::uint32_t bytes, unsigned slot) = 0;
  /// How many data sets have ended since the last call.
  [[nodiscard]] virtual unsigned take_ended() = 0;
  /// Stops the controller (R/S = 0) or sets it going again.
  virtual void set_running(bool running) = 0;

  /// Called on the loop when the controller interrupts.
  std::function<void()> on_interrupt = [] {};
};

[[nodiscard]] std::unique_ptr<ControllerGuest> make_xhci_guest(EventLoop& loop);
[[nodiscard]] std::unique_ptr<ControllerGuest> make_ehci_guest(EventLoop& loop);
[[nodiscard]] std::unique_ptr<ControllerGuest> make_uhci_guest(EventLoop& loop);

}  // namespace periplex::bench
