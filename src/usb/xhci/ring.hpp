// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "guest/memory.hpp"
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci {

/// A place in a transfer or command ring: a TRB's address and the Consumer Cycle State there (xHCI 1.2 §4.9).
struct RingPosition {
  GuestAddress address;
  bool cycle = false;
  friend bool operator==(const RingPosition&, const RingPosition&) = default;
};

/// Why no TRB could be read at a place that the guest said holds one.
enum class RingError : std::uint8_t {
  fault,         ///< outside guest memory
  endless_links  ///< Link TRBs that lead only to each other
};

/// Reads the producer's ring one TRB at a time.
///
/// The ownership word is read first, with acquire; the rest after it; nothing is read twice. The controller may look
/// ahead of what it has executed: positions are values.
class RingReader {
 public:
  /// Links that may follow each other without a TRB between them. A ring needs one; more is a guest's mistake.
  static constexpr unsigned kMaxLinks = 16;

  explicit RingReader(const guest::Memory& memory, RingPosition start) : memory_(memory), position_(start) {}

  /// The TRB at the position, and moves past it; nothing where the ring ends (the cycle bit is the producer's).
  /// Link TRBs are followed (§4.11.5.1) and never returned.
  [[nodiscard]] std::expected<std::optional<Trb>, RingError> next();

  [[nodiscard]] RingPosition position() const { return position_; }

 private:
  const guest::Memory& memory_;
  RingPosition position_;
};

}  // namespace periplex::usb::xhci
