// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "usb/descriptors.hpp"
#include "usb/speed.hpp"

namespace periplex::host {

/// Where a device is on this computer now: the numbers of its file below /dev/bus/usb. A device that is plugged in
/// again, or that is given a new address, has others.
struct UsbLocation {
  std::uint8_t bus = 0;
  std::uint8_t address = 0;
  friend auto operator<=>(const UsbLocation&, const UsbLocation&) = default;
};

/// What a device says of itself: its device descriptor and its configurations, as far as they can be read.
struct UsbDescriptors {
  usb::DeviceDescriptor device;
  std::vector<usb::ParsedConfiguration> configurations;
};

/// Reads the kernel's file `descriptors` of a device: the device descriptor, and after it all configurations. Their
/// wTotalLength is not trusted, because the kernel leaves broken descriptors out without correcting it; a configuration
/// that cannot be read ends the list. Empty if there is no device descriptor.
[[nodiscard]] std::expected<UsbDescriptors, usb::DescriptorError> parse_descriptor_file(ByteView bytes);

/// A USB device of this computer, as the kernel describes it in sysfs: nothing has been opened, and the device has not
/// been asked.
struct UsbDescription {
  UsbLocation location;
  std::string port;  ///< bus and ports on the way to it, "1-2.3": the same for whatever is plugged in there
  usb::Speed speed = usb::Speed::full;
  UsbDescriptors descriptors;
  std::uint8_t active_configuration = 0;  ///< bConfigurationValue; 0: none
  std::string manufacturer;               ///< this and the next two may be empty
  std::string product;
  std::string serial_number;
  std::vector<std::string> drivers;  ///< the kernel's drivers that have its interfaces
};

enum class UsbDescriptionError : std::uint8_t {
  gone,        ///< there is no such device, or not any more
  unreadable,  ///< its descriptors are not
};

/// Where the kernel describes USB devices.
inline constexpr std::string_view kUsbSysfs = "/sys/bus/usb/devices";

/// The device at `port`, described below `sysfs`.
[[nodiscard]] std::expected<UsbDescription, UsbDescriptionError> read_description(
    std::string_view port, const std::filesystem::path& sysfs = kUsbSysfs);

/// "1-2.3"; of a root hub "usb1". `ports` may be empty.
[[nodiscard]] std::string port_name(std::uint8_t bus, std::span<const std::uint8_t> ports);

}  // namespace periplex::host
