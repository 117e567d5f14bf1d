// SPDX-License-Identifier: Apache-2.0
#include "host/usb/active_interfaces.hpp"

#include <algorithm>

namespace periplex::host {
namespace {

std::uint32_t max_streams(const usb::ParsedEndpoint& endpoint) {
  if (endpoint.descriptor.type() != usb::TransferType::bulk || !endpoint.companion) return 0;
  const unsigned exponent = endpoint.companion->attributes & 0x1fu;
  return exponent == 0 || exponent > 16 ? 0 : std::uint32_t{1} << exponent;
}

}  // namespace

ActiveInterfaces::ActiveInterfaces(UsbDescriptors descriptors, std::uint8_t configuration)
    : descriptors_(std::move(descriptors)) {
  (void)choose_configuration(configuration);
}

const usb::ParsedConfiguration* ActiveInterfaces::find_configuration(std::uint8_t value) const {
  if (value == 0) return nullptr;
  const auto found = std::ranges::find_if(descriptors_.configurations,
                                          [value](const auto& each) { return each.descriptor.value == value; });
  return found == descriptors_.configurations.end() ? nullptr : &*found;
}

bool ActiveInterfaces::has_alternate(std::uint8_t interface, std::uint8_t alternate_setting) const {
  const usb::ParsedConfiguration* configuration = find_configuration(configuration_);
  return configuration != nullptr && std::ranges::any_of(configuration->interfaces, [&](const auto& each) {
           return each.descriptor.number == interface && each.descriptor.alternate_setting == alternate_setting;
         });
}

bool ActiveInterfaces::choose_configuration(std::uint8_t value) {
  if (value != 0 && find_configuration(value) == nullptr) return false;
  configuration_ = value;
  alternates_.clear();
  return true;
}

bool ActiveInterfaces::choose_alternate(std::uint8_t interface, std::uint8_t alternate_setting) {
  if (!has_alternate(interface, alternate_setting)) return false;
  alternates_[interface] = alternate_setting;
  return true;
}

std::vector<std::uint8_t> ActiveInterfaces::interfaces_of(std::uint8_t configuration) const {
  std::vector<std::uint8_t> numbers;
  if (const auto* found = find_configuration(configuration)) {
    for (const auto& each : found->interfaces) numbers.push_back(each.descriptor.number);
  }
  std::ranges::sort(numbers);
  const auto [first, last] = std::ranges::unique(numbers);
  numbers.erase(first, last);
  return numbers;
}

const usb::ParsedInterface* ActiveInterfaces::current(std::uint8_t interface) const {
  const usb::ParsedConfiguration* configuration = find_configuration(configuration_);
  if (configuration == nullptr) return nullptr;
  const auto chosen = alternates_.find(interface);
  const std::uint8_t setting = chosen == alternates_.end() ? 0 : chosen->second;
  const auto found = std::ranges::find_if(configuration->interfaces, [&](const auto& each) {
    return each.descriptor.number == interface && each.descriptor.alternate_setting == setting;
  });
  return found == configuration->interfaces.end() ? nullptr : &*found;
}

std::optional<ActiveInterfaces::Endpoint> ActiveInterfaces::find(usb::EndpointAddress address) const {
  for (const std::uint8_t number : interfaces()) {
    const usb::ParsedInterface* interface = current(number);
    if (interface == nullptr) continue;
    for (const usb::ParsedEndpoint& endpoint : interface->endpoints) {
      if (endpoint.descriptor.address != address) continue;
      return Endpoint{.type = endpoint.descriptor.type(), .interface = number, .max_streams = max_streams(endpoint)};
    }
  }
  return std::nullopt;
}

std::vector<usb::EndpointAddress> ActiveInterfaces::endpoints(std::uint8_t interface) const {
  std::vector<usb::EndpointAddress> addresses;
  if (const usb::ParsedInterface* found = current(interface)) {
    for (const auto& endpoint : found->endpoints) addresses.push_back(endpoint.descriptor.address);
  }
  return addresses;
}

std::vector<std::uint8_t> ActiveInterfaces::stream_endpoints(std::uint8_t interface) const {
  std::vector<std::uint8_t> addresses;
  if (const usb::ParsedInterface* found = current(interface)) {
    for (const auto& endpoint : found->endpoints) {
      if (max_streams(endpoint) != 0) addresses.push_back(endpoint.descriptor.address.value);
    }
  }
  return addresses;
}

}  // namespace periplex::host
