// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "guest/memory.hpp"

namespace periplex::usb {

/// The data of one transfer: bytes of our own, or pinned spans of guest memory.
///
/// Device-bound: the content, complete. Guest-bound: the room; the device fills it from the start. Pinned spans are
/// taken where the device moves the data at once and the guest's driver owns nothing of it meanwhile (xHCI, a local
/// device): then there is no copy in between. Elsewhere the data set is copied, so that neither side sees the other's
/// changes.
class TransferData {
 public:
  TransferData() = default;
  [[nodiscard]] static TransferData owned(Bytes bytes) { return TransferData(std::move(bytes)); }
  [[nodiscard]] static TransferData room(std::size_t size) { return TransferData(Bytes(size)); }
  [[nodiscard]] static TransferData pinned(guest::PinnedRange range) { return TransferData(std::move(range)); }

  [[nodiscard]] std::size_t size() const;
  /// Every contiguous piece, in order. Valid until this object is moved from or destroyed.
  [[nodiscard]] std::span<const MutableByteView> spans() const;

  /// Copies `in` to the data at `offset`; returns how much fitted.
  std::size_t write(std::size_t offset, ByteView in);
  /// Copies the data at `offset` to `out`; returns how much there was.
  std::size_t read(std::size_t offset, MutableByteView out) const;
  /// The bytes themselves, shared, for whoever hands device-bound data over and will want to compare; null if pinned.
  [[nodiscard]] std::shared_ptr<const Bytes> share() const;
  /// A copy of the first `size` bytes, or of all there is.
  [[nodiscard]] Bytes copy(std::size_t size) const;

 private:
  explicit TransferData(Bytes bytes);
  explicit TransferData(guest::PinnedRange range) : storage_(std::move(range)) {}

  struct Owned {
    std::shared_ptr<Bytes> bytes;
    MutableByteView view;
    explicit Owned(Bytes b) : bytes(std::make_shared<Bytes>(std::move(b))), view(*bytes) {}
    Owned(Owned&& other) noexcept : bytes(std::move(other.bytes)), view(std::exchange(other.view, {})) {}
    Owned& operator=(Owned&& other) noexcept {
      bytes = std::move(other.bytes);
      view = std::exchange(other.view, {});
      return *this;
    }
  };
  std::variant<std::monostate, Owned, guest::PinnedRange> storage_;
};

}  // namespace periplex::usb
