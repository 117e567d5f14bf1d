// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "usb/endpoint.hpp"

namespace periplex::usb {

/// bmRequestType bits 6:5 (USB 2.0 table 9-2).
enum class RequestType : std::uint8_t { standard = 0, device_class = 1, vendor = 2, reserved = 3 };
/// bmRequestType bits 4:0. Values above `other` are reserved and kept as they came.
enum class Recipient : std::uint8_t { device = 0, interface = 1, endpoint = 2, other = 3 };

/// Standard request codes (USB 2.0 table 9-4; SET_SEL and SET_ISOCH_DELAY: USB 3.2 table 9-5).
enum class StandardRequest : std::uint8_t {
  get_status = 0,
  clear_feature = 1,
  set_feature = 3,
  set_address = 5,
  get_descriptor = 6,
  set_descriptor = 7,
  get_configuration = 8,
  set_configuration = 9,
  get_interface = 10,
  set_interface = 11,
  synch_frame = 12,
  set_sel = 48,
  set_isoch_delay = 49,
};

/// The eight bytes of a Setup stage (USB 2.0 §9.3), as a value.
struct SetupPacket {
  static constexpr std::size_t kSize = 8;

  std::uint8_t request_type = 0;
  std::uint8_t request = 0;
  std::uint16_t value = 0;
  std::uint16_t index = 0;
  std::uint16_t length = 0;

  [[nodiscard]] static SetupPacket parse(std::uint64_t little_endian);
  [[nodiscard]] std::uint64_t encode() const;

  [[nodiscard]] Direction direction() const { return (request_type & 0x80) != 0 ? Direction::in : Direction::out; }
  [[nodiscard]] RequestType type() const { return static_cast<RequestType>((request_type >> 5) & 3); }
  [[nodiscard]] Recipient recipient() const { return static_cast<Recipient>(request_type & 0x1f); }
  /// Whether this is standard request `code` with bmRequestType `request_type_byte`.
  [[nodiscard]] bool is(StandardRequest code, std::uint8_t request_type_byte) const {
    return request_type == request_type_byte && request == static_cast<std::uint8_t>(code);
  }
  friend bool operator==(const SetupPacket&, const SetupPacket&) = default;
};

}  // namespace periplex::usb
