// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"
#include "usb/speed.hpp"

namespace periplex::remote::usbredir {

/// How long the service interval of an isochronous endpoint is (USB 2.0 table 9-13: 2^(bInterval-1) frames or
/// microframes); what is outside of 1 to 16 counts as the nearest.
[[nodiscard]] constexpr Microseconds service_interval(usb::Speed speed, std::uint8_t interval) {
  const unsigned exponent = std::clamp<unsigned>(interval, 1, 16) - 1;
  return Microseconds(speed >= usb::Speed::high ? 125 : 1000) * (1u << exponent);
}

/// The protocol's bounds of `start_iso_stream`, as libusbredirhost enforces them.
inline constexpr unsigned kMaxPacketsPerUrb = 32;
inline constexpr unsigned kMaxUrbs = 16;

/// How an isochronous stream is cut and buffered: packets in groups of about 8 ms, so that there are few interrupts,
/// and about three groups of them against jitter.
struct StreamPlan {
  static constexpr Microseconds kGroup{8000};
  static constexpr unsigned kGroupsAhead = 3;

  std::uint8_t packets_per_urb = 1;
  std::uint8_t urbs = 4;
  std::size_t target = 3;  ///< packets there should be in a buffer
  std::size_t most = 8;    ///< packets there may be

  [[nodiscard]] static constexpr StreamPlan make(Microseconds interval, bool device_bound) {
    const auto packets = static_cast<unsigned>(kGroup / std::max(interval, Microseconds(1)));
    const unsigned group = std::clamp(packets, 1u, kMaxPacketsPerUrb);
    const unsigned groups = std::max(kGroupsAhead, (kGroupsAhead * packets + group - 1) / group);
    // Of the buffers of a device-bound stream, half are filled before it begins.
    const unsigned urbs = std::min(device_bound ? 2 * groups : groups + 1, kMaxUrbs);
    const std::size_t target = std::size_t{group} * groups;
    return {static_cast<std::uint8_t>(group), static_cast<std::uint8_t>(urbs), target, 2 * target + 2 * group};
  }
};

}  // namespace periplex::remote::usbredir
