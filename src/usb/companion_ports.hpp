// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/bus.hpp"

namespace periplex::usb {

/// The root ports of a companion controller (EHCI 1.0 §4.2): somebody else decides which device stands at which port.
class CompanionPorts : public Bus {
 public:
  /// Plugs `device`, which is low- or full-speed, into `port`, which is free.
  virtual void attach_at(PortNumber port, Device& device) = 0;
};

/// One of them: where a port of an EHCI controller leads while it does not own the port itself.
struct CompanionPort {
  CompanionPorts* controller = nullptr;
  PortNumber port;
};

}  // namespace periplex::usb
