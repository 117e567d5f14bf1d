// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace periplex::usb {

/// From the host's view (USB 2.0 §4.4): `in` is device to host (guest-bound), `out` host to device (device-bound).
enum class Direction : std::uint8_t { out, in };

/// bEndpointAddress (USB 2.0 table 9-13): number in bits 3:0, direction in bit 7. Endpoint 0 is written as `out`.
struct EndpointAddress {
  std::uint8_t value = 0;

  constexpr EndpointAddress() = default;
  constexpr explicit EndpointAddress(std::uint8_t v) : value(v) {}
  constexpr EndpointAddress(unsigned number, Direction direction)
      : value(static_cast<std::uint8_t>((number & 0xf) | (direction == Direction::in && number != 0 ? 0x80 : 0))) {}

  [[nodiscard]] constexpr unsigned number() const { return value & 0xfu; }
  [[nodiscard]] constexpr Direction direction() const { return (value & 0x80) != 0 ? Direction::in : Direction::out; }
  friend constexpr auto operator<=>(EndpointAddress, EndpointAddress) = default;
};

/// bmAttributes bits 1:0 (USB 2.0 table 9-13).
enum class TransferType : std::uint8_t { control = 0, isochronous = 1, bulk = 2, interrupt = 3 };

[[nodiscard]] constexpr std::string_view name(TransferType type) {
  switch (type) {
    case TransferType::control:
      return "control";
    case TransferType::isochronous:
      return "isochronous";
    case TransferType::bulk:
      return "bulk";
    case TransferType::interrupt:
      return "interrupt";
  }
  return "?";
}

}  // namespace periplex::usb
