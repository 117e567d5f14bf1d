// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "usb/speed.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb {

/// A peripheral as a controller sees it: everything behind a root port. Controllers know nothing else of it.
///
/// Called on the machine's loop only. Transfers of one endpoint complete in the order in which they were submitted;
/// endpoints are independent of each other.
class Device {
 public:
  /// Completes what it still holds with `disconnected`.
  virtual ~Device() = default;

  /// The speed it is attached at; constant while it is plugged in.
  [[nodiscard]] virtual Speed speed() const = 0;

  /// The type of `endpoint` as it is set up now; empty if there is no such endpoint, or if the device does not know.
  [[nodiscard]] virtual std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const {
    return (void)endpoint, std::nullopt;
  }

  /// Starts `transfer`. The completion comes later, from the loop. There may be several per endpoint.
  virtual void submit(TransferPtr transfer) = 0;

  /// Asks for transfer `id` to end. Its completion still comes, soon, with `cancelled` or with what had happened
  /// already; once it has come the device touches the data no more. Who cancels several of one endpoint does so from
  /// the newest to the oldest, and they may come back in that order. A device whose far side is slow must not make the
  /// caller wait for it. An unknown id is ignored.
  virtual void cancel(TransferId id) = 0;

  /// Port reset: cancels everything, address and configuration are lost (USB 2.0 §9.1.1.3).
  virtual void reset() = 0;

  /// The guest's controller has forgotten the halt condition and data toggle of `endpoint` on its side (xHCI Reset
  /// Endpoint, Configure Endpoint). Emulated devices have nothing to do; a pass-through tells its host stack.
  virtual void endpoint_opened(EndpointAddress endpoint) { (void)endpoint; }

  /// Suspend and resume signalling of the port the device is behind.
  virtual void suspend() {}
  virtual void resume() {}

  /// Tells how to ask for remote wake-up while suspended (USB 2.0 §7.1.7.7). Called with an empty function on unplug.
  virtual void set_wake_up(std::function<void()> wake_up) { (void)wake_up; }
};

}  // namespace periplex::usb
