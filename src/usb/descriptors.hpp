// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "usb/endpoint.hpp"

/// The standard descriptors (USB 2.0 §9.6, USB 3.2 §9.6) as values, their encodings, and a parser for those of others.
///
/// Values have the fields of the tables in the tables' order, without bLength and bDescriptorType. `encode` appends.
namespace periplex::usb {

/// bDescriptorType (USB 2.0 table 9-5, USB 3.2 table 9-6).
enum class DescriptorType : std::uint8_t {
  device = 1,
  configuration = 2,
  string = 3,
  interface = 4,
  endpoint = 5,
  device_qualifier = 6,
  other_speed_configuration = 7,
  interface_association = 11,
  bos = 15,
  device_capability = 16,
  superspeed_endpoint_companion = 48,
};

/// USB 2.0 table 9-8, USB 3.2 table 9-11.
struct DeviceDescriptor {
  static constexpr std::size_t kSize = 18;

  std::uint16_t bcd_usb = 0;
  std::uint8_t device_class = 0;
  std::uint8_t device_subclass = 0;
  std::uint8_t device_protocol = 0;
  std::uint8_t max_packet_size0 = 0;  ///< bytes; an exponent of 2 from USB 3 on
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t bcd_device = 0;
  std::uint8_t manufacturer = 0;  ///< index of a string, as the next two
  std::uint8_t product = 0;
  std::uint8_t serial_number = 0;
  std::uint8_t num_configurations = 1;

  friend bool operator==(const DeviceDescriptor&, const DeviceDescriptor&) = default;
};

/// bmAttributes of a configuration (USB 2.0 table 9-10).
inline constexpr std::uint8_t kConfigurationReservedOne = 0x80;
inline constexpr std::uint8_t kConfigurationSelfPowered = 0x40;
inline constexpr std::uint8_t kConfigurationRemoteWakeUp = 0x20;

/// The header of a configuration (USB 2.0 table 9-10) or other-speed configuration (table 9-11).
struct ConfigurationDescriptor {
  static constexpr std::size_t kSize = 9;

  std::uint16_t total_length = 0;
  std::uint8_t num_interfaces = 0;
  std::uint8_t value = 1;
  std::uint8_t name = 0;  ///< index of a string
  std::uint8_t attributes = kConfigurationReservedOne;
  std::uint8_t max_power = 0;  ///< in 2 mA; in 8 mA from USB 3 on

  friend bool operator==(const ConfigurationDescriptor&, const ConfigurationDescriptor&) = default;
};

/// USB 2.0 table 9-12.
struct InterfaceDescriptor {
  static constexpr std::size_t kSize = 9;

  std::uint8_t number = 0;
  std::uint8_t alternate_setting = 0;
  std::uint8_t num_endpoints = 0;
  std::uint8_t interface_class = 0;
  std::uint8_t interface_subclass = 0;
  std::uint8_t interface_protocol = 0;
  std::uint8_t name = 0;  ///< index of a string

  friend bool operator==(const InterfaceDescriptor&, const InterfaceDescriptor&) = default;
};

/// USB 2.0 table 9-13.
struct EndpointDescriptor {
  static constexpr std::size_t kSize = 7;

  EndpointAddress address;
  std::uint8_t attributes = 0;
  std::uint16_t max_packet_size = 0;
  std::uint8_t interval = 0;

  [[nodiscard]] TransferType type() const { return static_cast<TransferType>(attributes & 3); }
  friend bool operator==(const EndpointDescriptor&, const EndpointDescriptor&) = default;
};

/// USB 3.2 table 9-28.
struct SuperSpeedCompanion {
  static constexpr std::size_t kSize = 6;

  std::uint8_t max_burst = 0;  ///< packets in a burst, less one
  std::uint8_t attributes = 0;
  std::uint16_t bytes_per_interval = 0;

