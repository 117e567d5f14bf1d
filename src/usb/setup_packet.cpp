// SPDX-License-Identifier: Apache-2.0
#include "usb/setup_packet.hpp"

namespace periplex::usb {

SetupPacket SetupPacket::parse(std::uint64_t word) {
  return {.request_type = static_cast<std::uint8_t>(word),
          .request = static_cast<std::uint8_t>(word >> 8),
          .value = static_cast<std::uint16_t>(word >> 16),
          .index = static_cast<std::uint16_t>(word >> 32),
          .length = static_cast<std::uint16_t>(word >> 48)};
}

std::uint64_t SetupPacket::encode() const {
  return std::uint64_t{request_type} | std::uint64_t{request} << 8 | std::uint64_t{value} << 16 |
         std::uint64_t{index} << 32 | std::uint64_t{length} << 48;
}

}  // namespace periplex::usb
