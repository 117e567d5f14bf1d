// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/device_tables.hpp"

#include <algorithm>

namespace periplex::remote::usbredir {
namespace {

constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint16_t kAddress = 1;  // each device is alone here
constexpr std::uint16_t kDeviceType = static_cast<std::uint16_t>(usb::DescriptorType::device) << 8;
constexpr std::uint16_t kConfigurationType = static_cast<std::uint16_t>(usb::DescriptorType::configuration) << 8;

/// wMaxPacketSize (USB 2.0 table 9-13): bits 10:0 are bytes, 12:11 more transactions in a microframe at high speed.
constexpr std::uint16_t kPacketBytes = 0x7ff;
constexpr unsigned kMoreTransactions = 11;

WireSpeed wire_speed(usb::Speed speed) {
  switch (speed) {
    case usb::Speed::low:
      return WireSpeed::low;
    case usb::Speed::full:
      return WireSpeed::full;
    case usb::Speed::high:
      return WireSpeed::high;
    case usb::Speed::super:
    case usb::Speed::super_plus:
      break;
  }
  return WireSpeed::super;
}

std::uint8_t alternate_of(const Alternates& alternates, std::uint8_t interface) {
  const auto found = alternates.find(interface);
  return found == alternates.end() ? std::uint8_t{0} : found->second;
}

/// Calls `visit` for each interface at its present setting.
template <typename Visit>
void for_each_setting(const usb::ParsedConfiguration* configuration, const Alternates& alternates, Visit visit) {
  if (configuration == nullptr) return;
  for (const usb::ParsedInterface& each : configuration->interfaces) {
    if (each.descriptor.alternate_setting == alternate_of(alternates, each.descriptor.number)) visit(each);
  }
}

/// As libusbredirhost tells it, except that SuperSpeed's isochronous endpoints have all bytes of their interval.
std::uint16_t max_packet_size(const usb::ParsedEndpoint& endpoint, usb::Speed speed) {
  const std::uint16_t field = endpoint.descriptor.max_packet_size;
  const auto bytes = static_cast<std::uint16_t>(field & kPacketBytes);
  if (endpoint.descriptor.type() != usb::TransferType::isochronous) return bytes;
  if (usb::is_usb3(speed)) return endpoint.companion ? std::max(bytes, endpoint.companion->bytes_per_interval) : bytes;
  if (speed != usb::Speed::high) return bytes;
  const unsigned more = (field >> kMoreTransactions) & 3;
  return static_cast<std::uint16_t>(bytes * (more == 3 ? 1u : more + 1));
}

/// bmAttributes bits 4:0 of a bulk endpoint's companion: 2^MaxStreams (USB 3.2 table 9-28).
std::uint32_t max_streams(const usb::ParsedEndpoint& endpoint) {
  if (endpoint.descriptor.type() != usb::TransferType::bulk || !endpoint.companion) return 0;
  const unsigned exponent = endpoint.companion->attributes & 0x1f;
  return exponent == 0 || exponent > 16 ? 0 : 1u << exponent;
}

}  // namespace

const usb::ParsedConfiguration* DeviceFacts::find(std::uint8_t value) const {
  const auto found = std::ranges::find(configurations, value, [](const auto& each) { return each.descriptor.value; });
  return found == configurations.end() ? nullptr : &*found;
}

DeviceConnect device_connect(const DeviceFacts& facts, usb::Speed speed) {
  return {.speed = wire_speed(speed),
          .device_class = facts.device.device_class,
          .device_subclass = facts.device.device_subclass,
          .device_protocol = facts.device.device_protocol,
          .vendor_id = facts.device.vendor_id,
          .product_id = facts.device.product_id,
          .device_version = facts.device.bcd_device};
}

InterfaceInfo interface_info(const usb::ParsedConfiguration* configuration, const Alternates& alternates) {
  InterfaceInfo info;
  for_each_setting(configuration, alternates, [&info](const usb::ParsedInterface& each) {
    if (info.count == kInterfaces) return;
    info.entries[info.count++] = {.number = each.descriptor.number,
                                  .interface_class = each.descriptor.interface_class,
                                  .subclass = each.descriptor.interface_subclass,
                                  .protocol = each.descriptor.interface_protocol};
  });
  return info;
}

EndpointInfo endpoint_info(const usb::ParsedConfiguration* configuration, const Alternates& alternates,
                           usb::Speed speed) {
  EndpointInfo info;
  for (const usb::Direction direction : {usb::Direction::out, usb::Direction::in}) {
    const std::size_t control = direction == usb::Direction::in ? 16 : 0;
    info.entries[control].type = static_cast<std::uint8_t>(usb::TransferType::control);
  }
  for_each_setting(configuration, alternates, [&info, speed](const usb::ParsedInterface& interface) {
    for (const usb::ParsedEndpoint& each : interface.endpoints) {
      if (each.descriptor.address.number() == 0) continue;
      // QEMU refuses a device with a periodic endpoint whose interval is 0, which no descriptor may have.
      info.entries[index_of(each.descriptor.address)] = {
          .type = static_cast<std::uint8_t>(each.descriptor.type()),
          .interval = std::max<std::uint8_t>(each.descriptor.interval, 1),
          .interface = interface.descriptor.number,
          .max_packet_size = max_packet_size(each, speed),
          .max_streams = max_streams(each)};
    }
  });
  return info;
}

void Enumeration::start() {
  facts_ = {};
  ask({.request_type = 0, .request = static_cast<std::uint8_t>(usb::StandardRequest::set_address), .value = kAddress},
      &Enumeration::on_address);
}

void Enumeration::ask(const usb::SetupPacket& setup, Next next) {
  submitter_.control(setup, {}, [this, next](usb::Transfer& transfer, usb::Completion completion) {
    if (completion.status != usb::Status::ok) return done_(std::nullopt);
    (this->*next)(transfer.data.copy(transfer.direction() == usb::Direction::in ? completion.actual : 0));
  });
}

void Enumeration::ask_descriptor(std::uint16_t value, std::uint16_t length, Next next) {
  ask({.request_type = kFromDevice,
       .request = static_cast<std::uint8_t>(usb::StandardRequest::get_descriptor),
       .value = value,
       .length = length},
      next);
}

void Enumeration::on_address(ByteView) {
  ask_descriptor(kDeviceType, usb::DeviceDescriptor::kSize, &Enumeration::on_device);
}

void Enumeration::on_device(ByteView answer) {
  const auto parsed = usb::parse_device(answer);
  if (!parsed) return done_(std::nullopt);
  facts_.device = *parsed;
  next_configuration();
}

void Enumeration::next_configuration() {
  const std::size_t index = facts_.configurations.size();
  if (index >= std::min<unsigned>(facts_.device.num_configurations, kMaxConfigurations))
    return done_(std::move(facts_));
  ask_descriptor(static_cast<std::uint16_t>(kConfigurationType | index), usb::ConfigurationDescriptor::kSize,
                 &Enumeration::on_header);
}

void Enumeration::on_header(ByteView answer) {
  ByteReader in(answer);
  in.skip(2);
  const std::uint16_t total = in.le16();
  if (!in.ok() || total < usb::ConfigurationDescriptor::kSize) return done_(std::nullopt);
  ask_descriptor(static_cast<std::uint16_t>(kConfigurationType | facts_.configurations.size()), total,
                 &Enumeration::on_configuration);
}

void Enumeration::on_configuration(ByteView answer) {
  auto parsed = usb::parse_configuration(answer);
  if (!parsed) return done_(std::nullopt);
  facts_.configurations.push_back(std::move(*parsed));
  next_configuration();
}

}  // namespace periplex::remote::usbredir
