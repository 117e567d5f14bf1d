// SPDX-License-Identifier: Apache-2.0
#include "usb/device/device_description.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace periplex::usb::device {
namespace {

constexpr Microseconds kFrame{1000};
constexpr std::uint32_t kMaxFullSpeedPacket = 1023;  // isochronous: USB 2.0 §5.6.3
constexpr std::uint32_t kMaxPacket = 1024;

}  // namespace

bool runs_at(const DeviceDescription& description, Speed speed) {
  const auto fits = [speed](const EndpointDescription& endpoint) {
    if (speed == Speed::low) return endpoint.type == TransferType::interrupt && endpoint.payload <= 8;
    if (endpoint.type != TransferType::isochronous) return true;
    return periodic_payload(endpoint, speed) <= (speed == Speed::full ? kMaxFullSpeedPacket : kMaxPacket);
  };
  return std::ranges::all_of(description.interfaces, [&](const InterfaceDescription& interface) {
    return std::ranges::all_of(interface.endpoints, fits);
  });
}

std::uint32_t periodic_payload(const EndpointDescription& endpoint, Speed speed) {
  const bool one_a_frame = speed == Speed::low || speed == Speed::full;
  const bool wants_more = endpoint.type == TransferType::isochronous && endpoint.interval > Microseconds(0);
  if (!one_a_frame || !wants_more) return endpoint.payload;
  return endpoint.payload * static_cast<std::uint32_t>(std::max<Microseconds::rep>(kFrame / endpoint.interval, 1));
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
