// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "guest/memory.hpp"
#include "usb/endpoint.hpp"
#include "usb/transfer_data.hpp"

namespace periplex::usb {

/// How a data set's bytes are held while the device side works on them.
enum class Holding : std::uint8_t {
  copied,  ///< our own bytes: gathered before, scattered after (UHCI, EHCI; anything not local)
  pinned,  ///< the guest's memory itself (xHCI with a local device)
};

/// A contiguous part of a data set in guest memory.
struct Piece {
  guest::GuestAddress address;
  std::uint32_t length = 0;
};

/// Brings `size` bytes of guest-bound `data`, from `offset` on, to `pieces`, in order, as far as they have room.
[[nodiscard]] std::expected<void, guest::Fault> scatter(guest::Memory& memory, const TransferData& data,
                                                        std::uint64_t offset, std::uint64_t size,
                                                        std::span<const Piece> pieces);

/// A data set: everything that belongs to one transfer, spread by the guest's driver over many descriptors.
///
/// The controller-neutral half of gather and scatter. A controller walks its own descriptors (UHCI packets, EHCI qTDs,
/// xHCI TRBs), adds one piece for each that carries data, gathers them into *one* transfer, and on completion asks for
/// each piece's portion. What to do with a portion (status bits, events) is the controller's.
class DataSet {
 public:
  /// What one descriptor got of a completed transfer.
  struct Portion {
    std::uint32_t requested = 0;
    std::uint32_t moved = 0;
    [[nodiscard]] bool is_short() const { return moved < requested; }
    [[nodiscard]] std::uint32_t residual() const { return requested - moved; }
  };

  void add(guest::GuestAddress address, std::uint32_t length);
  /// A device-bound piece whose bytes stand in the descriptor itself.
  void add_immediate(ByteView bytes);

  [[nodiscard]] std::size_t pieces() const { return parts_.size(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// The data for one transfer of all pieces: content where device-bound, room where guest-bound. A fault means that a
  /// piece lies outside the guest's memory; nothing has been moved then.
  /// The first `skip` bytes are left out: they were moved before the transfer was stopped.
  [[nodiscard]] std::expected<TransferData, guest::Fault> gather(const guest::Memory& memory, Direction direction,
                                                                 Holding holding, std::uint64_t skip = 0) const;

  /// Brings the first `actual` bytes of guest-bound `data`, gathered without skipping, to the guest. Nothing to do
  /// where it was pinned.
  [[nodiscard]] std::expected<void, guest::Fault> scatter(guest::Memory& memory, const TransferData& data,
                                                          std::uint64_t actual, Holding holding) const;

  /// What piece `index` got when `actual` bytes were moved in all.
  [[nodiscard]] Portion portion(std::size_t index, std::uint64_t actual) const;

 private:
  struct Part {
    Piece piece;
    std::uint64_t offset;  // of its first byte within the data set
    Bytes immediate;
  };

  [[nodiscard]] std::expected<TransferData, guest::Fault> pin(const guest::Memory& memory, Direction direction,
                                                              std::uint64_t skip) const;
  [[nodiscard]] std::expected<TransferData, guest::Fault> copy(const guest::Memory& memory, Direction direction,
                                                               std::uint64_t skip) const;
  /// How many of the first bytes of `part` belong to the first `skip` of the data set.
  [[nodiscard]] static std::uint64_t skipped_of(const Part& part, std::uint64_t skip);

  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
  bool has_immediate_ = false;
};

}  // namespace periplex::usb
