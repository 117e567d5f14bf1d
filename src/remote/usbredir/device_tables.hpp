// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "remote/usbredir/messages.hpp"
#include "remote/usbredir/submitter.hpp"
#include "usb/descriptors.hpp"
#include "usb/speed.hpp"

namespace periplex::remote::usbredir {

/// The alternate setting of each interface that is not at 0.
using Alternates = std::map<std::uint8_t, std::uint8_t>;

/// What an exported device is, from its descriptors.
struct DeviceFacts {
  usb::DeviceDescriptor device;
  std::vector<usb::ParsedConfiguration> configurations;

  /// The configuration with this bConfigurationValue; null if there is none.
  [[nodiscard]] const usb::ParsedConfiguration* find(std::uint8_t value) const;
};

[[nodiscard]] DeviceConnect device_connect(const DeviceFacts& facts, usb::Speed speed);
/// Tables of `configuration`, or of none.
[[nodiscard]] InterfaceInfo interface_info(const usb::ParsedConfiguration* configuration, const Alternates& alternates);
[[nodiscard]] EndpointInfo endpoint_info(const usb::ParsedConfiguration* configuration, const Alternates& alternates,
                                         usb::Speed speed);

/// Addresses a device and reads its descriptors, as a host does that has just found it.
class Enumeration {
 public:
  static constexpr unsigned kMaxConfigurations = 8;

  /// `done` gets nothing if the device did not answer, or with nonsense.
  using Done = std::function<void(std::optional<DeviceFacts> facts)>;
  Enumeration(Submitter& submitter, Done done) : submitter_(submitter), done_(std::move(done)) {}

  /// After a reset of the device.
  void start();

 private:
  using Next = void (Enumeration::*)(ByteView answer);
  void ask(const usb::SetupPacket& setup, Next next);
  void ask_descriptor(std::uint16_t value, std::uint16_t length, Next next);
  void on_address(ByteView answer);
  void on_device(ByteView answer);
  void next_configuration();
  void on_header(ByteView answer);
  void on_configuration(ByteView answer);

  Submitter& submitter_;
  Done done_;
  DeviceFacts facts_;
};

}  // namespace periplex::remote::usbredir
