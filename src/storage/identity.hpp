// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "usb/speed.hpp"

namespace periplex::storage {

/// What is known of one logical unit when the disk is announced. What changes later, the guest asks the unit itself.
struct UnitFacts {
  Bytes inquiry;                 ///< standard INQUIRY data, at most 36 bytes; empty if there was no answer
  std::uint32_t block_size = 0;  ///< bytes; 0 without a medium
  std::uint64_t blocks = 0;
  bool write_protected = false;
  bool write_cache = false;  ///< WCE of the caching mode page

  [[nodiscard]] bool removable() const { return inquiry.size() > 1 && (inquiry[1] & std::byte{0x80}) != std::byte{0}; }
  friend bool operator==(const UnitFacts&, const UnitFacts&) = default;
};

/// Who the real disk is.
struct DiskIdentity {
  usb::Speed speed = usb::Speed::high;
  bool attached_scsi = false;  ///< the agent speaks UAS to it, several commands at once
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t release = 0;  ///< bcdDevice
  std::string manufacturer;   ///< UTF-8, at most 255 bytes, as the next two
  std::string product;
  std::string serial_number;
  std::vector<UnitFacts> units;  ///< 1 to 16, by their numbers

  friend bool operator==(const DiskIdentity&, const DiskIdentity&) = default;
};

}  // namespace periplex::storage
