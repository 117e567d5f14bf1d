// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <expected>
#include <optional>

#include "base/register.hpp"
#include "guest/memory.hpp"
#include "usb/batching/descriptor.hpp"
#include "usb/ehci/structures.hpp"

namespace periplex::usb::ehci {

/// An Isochronous Transfer Descriptor (EHCI 1.0 §3.3): what one endpoint does in the eight microframes of one frame.
/// A copy, as just read.
class IsochronousDescriptor {
 public:
  static constexpr unsigned kSlots = 8;
  static constexpr unsigned kPages = 7;

  [[nodiscard]] static std::expected<IsochronousDescriptor, guest::Fault> read(const guest::Memory& memory,
                                                                               std::uint32_t address);

  [[nodiscard]] Link next() const { return {dwords_[0]}; }
  [[nodiscard]] unsigned device_address() const;
  [[nodiscard]] EndpointAddress endpoint() const;

  /// The transaction of microframe `slot`, if it is active.
  [[nodiscard]] std::optional<batching::Descriptor> packet(unsigned slot) const;
  [[nodiscard]] bool interrupts(unsigned slot) const;

  /// §3.3.2: gives the transaction back with `outcome`, its data having been moved.
  [[nodiscard]] std::expected<void, guest::Fault> retire(guest::Memory& memory, unsigned slot,
                                                         const batching::Outcome& outcome) const;

 private:
  static constexpr std::size_t kDwords = 1 + kSlots + kPages;

  IsochronousDescriptor(std::uint32_t address, const std::array<std::uint32_t, kDwords>& dwords)
      : address_(address), dwords_(dwords) {}
  [[nodiscard]] std::uint32_t transaction(unsigned slot) const { return dwords_[1 + slot]; }
  [[nodiscard]] std::uint32_t page(unsigned index) const { return dwords_[1 + kSlots + index]; }

  std::uint32_t address_;
  std::array<std::uint32_t, kDwords> dwords_;
};

}  // namespace periplex::usb::ehci
