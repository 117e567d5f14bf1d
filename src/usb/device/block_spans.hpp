// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "base/bytes.hpp"

namespace periplex::usb::device {

/// A place in a list of spans that moves from the first byte to the last.
///
/// Owns neither the spans nor their bytes. What `peek` returns is valid until the next call.
class SpanCursor {
 public:
  SpanCursor() = default;
  explicit SpanCursor(std::span<const MutableByteView> spans) { assign(spans); }

  void assign(std::span<const MutableByteView> spans);

  [[nodiscard]] std::size_t remaining() const { return remaining_; }
  /// Bytes passed since `assign`.
  [[nodiscard]] std::size_t consumed() const { return consumed_; }

  /// The next `count` bytes, or all that remain if those are fewer. `front`, if not empty, is put before them.
  [[nodiscard]] std::span<const MutableByteView> peek(std::size_t count, MutableByteView front = {});
  /// Moves on by `count` bytes, or to the end.
  void advance(std::size_t count);

  /// Copies `bytes` to the place and moves on; returns how much fitted.
  std::size_t put(ByteView bytes);
  /// Fills up to `out.size()` bytes from the place and moves on; returns how much there was.
  std::size_t take(MutableByteView out);
  /// How many of the next bytes are equal to `bytes`: `bytes.size()` if all are.
  [[nodiscard]] std::size_t equal_bytes(ByteView bytes) const;

 private:
  std::span<const MutableByteView> spans_;
  std::size_t index_ = 0;   // of the span the place is in
  std::size_t within_ = 0;  // bytes of it that have been passed
  std::size_t remaining_ = 0;
  std::size_t consumed_ = 0;
  std::vector<MutableByteView> cut_;
};

}  // namespace periplex::usb::device
