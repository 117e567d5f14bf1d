// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "usb/descriptors.hpp"

namespace periplex::usb {
namespace {

constexpr std::size_t kHeaderSize = 2;

/// A reader of the fields behind the header of `bytes`, which must be a descriptor of `type` and at least `size`.
std::expected<ByteReader, DescriptorError> fields(ByteView bytes, DescriptorType type, std::size_t size) {
  const auto descriptor = take_descriptor(bytes);
  if (!descriptor) return std::unexpected(descriptor.error());
  if (!descriptor->is(type)) return std::unexpected(DescriptorError::wrong_type);
  if (descriptor->bytes.size() < size) return std::unexpected(DescriptorError::bad_length);
  return ByteReader(descriptor->bytes.subspan(kHeaderSize));
}

std::expected<ConfigurationDescriptor, DescriptorError> parse_header(const DescriptorView& view) {
  const auto type = view.is(DescriptorType::other_speed_configuration) ? DescriptorType::other_speed_configuration
                                                                       : DescriptorType::configuration;
  auto in = fields(view.bytes, type, ConfigurationDescriptor::kSize);
  if (!in) return std::unexpected(in.error());
  return ConfigurationDescriptor{.total_length = in->le16(),
                                 .num_interfaces = in->u8(),
                                 .value = in->u8(),
                                 .name = in->u8(),
                                 .attributes = in->u8(),
                                 .max_power = in->u8()};
}

std::expected<InterfaceDescriptor, DescriptorError> parse_interface(ByteView bytes) {
  auto in = fields(bytes, DescriptorType::interface, InterfaceDescriptor::kSize);
  if (!in) return std::unexpected(in.error());
  return InterfaceDescriptor{.number = in->u8(),
                             .alternate_setting = in->u8(),
                             .num_endpoints = in->u8(),
                             .interface_class = in->u8(),
                             .interface_subclass = in->u8(),
                             .interface_protocol = in->u8(),
                             .name = in->u8()};
}

std::expected<SuperSpeedCompanion, DescriptorError> parse_companion(ByteView bytes) {
  auto in = fields(bytes, DescriptorType::superspeed_endpoint_companion, SuperSpeedCompanion::kSize);
  if (!in) return std::unexpected(in.error());
  return SuperSpeedCompanion{.max_burst = in->u8(), .attributes = in->u8(), .bytes_per_interval = in->le16()};
}

/// Files one descriptor behind the header where it belongs.
std::expected<void, DescriptorError> add(ParsedConfiguration& to, const DescriptorView& view) {
  if (view.is(DescriptorType::interface)) {
    const auto interface = parse_interface(view.bytes);
    if (!interface) return std::unexpected(interface.error());
    to.interfaces.push_back({*interface, {}, {}});
    return {};
  }
  if (view.is(DescriptorType::endpoint)) {
    const auto endpoint = parse_endpoint(view.bytes);
    if (!endpoint) return std::unexpected(endpoint.error());
    if (to.interfaces.empty()) return std::unexpected(DescriptorError::misplaced);
    to.interfaces.back().endpoints.push_back({*endpoint, std::nullopt});
    return {};
  }
  if (view.is(DescriptorType::superspeed_endpoint_companion)) {
    const auto companion = parse_companion(view.bytes);
    if (!companion) return std::unexpected(companion.error());
    if (to.interfaces.empty() || to.interfaces.back().endpoints.empty()) {
      return std::unexpected(DescriptorError::misplaced);
    }
    to.interfaces.back().endpoints.back().companion = *companion;
    return {};
  }
  // Class descriptors, interface associations and whatever comes after us: kept with their interface.
  if (!to.interfaces.empty()) {
    Bytes& kept = to.interfaces.back().class_descriptors;
    kept.insert(kept.end(), view.bytes.begin(), view.bytes.end());
  }
  return {};
}

}  // namespace

std::expected<DescriptorView, DescriptorError> take_descriptor(ByteView& rest) {
  if (rest.size() < kHeaderSize) return std::unexpected(DescriptorError::truncated);
  const auto length = std::to_integer<std::size_t>(rest[0]);
  if (length < kHeaderSize) return std::unexpected(DescriptorError::bad_length);
  if (length > rest.size()) return std::unexpected(DescriptorError::truncated);
  const DescriptorView view{std::to_integer<std::uint8_t>(rest[1]), rest.first(length)};
  rest = rest.subspan(length);
  return view;
}

std::expected<DeviceDescriptor, DescriptorError> parse_device(ByteView bytes) {
  auto in = fields(bytes, DescriptorType::device, DeviceDescriptor::kSize);
  if (!in) return std::unexpected(in.error());
  return DeviceDescriptor{.bcd_usb = in->le16(),
                          .device_class = in->u8(),
                          .device_subclass = in->u8(),
                          .device_protocol = in->u8(),
                          .max_packet_size0 = in->u8(),
                          .vendor_id = in->le16(),
                          .product_id = in->le16(),
                          .bcd_device = in->le16(),
                          .manufacturer = in->u8(),
                          .product = in->u8(),
                          .serial_number = in->u8(),
                          .num_configurations = in->u8()};
}

std::expected<EndpointDescriptor, DescriptorError> parse_endpoint(ByteView bytes) {
  auto in = fields(bytes, DescriptorType::endpoint, EndpointDescriptor::kSize);
  if (!in) return std::unexpected(in.error());
  return EndpointDescriptor{.address = EndpointAddress(in->u8()),
                            .attributes = in->u8(),
                            .max_packet_size = in->le16(),
                            .interval = in->u8()};
}

std::expected<ParsedConfiguration, DescriptorError> parse_configuration(ByteView bytes) {
  ByteView rest = bytes;
  const auto first = take_descriptor(rest);
  if (!first) return std::unexpected(first.error());
  const auto header = parse_header(*first);
  if (!header) return std::unexpected(header.error());
  if (header->total_length > bytes.size()) return std::unexpected(DescriptorError::truncated);
  if (header->total_length < first->bytes.size()) return std::unexpected(DescriptorError::bad_length);
  rest = bytes.first(header->total_length).subspan(first->bytes.size());

  ParsedConfiguration configuration{*header, {}};
  while (!rest.empty()) {
    const auto view = take_descriptor(rest);
    if (!view) return std::unexpected(view.error());
    if (auto added = add(configuration, *view); !added) return std::unexpected(added.error());
  }
  return configuration;
}

const ParsedEndpoint* ParsedConfiguration::find_endpoint(EndpointAddress address) const {
  for (const ParsedInterface& interface : interfaces) {
    if (interface.descriptor.alternate_setting != 0) continue;
    const auto found = std::ranges::find(interface.endpoints, address,
                                         [](const ParsedEndpoint& each) { return each.descriptor.address; });
    if (found != interface.endpoints.end()) return &*found;
  }
  return nullptr;
}

}  // namespace periplex::usb
