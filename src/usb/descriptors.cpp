// SPDX-License-Identifier: Apache-2.0
#include "usb/descriptors.hpp"

#include <algorithm>

namespace periplex::usb {
namespace {

/// bLength and bDescriptorType, which every descriptor begins with.
ByteWriter& header(ByteWriter& out, std::size_t length, DescriptorType type) {
  return out.u8(static_cast<std::uint8_t>(length)).u8(static_cast<std::uint8_t>(type));
}

constexpr std::size_t kHeaderSize = 2;
constexpr std::size_t kMaxLength = 255;
constexpr std::size_t kQualifierSize = 10;

/// bDevCapabilityType (USB 3.2 table 9-14).
constexpr std::uint8_t kCapabilityUsb20Extension = 2;
constexpr std::uint8_t kCapabilitySuperSpeed = 3;
constexpr std::size_t kBosSize = 5;
constexpr std::size_t kUsb20ExtensionSize = 7;
constexpr std::size_t kSuperSpeedCapabilitySize = 10;

constexpr char32_t kReplacement = 0xfffd;

/// Takes one code point off `text`, which is not empty.
char32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (lead < 0x80) return lead;
  const unsigned length = lead >= 0xf0 && lead < 0xf5   ? 3
                          : lead >= 0xe0 && lead < 0xf0 ? 2
                          : lead >= 0xc2 && lead < 0xe0 ? 1
                                                        : 0;
  if (length == 0 || text.size() < length) return kReplacement;
  char32_t code = lead & (0x3fu >> length);
  for (unsigned i = 0; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return kReplacement;
    code = code << 6 | (next & 0x3fu);
  }
  text.remove_prefix(length);
  constexpr char32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kSmallest[length] || code > 0x10ffff || surrogate ? kReplacement : code;
}

}  // namespace

void encode(ByteWriter& out, const DeviceDescriptor& d) {
  header(out, DeviceDescriptor::kSize, DescriptorType::device)
      .le16(d.bcd_usb)
      .u8(d.device_class)
      .u8(d.device_subclass)
      .u8(d.device_protocol)
      .u8(d.max_packet_size0)
      .le16(d.vendor_id)
      .le16(d.product_id)
      .le16(d.bcd_device)
      .u8(d.manufacturer)
      .u8(d.product)
      .u8(d.serial_number)
      .u8(d.num_configurations);
}

void encode(ByteWriter& out, const ConfigurationDescriptor& d, DescriptorType type) {
  header(out, ConfigurationDescriptor::kSize, type)
      .le16(d.total_length)
      .u8(d.num_interfaces)
      .u8(d.value)
      .u8(d.name)
      .u8(d.attributes)
      .u8(d.max_power);
}

void encode(ByteWriter& out, const InterfaceDescriptor& d) {
  header(out, InterfaceDescriptor::kSize, DescriptorType::interface)
      .u8(d.number)
      .u8(d.alternate_setting)
      .u8(d.num_endpoints)
      .u8(d.interface_class)
      .u8(d.interface_subclass)
      .u8(d.interface_protocol)
      .u8(d.name);
}

void encode(ByteWriter& out, const EndpointDescriptor& d) {
  header(out, EndpointDescriptor::kSize, DescriptorType::endpoint)
      .u8(d.address.value)
      .u8(d.attributes)
      .le16(d.max_packet_size)
      .u8(d.interval);
}

void encode(ByteWriter& out, const SuperSpeedCompanion& d) {
  header(out, SuperSpeedCompanion::kSize, DescriptorType::superspeed_endpoint_companion)
      .u8(d.max_burst)
      .u8(d.attributes)
      .le16(d.bytes_per_interval);
}

Bytes encode_device_qualifier(const DeviceDescriptor& d) {
  ByteWriter out;
  header(out, kQualifierSize, DescriptorType::device_qualifier)
      .le16(d.bcd_usb)
      .u8(d.device_class)
      .u8(d.device_subclass)
      .u8(d.device_protocol)
      .u8(d.max_packet_size0)
      .u8(d.num_configurations)
      .u8(0);
  return out.take();
}

Bytes encode_string(std::string_view utf8) {
  constexpr std::size_t kMaxTextBytes = (kMaxLength - kHeaderSize) & ~std::size_t{1};
  ByteWriter text;
  while (!utf8.empty()) {
    const char32_t code = take_code_point(utf8);
    if (text.size() + (code > 0xffff ? 4 : 2) > kMaxTextBytes) break;
    if (code > 0xffff) {
      text.le16(static_cast<std::uint16_t>(0xd800 + ((code - 0x10000) >> 10)));
      text.le16(static_cast<std::uint16_t>(0xdc00 + ((code - 0x10000) & 0x3ff)));
    } else {
      text.le16(static_cast<std::uint16_t>(code));
    }
  }
  ByteWriter out;
  header(out, kHeaderSize + text.size(), DescriptorType::string).bytes(text.view());
  return out.take();
}

Bytes encode_language_ids(std::span<const std::uint16_t> ids) {
  ByteWriter out;
  header(out, kHeaderSize + 2 * ids.size(), DescriptorType::string);
  for (const std::uint16_t id : ids) out.le16(id);
  return out.take();
}

Bytes encode_bos(const Usb20Extension& usb20, const SuperSpeedCapability& superspeed) {
  ByteWriter out;
  header(out, kBosSize, DescriptorType::bos).le16(kBosSize + kUsb20ExtensionSize + kSuperSpeedCapabilitySize).u8(2);
  header(out, kUsb20ExtensionSize, DescriptorType::device_capability)
      .u8(kCapabilityUsb20Extension)
      .le32(usb20.attributes);
  header(out, kSuperSpeedCapabilitySize, DescriptorType::device_capability)
      .u8(kCapabilitySuperSpeed)
      .u8(superspeed.attributes)
      .le16(superspeed.speeds_supported)
      .u8(superspeed.functionality_support)
      .u8(superspeed.u1_exit_latency)
      .le16(superspeed.u2_exit_latency);
  return out.take();
}

}  // namespace periplex::usb
