// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "base/bytes.hpp"

namespace periplex::attachment {

/// The first byte of a frame.
enum class FrameKind : std::uint8_t { hello = 1, message = 2, acknowledge = 3, abandon = 4 };

/// Cuts a byte stream into frames: a 32-bit little-endian length, then that many bytes.
///
/// Holds at most one frame, and of that only what has come: a length that somebody claims costs nothing.
class FrameReader {
 public:
  enum class Error : std::uint8_t { empty, too_long };

  explicit FrameReader(std::size_t longest) : longest_(longest) {}

  /// Takes bytes off the front of `bytes`. A frame, without its length, if one is complete; it is valid until the next
  /// call, and as long as the bytes are. Nothing if more bytes are needed.
  [[nodiscard]] std::expected<std::optional<ByteView>, Error> take(ByteView& bytes);
  /// From the next frame on.
  void set_longest(std::size_t longest) { longest_ = longest; }
  /// A new connection: what was cut off is forgotten.
  void reset();

 private:
  [[nodiscard]] std::expected<std::optional<std::size_t>, Error> length(ByteView bytes) const;

  std::size_t longest_;
  Bytes partial_;
  bool delivered_ = false;  // partial_ is the frame that the last call gave
};

}  // namespace periplex::attachment
