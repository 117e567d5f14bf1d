// SPDX-License-Identifier: Apache-2.0
#include "usb/device/descriptor_set.hpp"

#include <algorithm>
#include <bit>

namespace periplex::usb::device {
namespace {

constexpr std::uint16_t kEnglishUnitedStates = 0x0409;

// Class, subclass and protocol of a device with interface associations (IAD ECN, table 1-1).
constexpr std::uint8_t kMiscellaneous = 0xef;
constexpr std::uint8_t kCommonClass = 0x02;
constexpr std::uint8_t kInterfaceAssociation = 0x01;

std::uint16_t bcd_usb(Speed speed) {
  switch (speed) {
    case Speed::low:
      return 0x0110;
    case Speed::full:
    case Speed::high:
      return 0x0200;
    case Speed::super:
    case Speed::super_plus:
      return 0x0320;
  }
  return 0;
}

/// USB 2.0 §5.5.3; from USB 3 on the exponent of 512 (USB 3.2 §9.6.1).
std::uint8_t max_packet_size0(Speed speed) {
  switch (speed) {
    case Speed::low:
      return 8;
    case Speed::full:
    case Speed::high:
      return 64;
    case Speed::super:
    case Speed::super_plus:
      return 9;
  }
  return 0;
}

/// bInterval of an interrupt endpoint: frames of 1 ms at low and full speed, the exponent of 125 µs microframes plus
/// one above (USB 2.0 table 9-13). Never longer than asked for, except that low speed knows none below 10 ms (§5.7.4).
std::uint8_t interrupt_interval(Microseconds interval, Speed speed) {
  if (speed == Speed::low || speed == Speed::full) {
    const auto frames = interval / std::chrono::milliseconds(1);
    return static_cast<std::uint8_t>(std::clamp<long>(frames, speed == Speed::low ? 10 : 1, 255));
  }
  const auto microframes = static_cast<std::uint64_t>(std::max<long>(interval / Microseconds(125), 1));
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(std::bit_width(microframes)), 1, 16));
}

/// bInterval of an isochronous endpoint: the exponent of 2 of frames, or of microframes above full speed, plus one
/// (USB 2.0 table 9-13).
std::uint8_t isochronous_interval(Microseconds interval, Speed speed) {
  const Microseconds unit(speed == Speed::full ? 1000 : 125);
  const auto units = static_cast<std::uint64_t>(std::max<long>(interval / unit, 1));
  return static_cast<std::uint8_t>(std::min(static_cast<int>(std::bit_width(units)), 16));
}

/// bInterval, which bulk endpoints do not use.
std::uint8_t encoded_interval(const EndpointDescription& endpoint, Speed speed) {
  switch (endpoint.type) {
    case TransferType::isochronous:
      return isochronous_interval(endpoint.interval, speed);
    case TransferType::interrupt:
      return interrupt_interval(endpoint.interval, speed);
    case TransferType::control:
    case TransferType::bulk:
      break;
  }
  return 0;
}

std::uint8_t max_power(unsigned milliamperes, Speed speed) {
  const unsigned unit = is_usb3(speed) ? 8 : 2;
  return static_cast<std::uint8_t>(std::min((milliamperes + unit - 1) / unit, 255u));
}

void encode_endpoint(ByteWriter& out, const EndpointDescription& endpoint, Speed speed) {
  const bool bulk = endpoint.type == TransferType::bulk;
  const auto payload = static_cast<std::uint16_t>(periodic_payload(endpoint, speed));
  const auto synchronization = static_cast<unsigned>(endpoint.synchronization) << 2;
  ByteWriter own;
  encode(own, EndpointDescriptor{
                  .address = endpoint.address,
                  .attributes = static_cast<std::uint8_t>(static_cast<unsigned>(endpoint.type) | synchronization),
                  .max_packet_size = bulk ? bulk_packet(speed) : payload,
                  .interval = encoded_interval(endpoint, speed),
              });
  // bLength counts what a class has added.
  const ByteView fields = own.view().subspan(1);
  out.u8(static_cast<std::uint8_t>(own.size() + endpoint.extension.size())).bytes(fields).bytes(endpoint.extension);
  if (is_usb3(speed)) {
    encode(out, SuperSpeedCompanion{
                    .max_burst = endpoint.max_burst,
                    .attributes = bulk ? endpoint.stream_exponent : std::uint8_t{0},
                    .bytes_per_interval = bulk ? std::uint16_t{0} : payload,
                });
  }
  out.bytes(endpoint.class_descriptors);
}

/// A SuperSpeed device must be able to run at a USB 2.0 speed, with LPM (USB 3.2 §9.6.2.1, §9.6.2.2); ours can be
/// attached at any. The exit latencies are those of other software devices: no link sleeps here.
Bytes binary_object_store() {
  return encode_bos({.attributes = 1u << 1}, {.attributes = 0,
                                              .speeds_supported = 0x000e,
                                              .functionality_support = 1,
                                              .u1_exit_latency = 0x0a,
                                              .u2_exit_latency = 0x20});
}

}  // namespace

