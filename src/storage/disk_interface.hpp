// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "usb/descriptors.hpp"
#include "usb/device/uas_pipes.hpp"
#include "usb/endpoint.hpp"

namespace periplex::storage {

/// The interface of a device through which its disk is driven, and how.
struct DiskInterface {
  std::uint8_t configuration = 0;  ///< bConfigurationValue
  std::uint8_t number = 0;
  std::uint8_t alternate_setting = 0;
  bool has_alternates = false;  ///< SET_INTERFACE is worth asking
  bool attached_scsi = false;
  // Of both transports.
  usb::EndpointAddress data_in;
  usb::EndpointAddress data_out;
  // UAS only.
  usb::EndpointAddress command;
  usb::EndpointAddress status;
  std::uint16_t streams = 0;  ///< of status and data pipes; 0 for none
};

/// The best way into the disk of this configuration: UAS if it is `uas_allowed`, else bulk-only. Empty: there is no
/// disk.
[[nodiscard]] std::optional<DiskInterface> find_disk(const usb::ParsedConfiguration& configuration, bool uas_allowed);

}  // namespace periplex::storage
