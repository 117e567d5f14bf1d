// SPDX-License-Identifier: Apache-2.0
#include "link/compression.hpp"

#include <algorithm>
#include <zstd.h>

#include "link/frame.hpp"

namespace periplex::link {
namespace {

constexpr int kLevel = 1;
constexpr std::size_t kLengthSize = 2;

}  // namespace

bool CompressionGauge::worth_trying() {
  if (pause_left_ == 0) return true;
  --pause_left_;
  return false;
}

void CompressionGauge::tried(std::size_t plain, std::size_t compressed) {
  plain_ += plain;
  compressed_ += compressed;
  if (plain_ < window_) return;
  if (compressed_ > plain_ - plain_ / 8) {
    pause_left_ = pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
    window_ = kMaxPiece;  // after a pause one piece decides
  } else {
    pause_ = kFirstPause;
    window_ = kWindow;
  }
  plain_ = compressed_ = 0;
}

struct Compression::Contexts {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> out{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> in{ZSTD_createDCtx(), ZSTD_freeDCtx};
};

Compression::Compression() = default;
Compression::~Compression() = default;

std::optional<Bytes> Compression::compress(ByteView piece) {
  if (piece.size() < kSmallest || piece.size() > kMaxPiece) return std::nullopt;
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  Bytes payload = ByteWriter().le16(static_cast<std::uint16_t>(piece.size())).take();
  // No more room than the plain piece has: what does not fit does not pay.
  payload.resize(piece.size() - 1);
  const std::size_t size = ZSTD_compressCCtx(contexts_->out.get(), payload.data() + kLengthSize,
                                             payload.size() - kLengthSize, piece.data(), piece.size(), kLevel);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  payload.resize(kLengthSize + size);
  return payload;
}

std::optional<Bytes> Compression::restore(ByteView payload) {
  ByteReader reader(payload);
  const std::size_t length = reader.le16();
  if (!reader.ok() || length == 0 || length > kMaxPiece) return std::nullopt;
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  Bytes piece(length);
  // One frame and nothing behind it: several would be taken as one otherwise.
  const ByteView frame = reader.rest();
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) return std::nullopt;
  const std::size_t size =
      ZSTD_decompressDCtx(contexts_->in.get(), piece.data(), piece.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0 || size != length) return std::nullopt;
  return piece;
}

}  // namespace periplex::link