std::uint16_t bulk_packet(Speed speed) {
  switch (speed) {
    case Speed::low:
      return 0;
    case Speed::full:
      return 64;
    case Speed::high:
      return 512;
    case Speed::super:
    case Speed::super_plus:
      return 1024;
  }
  return 0;
}

DescriptorSet::DescriptorSet(const DeviceDescription& description, Speed speed) {
  add(DescriptorType::device, 0, device(description, speed));
  add(DescriptorType::configuration, 0, configuration(description, speed, DescriptorType::configuration));
  // A device that runs at full speed stands for a full-speed-only one, which has no qualifier (USB 2.0 §9.6.2). If it
  // gave one, guests would tell their users to look for a faster port.
  if (speed == Speed::high) {
    const DeviceDescriptor other = parse_device(device(description, Speed::full)).value();
    add(DescriptorType::device_qualifier, 0, encode_device_qualifier(other));
    add(DescriptorType::other_speed_configuration, 0,
        configuration(description, Speed::full, DescriptorType::other_speed_configuration));
  }
  if (is_usb3(speed)) add(DescriptorType::bos, 0, binary_object_store());
  if (!strings_.empty()) add(DescriptorType::string, 0, encode_language_ids({{kEnglishUnitedStates}}));
  for (std::size_t i = 0; i < strings_.size(); ++i) {
    add(DescriptorType::string, static_cast<std::uint8_t>(i + 1), encode_string(strings_[i]));
  }
}

std::optional<ByteView> DescriptorSet::find(std::uint16_t value) const {
  const auto found = by_value_.find(value);
  if (found == by_value_.end()) return std::nullopt;
  return ByteView(found->second);
}

void DescriptorSet::add(DescriptorType type, std::uint8_t index, Bytes bytes) {
  by_value_[static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8 | index)] = std::move(bytes);
}

std::uint8_t DescriptorSet::string_index(const std::string& text) {
  if (text.empty()) return 0;
  auto found = std::ranges::find(strings_, text);
  if (found == strings_.end()) found = strings_.insert(strings_.end(), text);
  return static_cast<std::uint8_t>(found - strings_.begin() + 1);
}

Bytes DescriptorSet::device(const DeviceDescription& description, Speed speed) {
  ByteWriter out;
  const bool associated = !description.associations.empty();
  encode(out, DeviceDescriptor{
                  .bcd_usb = bcd_usb(speed),
                  .device_class = associated ? kMiscellaneous : std::uint8_t{0},
                  .device_subclass = associated ? kCommonClass : std::uint8_t{0},
                  .device_protocol = associated ? kInterfaceAssociation : std::uint8_t{0},
                  .max_packet_size0 = max_packet_size0(speed),
                  .vendor_id = description.vendor_id,
                  .product_id = description.product_id,
                  .bcd_device = description.release,
                  .manufacturer = string_index(description.manufacturer),
                  .product = string_index(description.product),
                  .serial_number = string_index(description.serial_number),
                  .num_configurations = 1,
              });
  return out.take();
}

Bytes DescriptorSet::configuration(const DeviceDescription& description, Speed speed, DescriptorType type) {
  ByteWriter interfaces;
  std::uint8_t count = 0;
  for (const InterfaceDescription& each : description.interfaces) {
    if (each.alternate_setting == 0) {
      ++count;
      for (const AssociationDescription& function : description.associations) {
        if (function.first_interface == each.number) association(interfaces, function);
      }
    }
    interface(interfaces, each, speed);
  }
  std::uint8_t attributes = kConfigurationReservedOne;
  if (description.self_powered) attributes |= kConfigurationSelfPowered;
  if (description.remote_wake_up) attributes |= kConfigurationRemoteWakeUp;
  ByteWriter out;
  encode(out,
         ConfigurationDescriptor{
             .total_length = static_cast<std::uint16_t>(ConfigurationDescriptor::kSize + interfaces.size()),
             .num_interfaces = count,
             .value = DeviceDescription::kConfigurationValue,
             .attributes = attributes,
             .max_power = max_power(description.max_power_ma, speed),
         },
         type);
  out.bytes(interfaces.view());
  return out.take();
}

/// Figure 9-Z of the ECN.
void DescriptorSet::association(ByteWriter& out, const AssociationDescription& description) {
  constexpr std::uint8_t kSize = 8;
  out.u8(kSize).u8(static_cast<std::uint8_t>(DescriptorType::interface_association));
  out.u8(description.first_interface).u8(description.count);
  out.u8(description.function_class).u8(description.function_subclass).u8(description.function_protocol);
  out.u8(string_index(description.name));
}

void DescriptorSet::interface(ByteWriter& out, const InterfaceDescription& description, Speed speed) {
  encode(out, InterfaceDescriptor{
                  .number = description.number,
                  .alternate_setting = description.alternate_setting,
                  .num_endpoints = static_cast<std::uint8_t>(description.endpoints.size()),
                  .interface_class = description.interface_class,
                  .interface_subclass = description.interface_subclass,
                  .interface_protocol = description.interface_protocol,
                  .name = string_index(description.name),
              });
  out.bytes(description.class_descriptors);
  for (const EndpointDescription& endpoint : description.endpoints) encode_endpoint(out, endpoint, speed);
}

}  // namespace periplex::usb::device
