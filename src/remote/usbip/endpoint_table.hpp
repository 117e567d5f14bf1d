// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "usb/descriptors.hpp"
#include "usb/speed.hpp"

namespace periplex::remote::usbip {

/// The endpoints of a device, learned from the configurations that pass by on their way to the guest.
class EndpointTable {
 public:
  static constexpr std::size_t kMostConfigurations = 8;

  /// A configuration as GET_DESCRIPTOR returned it; one that is not whole, or broken, is ignored.
  void learn(ByteView configuration);
  void select_configuration(std::uint8_t value);
  void select_interface(std::uint8_t interface, std::uint8_t alternate_setting);

  /// As it is in the settings that are selected; where it is only in others, as it is there.
  [[nodiscard]] std::optional<usb::EndpointDescriptor> find(usb::EndpointAddress address) const;

 private:
  [[nodiscard]] const usb::ParsedConfiguration* selected() const;

  std::vector<usb::ParsedConfiguration> configurations_;
  std::uint8_t configuration_ = 0;
  std::map<std::uint8_t, std::uint8_t> alternate_settings_;
};

/// The interval of a periodic endpoint in frames, at high speed and above in microframes: Linux's `urb->interval`.
[[nodiscard]] std::uint32_t interval_of(const usb::EndpointDescriptor& endpoint, usb::Speed speed);
/// How long a frame is, or a microframe.
[[nodiscard]] Nanoseconds frame_time(usb::Speed speed);
/// The most that an endpoint carries in one interval (USB 2.0 table 9-13; bursts of SuperSpeed are not looked at).
[[nodiscard]] std::uint32_t interval_size(const usb::EndpointDescriptor& endpoint);

}  // namespace periplex::remote::usbip
