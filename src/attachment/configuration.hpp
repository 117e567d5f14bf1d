// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "attachment/messages.hpp"
#include "usb/descriptors.hpp"

namespace periplex::attachment {

/// What the guest has set up on a peripheral whose descriptors are known: which endpoints there are, and of which type.
class Configuration {
 public:
  struct Endpoint {
    usb::TransferType type = usb::TransferType::bulk;
    std::uint8_t interface = 0;
    std::uint32_t packet_bytes = 0;    ///< the largest packet
    std::uint32_t interval_bytes = 0;  ///< the most that it moves in one service interval
    Microseconds interval{};           ///< between two services, for periodic endpoints
    bool sound = false;                ///< isochronous data of an audio streaming interface
  };

  /// Takes what `description` has of configurations; those that are broken do not count. What is set stays set, as far
  /// as it is there: in alternate settings 0.
  void describe(const Describe& description);
  /// The device has accepted SET_CONFIGURATION (USB 2.0 §9.4.7): all alternate settings are 0.
  void set_configuration(std::uint8_t value);
  /// It has accepted SET_INTERFACE (§9.4.10).
  void set_interface(std::uint8_t interface, std::uint8_t alternate_setting);
  /// Port reset: no configuration.
  void reset() { set_configuration(0); }

  [[nodiscard]] const Endpoint* find(usb::EndpointAddress address) const;

 private:
  void open(const usb::ParsedInterface& setting);

  std::uint8_t value_ = 0;
  usb::Speed speed_ = usb::Speed::full;
  std::vector<usb::ParsedConfiguration> configurations_;
  const usb::ParsedConfiguration* current_ = nullptr;
  std::map<usb::EndpointAddress, Endpoint> endpoints_;
};

}  // namespace periplex::attachment
