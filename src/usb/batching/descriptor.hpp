// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/address.hpp"
#include "usb/data_set.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::batching {

/// Packet identifiers that a host sends (USB 2.0 table 8-1).
enum class Pid : std::uint8_t { out, in, setup };

[[nodiscard]] constexpr Direction direction(Pid pid) {
  return pid == Pid::in ? Direction::in : Direction::out;
}

/// What one descriptor of the guest's schedule asks for, as read just now: a UHCI TD (one packet) or an EHCI qTD (up to
/// 20 KiB). The guest may change it at any time.
struct Descriptor {
  static constexpr std::size_t kMaxPieces = 5;  ///< page pointers of a qTD
  static constexpr std::size_t kMaxWords = 6;   ///< qTD token and five buffer pointers

  guest::GuestAddress address;
  Pid pid = Pid::out;
  std::uint32_t length = 0;       ///< bytes it carries, or has room for
  std::uint32_t packet_size = 0;  ///< of a full packet, where the schedule says so (EHCI); 0: `length` is one packet's
  bool interrupt_on_complete = false;  ///< drivers set it at the end of their data sets

  /// Its buffer.
  std::array<Piece, kMaxPieces> piece_storage{};
  std::uint8_t piece_count = 0;
  [[nodiscard]] std::span<const Piece> pieces() const { return {piece_storage.data(), piece_count}; }
  void add_piece(guest::GuestAddress at, std::uint32_t bytes) { piece_storage[piece_count++] = {at, bytes}; }

  /// What verification by descriptors compares: the dwords that the guest alone writes while the descriptor is active
  /// (token and buffer pointers, without status bits). Unused ones are zero.
  std::array<std::uint32_t, kMaxWords> words{};
};

/// What a descriptor gets back.
struct Outcome {
  Status status = Status::ok;
  std::uint32_t actual = 0;  ///< bytes moved
  [[nodiscard]] bool ends_short(const Descriptor& descriptor) const {
    return status == Status::ok && actual < descriptor.length;
  }
};

}  // namespace periplex::usb::batching
