// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "host/usb/description.hpp"

namespace periplex::host {

/// Which endpoints a device has, as its configuration and alternate settings are now (USB 2.0 §9.6.5, §9.6.6).
class ActiveInterfaces {
 public:
  struct Endpoint {
    usb::TransferType type = usb::TransferType::bulk;
    std::uint8_t interface = 0;
    /// How many streams it can have (USB 3.2 table 9-29, MaxStreams); 0: none.
    std::uint32_t max_streams = 0;
  };

  /// `configuration` is chosen if there is one with this value.
  ActiveInterfaces(UsbDescriptors descriptors, std::uint8_t configuration);

  /// bConfigurationValue; 0: none.
  [[nodiscard]] std::uint8_t configuration() const { return configuration_; }
  [[nodiscard]] bool has_configuration(std::uint8_t value) const { return find_configuration(value) != nullptr; }
  [[nodiscard]] bool has_alternate(std::uint8_t interface, std::uint8_t alternate_setting) const;

  /// All alternate settings are 0 afterwards. False, and nothing has changed, if there is no such configuration; 0 is
  /// none, and always there.
  bool choose_configuration(std::uint8_t value);
  /// False, and nothing has changed, if there is no such setting.
  bool choose_alternate(std::uint8_t interface, std::uint8_t alternate_setting);

  /// The numbers of the interfaces of the configuration.
  [[nodiscard]] std::vector<std::uint8_t> interfaces() const { return interfaces_of(configuration_); }
  [[nodiscard]] std::vector<std::uint8_t> interfaces_of(std::uint8_t configuration) const;
  [[nodiscard]] std::optional<Endpoint> find(usb::EndpointAddress address) const;
  /// Of the current setting of `interface`.
  [[nodiscard]] std::vector<usb::EndpointAddress> endpoints(std::uint8_t interface) const;
  [[nodiscard]] std::vector<std::uint8_t> stream_endpoints(std::uint8_t interface) const;

 private:
  [[nodiscard]] const usb::ParsedConfiguration* find_configuration(std::uint8_t value) const;
  [[nodiscard]] const usb::ParsedInterface* current(std::uint8_t interface) const;

  UsbDescriptors descriptors_;
  std::uint8_t configuration_ = 0;
  std::map<std::uint8_t, std::uint8_t> alternates_;  // interface: setting, of those that are not 0
};

}  // namespace periplex::host
