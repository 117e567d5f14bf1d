// SPDX-License-Identifier: Apache-2.0
#include "attachment/configuration.hpp"

#include <algorithm>

#include "attachment/limits.hpp"

namespace periplex::attachment {
namespace {

using usb::Speed;
using usb::TransferType;

/// wMaxPacketSize (USB 2.0 table 9-13): the size in bits 10:0, further packets of a microframe in bits 12:11.
std::uint32_t packet_bytes(const usb::EndpointDescriptor& endpoint) {
  return endpoint.max_packet_size & 0x7ffu;
}

std::uint32_t interval_bytes(const usb::ParsedEndpoint& endpoint, Speed speed) {
  const std::uint32_t packet = packet_bytes(endpoint.descriptor);
  if (usb::is_usb3(speed) && endpoint.companion) {
    // wBytesPerInterval; "reserved … zero" for others than periodic endpoints (USB 3.2 table 9-28).
    if (endpoint.companion->bytes_per_interval != 0) return endpoint.companion->bytes_per_interval;
    return packet * (endpoint.companion->max_burst + 1u) * ((endpoint.companion->attributes & 3u) + 1u);
  }
  return packet * ((endpoint.descriptor.max_packet_size >> 11 & 3u) + 1u);
}

/// bInterval (USB 2.0 table 9-13): 2^(bInterval - 1) frames, or microframes from high speed on; of an interrupt
/// endpoint below high speed, bInterval frames.
Microseconds service_interval(const usb::EndpointDescriptor& endpoint, Speed speed) {
  constexpr Microseconds kFrame{1000};
  if (endpoint.type() == usb::TransferType::interrupt && speed <= Speed::full) {
    return kFrame * std::max<unsigned>(endpoint.interval, 1);
  }
  const unsigned exponent = std::clamp<unsigned>(endpoint.interval, 1, 16) - 1;
  const Microseconds unit = speed <= Speed::full ? kFrame : kShortestInterval;
  return std::min(unit * (1u << exponent), kLongestInterval);
}

/// Audio 1.0 appendix A.1 and A.2. The other isochronous endpoints of such an interface give feedback (USB 2.0 table
/// 9-13, bits 5..4 of bmAttributes).
bool is_sound(const usb::InterfaceDescriptor& interface, const usb::EndpointDescriptor& endpoint) {
  constexpr std::uint8_t kAudio = 0x01, kAudioStreaming = 0x02, kFeedback = 0x10, kUsage = 0x30;
  return interface.interface_class == kAudio && interface.interface_subclass == kAudioStreaming &&
         endpoint.type() == TransferType::isochronous && (endpoint.attributes & kUsage) != kFeedback;
}

}  // namespace

void Configuration::describe(const Describe& description) {
  speed_ = description.speed;
  configurations_.clear();
  for (const KnownDescriptor& each : description.descriptors) {
    if (each.value >> 8 != static_cast<std::uint8_t>(usb::DescriptorType::configuration) || !each.bytes) continue;
    if (auto parsed = usb::parse_configuration(*each.bytes)) configurations_.push_back(std::move(*parsed));
  }
  set_configuration(value_);
}

void Configuration::set_configuration(std::uint8_t value) {
  value_ = value;
  endpoints_.clear();
  const auto found =
      std::ranges::find_if(configurations_, [value](const auto& each) { return each.descriptor.value == value; });
  current_ = value == 0 || found == configurations_.end() ? nullptr : &*found;
  if (current_ == nullptr) return;
  for (const usb::ParsedInterface& setting : current_->interfaces) {
    if (setting.descriptor.alternate_setting == 0) open(setting);
  }
}

void Configuration::set_interface(std::uint8_t interface, std::uint8_t alternate_setting) {
  if (current_ == nullptr) return;
  std::erase_if(endpoints_, [interface](const auto& each) { return each.second.interface == interface; });
  for (const usb::ParsedInterface& setting : current_->interfaces) {
    const auto& descriptor = setting.descriptor;
    if (descriptor.number == interface && descriptor.alternate_setting == alternate_setting) open(setting);
  }
}

void Configuration::open(const usb::ParsedInterface& setting) {
  for (const usb::ParsedEndpoint& endpoint : setting.endpoints) {
    const auto& descriptor = endpoint.descriptor;
    endpoints_[descriptor.address] = {.type = descriptor.type(),
                                      .interface = setting.descriptor.number,
                                      .packet_bytes = packet_bytes(descriptor),
                                      .interval_bytes = interval_bytes(endpoint, speed_),
                                      .interval = service_interval(descriptor, speed_),
                                      .sound = is_sound(setting.descriptor, descriptor)};
  }
}

const Configuration::Endpoint* Configuration::find(usb::EndpointAddress address) const {
  const auto found = endpoints_.find(address);
  return found == endpoints_.end() ? nullptr : &found->second;
}

}  // namespace periplex::attachment
