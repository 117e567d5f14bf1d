// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "remote/usbip/inbox.hpp"
#include "remote/usbip/operation.hpp"

namespace periplex::remote::usbip {

/// A device that a server offers.
struct Offer {
  DeviceRecord record;
  std::vector<InterfaceRecord> interfaces;
};

/// Reads a server's answer to `encode_device_list_request`. A connection is good for one list.
class DeviceList {
 public:
  static constexpr std::uint32_t kMostDevices = 1024;

  /// Takes what has come; the list once it is whole, or why it will not be.
  [[nodiscard]] std::optional<std::expected<std::vector<Offer>, std::string>> receive(ByteView bytes);

 private:
  Inbox inbox_;
};

}  // namespace periplex::remote::usbip
