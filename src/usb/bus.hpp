// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "base/strong_id.hpp"
#include "usb/device.hpp"
#include "usb/endpoint_counters.hpp"

namespace periplex::usb {

using PortNumber = StrongId<struct PortNumberTag, unsigned>;

enum class AttachError : std::uint8_t {
  no_free_port,       ///< all ports that can run the device's speed are taken
  speed_unsupported,  ///< no port of this controller runs the device's speed
};

/// The root ports of a controller, for whoever plugs devices in and out.
class Bus {
 public:
  virtual ~Bus() = default;
  /// Plugs `device` into a free port that runs its speed. It must stay alive until it has been detached.
  [[nodiscard]] virtual std::expected<PortNumber, AttachError> attach(Device& device) = 0;
  /// Unplugs it. The guest sees the port empty and its transfers fail; the device is not called any more after this
  /// returns, and may be destroyed.
  virtual void detach(Device& device) = 0;

  /// Visits what each endpoint of `device`, which is attached, has done since the guest configured it.
  virtual void for_each_endpoint(const Device& device, const VisitEndpoint& visit) const = 0;
};

}  // namespace periplex::usb
