// SPDX-License-Identifier: Apache-2.0
#include "host/usb/interface_claims.hpp"

namespace periplex::host {
namespace {

constexpr int kUnconfigured = -1;  // libusb's word for it

}  // namespace

int InterfaceClaims::detach_driver(UsbHandle& handle, std::uint8_t interface) {
  if (handle.kernel_driver_active(interface) != 1) return 0;
  const int result = handle.detach_kernel_driver(interface);
  if (result == 0) detached_.insert(interface);
  // Somebody else has detached it meanwhile: then it is not ours to give back.
  return result == LIBUSB_ERROR_NOT_FOUND ? 0 : result;
}

int InterfaceClaims::claim_one(UsbHandle& handle, std::uint8_t interface) {
  int result = LIBUSB_ERROR_BUSY;
  // A driver may be loaded, and take the interface, between the two calls: once more then.
  for (int attempt = 0; attempt < 2 && result == LIBUSB_ERROR_BUSY; ++attempt) {
    if (const int detached = detach_driver(handle, interface); detached != 0) return detached;
    result = handle.claim(interface);
  }
  if (result == 0) claimed_.insert(interface);
  return result;
}

int InterfaceClaims::claim(UsbHandle& handle, const std::vector<std::uint8_t>& interfaces) {
  for (const std::uint8_t interface : interfaces) {
    const int result = claim_one(handle, interface);
    if (result == 0) continue;
    give_back(handle);
    return result;
  }
  return 0;
}

void InterfaceClaims::release_all(UsbHandle& handle) {
  for (const std::uint8_t interface : claimed_) (void)handle.release(interface);
  claimed_.clear();
}

int InterfaceClaims::choose_configuration(UsbHandle& handle, std::uint8_t value, const std::vector<std::uint8_t>& from,
                                          const std::vector<std::uint8_t>& to) {
  release_all(handle);
  for (const std::uint8_t interface : from) (void)detach_driver(handle, interface);
  const int result = handle.set_configuration(value == 0 ? kUnconfigured : value);
  if (result == 0 && value != current_) {
    current_ = value;
    detached_.clear();  // those interfaces are no more
  }
  for (const std::uint8_t interface : result == 0 ? to : from) {
    const int claimed = claim_one(handle, interface);
    if (claimed != 0 && result == 0) return claimed;
  }
  return result;
}

void InterfaceClaims::give_back(UsbHandle& handle) {
  release_all(handle);
  if (current_ != original_) {
    // The kernel lets its drivers look at the interfaces of a configuration that it is asked for.
    if (handle.set_configuration(original_ == 0 ? kUnconfigured : original_) == 0) {
      current_ = original_;
      detached_.clear();
      return;
    }
  }
  for (const std::uint8_t interface : detached_) (void)handle.attach_kernel_driver(interface);
  detached_.clear();
}

}  // namespace periplex::host
