// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/endpoint.hpp"
#include "usb/speed.hpp"

namespace periplex::usb::device {

/// An endpoint, the same for all speeds; its descriptors at a speed follow from it (USB 2.0 §5.7, §5.8, USB 3.2
/// §9.6.6).
struct EndpointDescription {
  EndpointAddress address;
  TransferType type = TransferType::bulk;
  std::uint16_t payload = 0;   ///< the largest packet in bytes; interrupt only (bulk: what the speed demands)
  Microseconds interval{};     ///< at least so often the host should ask; interrupt only
  std::uint8_t max_burst = 0;  ///< SuperSpeed: packets in a burst, less one
  Bytes class_descriptors;     ///< to stand behind the endpoint's own
};

/// One alternate setting of one interface. Settings of an interface stand together, 0 first.
struct InterfaceDescription {
  std::uint8_t number = 0;
  std::uint8_t alternate_setting = 0;
  std::uint8_t interface_class = 0;
  std::uint8_t interface_subclass = 0;
  std::uint8_t interface_protocol = 0;
  std::string name;         ///< may be empty: no string then
  Bytes class_descriptors;  ///< to stand between the interface's own and its endpoints'
  std::vector<EndpointDescription> endpoints;
};

/// What an emulated device is, for every speed at once. It has one configuration, with the value 1.
struct DeviceDescription {
  static constexpr std::uint8_t kConfigurationValue = 1;

  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t release = 0x0100;  ///< bcdDevice
  std::string manufacturer;
  std::string product;
  std::string serial_number;
  unsigned max_power_ma = 100;
  bool self_powered = false;
  bool remote_wake_up = false;  ///< whether it can ask for it
  std::vector<InterfaceDescription> interfaces;
};

/// Whether such a device may exist at `speed`: at low speed there are no bulk endpoints, and no packets above 8 bytes
/// (USB 2.0 §5.7.3, §5.8.3).
[[nodiscard]] bool runs_at(const DeviceDescription& description, Speed speed);

/// A serial number for the peripheral with the user's name `id`: always the same for the same name, so that a guest
/// recognises it after every restart, and 16 upper-case hexadecimal digits, which every class and every guest accepts
/// (bulk-only storage wants at least 12 of exactly these: USB Mass Storage Bulk-Only 1.0 §4.1.1).
[[nodiscard]] std::string stable_serial_number(std::string_view id);

}  // namespace periplex::usb::device
