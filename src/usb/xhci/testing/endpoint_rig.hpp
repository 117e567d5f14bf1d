// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci::testing {

/// A rig with one high-speed device that is addressed and configured: bulk OUT and IN, and an interrupt IN endpoint.
class EndpointRig : public Rig {
 public:
  static constexpr unsigned kOut = 2;  // DCI of endpoint 1 OUT
  static constexpr unsigned kIn = 3;
  static constexpr unsigned kInterrupt = 5;
  static constexpr std::array<EndpointSetup, 3> kEndpoints{
      EndpointSetup{.dci = kOut, .type = 2}, EndpointSetup{.dci = kIn, .type = 6},
      EndpointSetup{.dci = kInterrupt, .type = 7, .max_packet_size = 8, .interval = 4}};

  explicit EndpointRig(const Driver::Options& options = {}) : Rig(options) {
    driver.start();
    slot = address(device);
    (void)driver.configure(slot, kEndpoints);
    (void)driver.drain();
    device.submitted = 0;  // without the SET_ADDRESS
    device.opened.clear();
  }
  ~EndpointRig() override {
    if (plugged) controller.detach(device);
  }

  void unplug() {
    plugged = false;
    controller.detach(device);
  }
  /// Queues one Normal TRB and rings. Returns its address.
  GuestAddress transfer(unsigned dci, std::uint32_t length, std::uint32_t flags = flag::kIoc) {
    const GuestAddress trb = driver.queue(slot, dci, normal(data, length, flags));
    driver.ring(slot, dci);
    return trb;
  }
  [[nodiscard]] unsigned state(unsigned dci) const { return driver.endpoint_state(slot, dci); }

  usb::testing::FakeDevice device{time, Speed::high};
  unsigned slot = 0;
  bool plugged = true;
  GuestAddress data = ram.allocate(0x10000);
};

}  // namespace periplex::usb::xhci::testing