  friend bool operator==(const SuperSpeedCompanion&, const SuperSpeedCompanion&) = default;
};

/// The USB 2.0 Extension capability (USB 3.2 table 9-15).
struct Usb20Extension {
  std::uint32_t attributes = 0;
};
/// The SuperSpeed USB Device Capability (USB 3.2 table 9-16).
struct SuperSpeedCapability {
  std::uint8_t attributes = 0;
  std::uint16_t speeds_supported = 0;  ///< bit 0 low … bit 3 5 Gbit/s
  std::uint8_t functionality_support = 0;
  std::uint8_t u1_exit_latency = 0;   ///< µs
  std::uint16_t u2_exit_latency = 0;  ///< µs
};

void encode(ByteWriter& out, const DeviceDescriptor& descriptor);
/// `type` is `configuration` or `other_speed_configuration`.
void encode(ByteWriter& out, const ConfigurationDescriptor& descriptor,
            DescriptorType type = DescriptorType::configuration);
void encode(ByteWriter& out, const InterfaceDescriptor& descriptor);
void encode(ByteWriter& out, const EndpointDescriptor& descriptor);
void encode(ByteWriter& out, const SuperSpeedCompanion& descriptor);

/// What `descriptor` is at the other speed (USB 2.0 table 9-9).
[[nodiscard]] Bytes encode_device_qualifier(const DeviceDescriptor& descriptor);
/// UTF-16LE of `utf8`, cut to the 126 code units that bLength can express; broken UTF-8 becomes U+FFFD.
[[nodiscard]] Bytes encode_string(std::string_view utf8);
/// String descriptor zero (USB 2.0 table 9-15).
[[nodiscard]] Bytes encode_language_ids(std::span<const std::uint16_t> ids);
/// The Binary Device Object Store with these two capabilities (USB 3.2 §9.6.2).
[[nodiscard]] Bytes encode_bos(const Usb20Extension& usb20, const SuperSpeedCapability& superspeed);

/// Why bytes are no descriptors.
enum class DescriptorError : std::uint8_t {
  truncated,   ///< a descriptor reaches past the end, or past wTotalLength
  bad_length,  ///< bLength is below 2, or too small for its type
  wrong_type,  ///< another type stands where this one must
  misplaced,   ///< an endpoint without an interface before it, a companion without an endpoint
};

/// One descriptor among others; `bytes` include bLength and bDescriptorType.
struct DescriptorView {
  std::uint8_t type = 0;
  ByteView bytes;

  [[nodiscard]] bool is(DescriptorType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
};

/// Takes the first descriptor off `rest`. `rest` must not be empty.
[[nodiscard]] std::expected<DescriptorView, DescriptorError> take_descriptor(ByteView& rest);

/// Calls `visit(DescriptorView)` for each descriptor of `bytes` in order; stops at the first that is broken.
template <typename Visit>
[[nodiscard]] std::expected<void, DescriptorError> for_each_descriptor(ByteView bytes, Visit visit) {
  while (!bytes.empty()) {
    const auto descriptor = take_descriptor(bytes);
    if (!descriptor) return std::unexpected(descriptor.error());
    visit(*descriptor);
  }
  return {};
}

/// Each takes one whole descriptor. Longer ones than the tables' are read as far as the tables go (§9.5).
[[nodiscard]] std::expected<DeviceDescriptor, DescriptorError> parse_device(ByteView bytes);
[[nodiscard]] std::expected<EndpointDescriptor, DescriptorError> parse_endpoint(ByteView bytes);

/// An endpoint of a parsed configuration.
struct ParsedEndpoint {
  EndpointDescriptor descriptor;
  std::optional<SuperSpeedCompanion> companion;
};
/// One alternate setting of an interface, with what its class put between the standard descriptors.
struct ParsedInterface {
  InterfaceDescriptor descriptor;
  std::vector<ParsedEndpoint> endpoints;
  Bytes class_descriptors;
};
struct ParsedConfiguration {
  ConfigurationDescriptor descriptor;
  std::vector<ParsedInterface> interfaces;

  /// Endpoint `address` in alternate setting 0 of whichever interface has it.
  [[nodiscard]] const ParsedEndpoint* find_endpoint(EndpointAddress address) const;
};

/// A whole (other-speed) configuration as GET_DESCRIPTOR returns it. Bytes after wTotalLength are ignored. The counts
/// that the descriptors claim are not trusted: what is there counts.
[[nodiscard]] std::expected<ParsedConfiguration, DescriptorError> parse_configuration(ByteView bytes);

}  // namespace periplex::usb
