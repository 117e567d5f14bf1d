// SPDX-License-Identifier: Apache-2.0
#include "usb/device/device_description.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace periplex::usb::device {

bool runs_at(const DeviceDescription& description, Speed speed) {
  if (speed != Speed::low) return true;
  const auto fits = [](const EndpointDescription& endpoint) {
    return endpoint.type == TransferType::interrupt && endpoint.payload <= 8;
  };
  return std::ranges::all_of(description.interfaces, [&](const InterfaceDescription& interface) {
    return std::ranges::all_of(interface.endpoints, fits);
  });
}

std::string stable_serial_number(std::string_view id) {
  // FNV-1a, 64 bit: it must give the same number for ever, which std::hash does not promise.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return fmt::format("{:016X}", hash);
}

}  // namespace periplex::usb::device
