// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

/// Vendor and product ids of our devices.
///
/// 0x1209 is pid.codes, which gives ids to open-source projects; 0x0001 to 0x0010 of it are its test ids, free for
/// everybody. Drivers find all our devices by their class, so nothing depends on these numbers.
namespace periplex::usb::device {

inline constexpr std::uint16_t kVendorId = 0x1209;
inline constexpr std::uint16_t kKeyboardProductId = 0x0001;
inline constexpr std::uint16_t kTabletProductId = 0x0002;
inline constexpr std::uint16_t kMouseProductId = 0x0003;
inline constexpr std::uint16_t kStorageProductId = 0x0004;
inline constexpr std::uint16_t kSoundProductId = 0x0005;
inline constexpr std::uint16_t kSerialProductId = 0x0006;

inline constexpr std::string_view kManufacturer = "Periplex";

}  // namespace periplex::usb::device
