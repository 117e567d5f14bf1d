// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "host/usb/handle.hpp"

namespace periplex::host {

/// Takes a device's interfaces from the kernel's drivers, and gives them back as they were.
///
/// Its calls wait for the device: they belong on the call thread, one at a time. All return libusb's codes.
class InterfaceClaims {
 public:
  /// `original` is the configuration the device was found in; 0: none.
  explicit InterfaceClaims(std::uint8_t original) : original_(original), current_(original) {}

  /// Claims all of `interfaces`; a driver that has one is detached. On failure nothing stays claimed.
  int claim(UsbHandle& handle, const std::vector<std::uint8_t>& interfaces);

  /// Chooses configuration `value` (0: none), whose interfaces are `to` and which replaces one with the interfaces
  /// `from`. The kernel refuses that while anybody has an interface, and lets its drivers look at the new ones: so all
  /// are let go first, and claimed afterwards. On failure what was claimed is claimed again.
  int choose_configuration(UsbHandle& handle, std::uint8_t value, const std::vector<std::uint8_t>& from,
                           const std::vector<std::uint8_t>& to);

  /// Lets everything go, in the configuration the device was found in, and attaches the drivers that were detached.
  void give_back(UsbHandle& handle);

 private:
  int claim_one(UsbHandle& handle, std::uint8_t interface);
  int detach_driver(UsbHandle& handle, std::uint8_t interface);
  void release_all(UsbHandle& handle);

  const std::uint8_t original_;
  std::uint8_t current_;
  std::set<std::uint8_t> claimed_;
  std::set<std::uint8_t> detached_;  // in the current configuration: a driver was there, and is not now
};

}  // namespace periplex::host
