// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.hpp"

namespace periplex::link {

/// Whether compression pays in one direction of one channel, as far as its last pieces tell.
///
/// It pays while it saves at least an eighth. Where it does not, it is switched off for a number of pieces that doubles
/// with each vain attempt, so that what cannot be compressed (video, what is compressed already) costs next to nothing.
class CompressionGauge {
 public:
  static constexpr std::size_t kWindow = 128 * 1024;  ///< bytes from which a judgement is made
  static constexpr unsigned kFirstPause = 64;         ///< pieces
  static constexpr unsigned kLongestPause = 4096;

  /// Whether to try the next piece. Each call is one piece.
  [[nodiscard]] bool worth_trying();
  /// What came of it.
  void tried(std::size_t plain, std::size_t compressed);
  [[nodiscard]] bool off() const { return pause_left_ > 0; }

 private:
  std::size_t plain_ = 0;
  std::size_t compressed_ = 0;
  std::size_t window_ = kWindow;
  unsigned pause_ = kFirstPause;
  unsigned pause_left_ = 0;
};

/// Compresses and restores single pieces of at most kMaxPiece bytes with zstd (RFC 8878).
///
/// A compressed piece is its plain length (16 bits) and one zstd frame; no piece needs another.
class Compression {
 public:
  static constexpr std::size_t kSmallest = 128;  ///< shorter pieces are never compressed

  Compression();
  ~Compression();
  Compression(const Compression&) = delete;
  Compression& operator=(const Compression&) = delete;

  /// The piece as it is sent; empty where it would not be shorter.
  [[nodiscard]] std::optional<Bytes> compress(ByteView piece);
  /// The plain piece; empty if `payload` is not a compressed piece.
  [[nodiscard]] std::optional<Bytes> restore(ByteView payload);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;  // made when they are needed first
};

}  // namespace periplex::link
