// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "usb/device.hpp"

namespace periplex::usb::batching {

/// Which device answers at which address of a bus (USB 2.0 §9.1.1): 0 after its port was reset and enabled, then the
/// one that SET_ADDRESS gave it, nowhere while its port is not enabled.
class BusAddresses {
 public:
  static constexpr unsigned kAddresses = 128;

  [[nodiscard]] Device* at(unsigned address) const { return devices_[address % kAddresses]; }
  /// The port of `device` has been reset and enabled.
  void enable(Device& device) { move(device, 0); }
  /// SET_ADDRESS has succeeded. A device that was there before answers no more.
  void assign(Device& device, unsigned address) { move(device, address % kAddresses); }
  /// The port of `device` is no longer enabled.
  void disable(const Device& device) {
    for (Device*& entry : devices_) {
      if (entry == &device) entry = nullptr;
    }
  }

 private:
  void move(Device& device, unsigned address) {
    disable(device);
    devices_[address] = &device;
  }

  std::array<Device*, kAddresses> devices_{};
};

}  // namespace periplex::usb::batching
