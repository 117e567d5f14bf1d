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

/// bmAttributes bits 3:2 of an isochronous endpoint (USB 2.0 table 9-13, §5.12.4).
enum class Synchronization : std::uint8_t { none = 0, asynchronous = 1, adaptive = 2, synchronous = 3 };

/// An endpoint, the same for all speeds; its descriptors at a speed follow from it (USB 2.0 §5.6 – §5.8, USB 3.2
/// §9.6.6).
struct EndpointDescription {
  EndpointAddress address;
  TransferType type = TransferType::bulk;
  /// The largest packet in bytes; periodic endpoints only (bulk: what the speed demands). An isochronous one that asks
  /// for more than one packet in a frame gets so many times more where a frame has only one.
  std::uint16_t payload = 0;
  Microseconds interval{};                                  ///< at least so often the host should ask; periodic only
  std::uint8_t max_burst = 0;                               ///< SuperSpeed: packets in a burst, less one
  std::uint8_t stream_exponent = 0;                         ///< SuperSpeed bulk: 2^n streams, from 1 on; 0 for none
  Synchronization synchronization = Synchronization::none;  ///< isochronous only
  /// What a class adds to the end of the endpoint's own descriptor (USB Audio 1.0 §4.6.1.1: two bytes).
  Bytes extension;
  Bytes class_descriptors;  ///< to stand behind the endpoint's own
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

/// Interfaces that belong together and are one function (USB ECN "Interface Association Descriptors").
struct AssociationDescription {
  std::uint8_t first_interface = 0;
  std::uint8_t count = 0;
  std::uint8_t function_class = 0;
  std::uint8_t function_subclass = 0;
  std::uint8_t function_protocol = 0;
  std::string name;  ///< may be empty: no string then
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
  /// Each is told of before its first interface. A device with some is marked as the ECN wants it.
  std::vector<AssociationDescription> associations;
  std::vector<InterfaceDescription> interfaces;
};

/// Whether such a device may exist at `speed`: at low speed there are no bulk endpoints, and no packets above 8 bytes
/// (USB 2.0 §5.7.3, §5.8.3); isochronous packets have at most 1023 bytes at full speed (§5.6.3), and here at most 1024
/// above.
[[nodiscard]] bool runs_at(const DeviceDescription& description, Speed speed);

/// The largest packet of a periodic `endpoint` at `speed`, in bytes.
[[nodiscard]] std::uint32_t periodic_payload(const EndpointDescription& endpoint, Speed speed);

/// A serial number for the peripheral with the user's name `id`: always the same for the same name, so that a guest
/// recognises it after every restart, and 16 upper-case hexadecimal digits, which every class and every guest accepts
/// (bulk-only storage wants at least 12 of exactly these: USB Mass Storage Bulk-Only 1.0 §4.1.1).
[[nodiscard]] std::string stable_serial_number(std::string_view id);

}  // namespace periplex::usb::device
