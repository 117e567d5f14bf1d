// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/endpoint_table.hpp"

#include <algorithm>

namespace periplex::remote::usbip {
namespace {

constexpr unsigned kMostExponent = 16;
constexpr std::uint16_t kPacketMask = 0x7ff;  // wMaxPacketSize
constexpr unsigned kExtraShift = 11;          // additional transactions per microframe

}  // namespace

void EndpointTable::learn(ByteView configuration) {
  auto parsed = usb::parse_configuration(configuration);
  if (!parsed || configuration.size() < parsed->descriptor.total_length) return;
  const auto same = std::ranges::find(configurations_, parsed->descriptor.value,
                                      [](const auto& known) { return known.descriptor.value; });
  if (same != configurations_.end()) {
    *same = std::move(*parsed);
  } else if (configurations_.size() < kMostConfigurations) {
    configurations_.push_back(std::move(*parsed));
  }
}

void EndpointTable::select_configuration(std::uint8_t value) {
  configuration_ = value;
  alternate_settings_.clear();
}

void EndpointTable::select_interface(std::uint8_t interface, std::uint8_t alternate_setting) {
  alternate_settings_[interface] = alternate_setting;
}

const usb::ParsedConfiguration* EndpointTable::selected() const {
  const auto found =
      std::ranges::find(configurations_, configuration_, [](const auto& known) { return known.descriptor.value; });
  if (found != configurations_.end()) return &*found;
  return configurations_.empty() ? nullptr : &configurations_.front();
}

std::optional<usb::EndpointDescriptor> EndpointTable::find(usb::EndpointAddress address) const {
  const usb::ParsedConfiguration* const configuration = selected();
  if (configuration == nullptr) return std::nullopt;
  std::optional<usb::EndpointDescriptor> other;
  for (const usb::ParsedInterface& interface : configuration->interfaces) {
    const auto setting = alternate_settings_.find(interface.descriptor.number);
    const std::uint8_t current = setting == alternate_settings_.end() ? 0 : setting->second;
    for (const usb::ParsedEndpoint& endpoint : interface.endpoints) {
      if (endpoint.descriptor.address != address) continue;
      if (interface.descriptor.alternate_setting == current) return endpoint.descriptor;
      if (!other) other = endpoint.descriptor;
    }
  }
  return other;
}

std::uint32_t interval_of(const usb::EndpointDescriptor& endpoint, usb::Speed speed) {
  const std::uint8_t value = std::max<std::uint8_t>(endpoint.interval, 1);
  const bool power = speed >= usb::Speed::high || endpoint.type() == usb::TransferType::isochronous;
  return power ? 1u << (std::min<unsigned>(value, kMostExponent) - 1) : value;
}

Nanoseconds frame_time(usb::Speed speed) {
  return speed >= usb::Speed::high ? Microseconds(125) : std::chrono::milliseconds(1);
}

std::uint32_t interval_size(const usb::EndpointDescriptor& endpoint) {
  const std::uint32_t packet = endpoint.max_packet_size & kPacketMask;
  return packet * (1 + ((static_cast<std::uint32_t>(endpoint.max_packet_size) >> kExtraShift) & 3u));
}

}  // namespace periplex::remote::usbip
