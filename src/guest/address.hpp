// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace periplex::guest {

/// An address in a machine's physical address space. Sums wrap at 64 bits, as a physical controller's adder does.
struct GuestAddress {
  std::uint64_t value = 0;

  constexpr GuestAddress() = default;
  constexpr explicit GuestAddress(std::uint64_t v) : value(v) {}

  friend constexpr auto operator<=>(const GuestAddress&, const GuestAddress&) = default;
  friend constexpr GuestAddress operator+(GuestAddress address, std::uint64_t distance) {
    return GuestAddress(address.value + distance);
  }
};

}  // namespace periplex::guest
