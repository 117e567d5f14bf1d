// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "usb/speed.hpp"

/// What opens a USB/IP connection: the list of devices, and the import of one (Linux, Documentation/usb/
/// usbip_protocol.rst, "Message Format"; protocol version 1.1.1). All numbers are big-endian.
namespace periplex::remote::usbip {

inline constexpr std::uint16_t kVersion = 0x0111;
inline constexpr std::uint16_t kDefaultPort = 3240;

enum class Operation : std::uint16_t {
  request_import = 0x8003,
  reply_import = 0x0003,
  request_device_list = 0x8005,
  reply_device_list = 0x0005,
};

/// The status of a reply. The protocol's text knows 0 and 1; Linux's usbipd and usbipd-win send the others, too.
enum class OperationStatus : std::uint32_t {
  ok = 0,
  not_available = 1,
  busy = 2,
  device_error = 3,
  no_such_device = 4,
  error = 5,
};

struct OperationHeader {
  static constexpr std::size_t kSize = 8;

  std::uint16_t version = kVersion;
  std::uint16_t code = 0;
  std::uint32_t status = 0;

  [[nodiscard]] bool is(Operation operation) const { return code == static_cast<std::uint16_t>(operation); }
  /// Of 1.x: what the other versions of it would change is not in the messages that are used.
  [[nodiscard]] bool version_is_known() const { return version >> 8 == kVersion >> 8; }
  friend bool operator==(const OperationHeader&, const OperationHeader&) = default;
};

/// One device as both replies describe it.
struct DeviceRecord {
  static constexpr std::size_t kSize = 312;
  static constexpr std::size_t kPathSize = 256;
  static constexpr std::size_t kBusIdSize = 32;  ///< with a NUL at its end

  std::string path;
  std::string bus_id;
  std::uint32_t bus_number = 0;
  std::uint32_t device_number = 0;
  std::uint32_t speed = 0;  ///< Linux's `enum usb_device_speed`
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t bcd_device = 0;
  std::uint8_t device_class = 0;
  std::uint8_t device_subclass = 0;
  std::uint8_t device_protocol = 0;
  std::uint8_t configuration_value = 0;
  std::uint8_t num_configurations = 0;
  std::uint8_t num_interfaces = 0;

  /// What names the device in every command of its connection.
  [[nodiscard]] std::uint32_t device_id() const { return bus_number << 16 | (device_number & 0xffff); }
  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
};

/// An interface, in a list of devices only.
struct InterfaceRecord {
  static constexpr std::size_t kSize = 4;

  std::uint8_t interface_class = 0;
  std::uint8_t interface_subclass = 0;
  std::uint8_t interface_protocol = 0;
  friend bool operator==(const InterfaceRecord&, const InterfaceRecord&) = default;
};

void encode(ByteWriter& out, const OperationHeader& header);
void encode(ByteWriter& out, const DeviceRecord& record);
void encode(ByteWriter& out, const InterfaceRecord& record);
[[nodiscard]] Bytes encode_device_list_request();
[[nodiscard]] Bytes encode_import_request(std::string_view bus_id);

/// Each takes its `kSize` bytes; whether they were there is for `in.ok()` to say.
[[nodiscard]] OperationHeader read_operation_header(ByteReader& in);
[[nodiscard]] DeviceRecord read_device_record(ByteReader& in);
[[nodiscard]] InterfaceRecord read_interface_record(ByteReader& in);
/// The text of a field that is filled up with NULs.
[[nodiscard]] std::string read_padded_text(ByteReader& in, std::size_t size);

/// Whether `text` can be a bus id: "1-1.4", "usbip-vudc.0".
[[nodiscard]] bool is_bus_id(std::string_view text);

/// Empty for a number that is no speed. Wireless USB counts as high speed, SuperSpeedPlus as SuperSpeed: that is what
/// our controllers have.
[[nodiscard]] std::optional<usb::Speed> speed_of(std::uint32_t linux_speed);
[[nodiscard]] std::uint32_t linux_speed(usb::Speed speed);

/// Why an import was refused, for people.
[[nodiscard]] std::string refusal_text(std::uint32_t status, std::string_view bus_id);

}  // namespace periplex::remote::usbip
