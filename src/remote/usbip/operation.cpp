// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/operation.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace periplex::remote::usbip {
namespace {

/// Linux, include/uapi/linux/usb/ch9.h, `enum usb_device_speed`.
enum LinuxSpeed : std::uint32_t { kLow = 1, kFull = 2, kHigh = 3, kWireless = 4, kSuper = 5, kSuperPlus = 6 };

void write_padded_text(ByteWriter& out, std::string_view text, std::size_t size) {
  text = text.substr(0, size - 1);
  out.bytes(as_bytes(text)).zeros(size - text.size());
}

}  // namespace

void encode(ByteWriter& out, const OperationHeader& header) {
  out.be16(header.version).be16(header.code).be32(header.status);
}

void encode(ByteWriter& out, const DeviceRecord& record) {
  write_padded_text(out, record.path, DeviceRecord::kPathSize);
  write_padded_text(out, record.bus_id, DeviceRecord::kBusIdSize);
  out.be32(record.bus_number).be32(record.device_number).be32(record.speed);
  out.be16(record.vendor_id).be16(record.product_id).be16(record.bcd_device);
  out.u8(record.device_class).u8(record.device_subclass).u8(record.device_protocol);
  out.u8(record.configuration_value).u8(record.num_configurations).u8(record.num_interfaces);
}

void encode(ByteWriter& out, const InterfaceRecord& record) {
  out.u8(record.interface_class).u8(record.interface_subclass).u8(record.interface_protocol).u8(0);
}

Bytes encode_device_list_request() {
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::request_device_list)});
  return out.take();
}

Bytes encode_import_request(std::string_view bus_id) {
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::request_import)});
  write_padded_text(out, bus_id, DeviceRecord::kBusIdSize);
  return out.take();
}

OperationHeader read_operation_header(ByteReader& in) {
  OperationHeader header;
  header.version = in.be16();
  header.code = in.be16();
  header.status = in.be32();
  return header;
}

DeviceRecord read_device_record(ByteReader& in) {
  DeviceRecord record;
  record.path = read_padded_text(in, DeviceRecord::kPathSize);
  record.bus_id = read_padded_text(in, DeviceRecord::kBusIdSize);
  record.bus_number = in.be32();
  record.device_number = in.be32();
  record.speed = in.be32();
  record.vendor_id = in.be16();
  record.product_id = in.be16();
  record.bcd_device = in.be16();
  record.device_class = in.u8();
  record.device_subclass = in.u8();
  record.device_protocol = in.u8();
  record.configuration_value = in.u8();
  record.num_configurations = in.u8();
  record.num_interfaces = in.u8();
  return record;
}

InterfaceRecord read_interface_record(ByteReader& in) {
  InterfaceRecord record;
  record.interface_class = in.u8();
  record.interface_subclass = in.u8();
  record.interface_protocol = in.u8();
  in.skip(1);
  return record;
}

std::string read_padded_text(ByteReader& in, std::size_t size) {
  const std::string_view field = as_text(in.take(size));
  return std::string(field.substr(0, field.find('\0')));
}

bool is_bus_id(std::string_view text) {
  return !text.empty() && text.size() < DeviceRecord::kBusIdSize &&
         std::ranges::all_of(
             text,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '.' || c == ':' || c == '_';
             });
}

std::optional<usb::Speed> speed_of(std::uint32_t linux_speed) {
  switch (linux_speed) {
    case kLow:
      return usb::Speed::low;
    case kFull:
      return usb::Speed::full;
    case kHigh:
    case kWireless:
      return usb::Speed::high;
    case kSuper:
    case kSuperPlus:
      return usb::Speed::super;
    default:
      return std::nullopt;
  }
}

std::uint32_t linux_speed(usb::Speed speed) {
  switch (speed) {
    case usb::Speed::low:
      return kLow;
    case usb::Speed::full:
      return kFull;
    case usb::Speed::high:
      return kHigh;
    case usb::Speed::super:
      return kSuper;
    case usb::Speed::super_plus:
      return kSuperPlus;
  }
  return kFull;
}

std::string refusal_text(std::uint32_t status, std::string_view bus_id) {
  switch (static_cast<OperationStatus>(status)) {
    case OperationStatus::busy:
      return fmt::format("{} is in use by somebody else", bus_id);
    case OperationStatus::device_error:
      return fmt::format("{} is in an error state at its server", bus_id);
    case OperationStatus::no_such_device:
      return fmt::format("the server has no {} to give: `usbip list -r HOST` shows what it exports", bus_id);
    case OperationStatus::ok:
    case OperationStatus::not_available:
    case OperationStatus::error:
      break;
  }
  return fmt::format("the server refuses {} (status {}): is it bound there (`usbip bind -b {}`), and not in use?",
                     bus_id, status, bus_id);
}

}  // namespace periplex::remote::usbip
