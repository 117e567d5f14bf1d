// SPDX-License-Identifier: Apache-2.0
#include "attachment/frame_reader.hpp"

#include <algorithm>

namespace periplex::attachment {
namespace {

constexpr std::size_t kPrefix = 4;
/// A buffer that was needed once for a large frame is not kept.
constexpr std::size_t kKeptCapacity = std::size_t{64} << 10;

}  // namespace

/// The length that the first bytes of a frame tell.
std::expected<std::optional<std::size_t>, FrameReader::Error> FrameReader::length(ByteView bytes) const {
  if (bytes.size() < kPrefix) return std::optional<std::size_t>();
  const std::size_t length = ByteReader(bytes).le32();
  if (length == 0) return std::unexpected(Error::empty);
  if (length > longest_) return std::unexpected(Error::too_long);
  return length;
}

std::expected<std::optional<ByteView>, FrameReader::Error> FrameReader::take(ByteView& bytes) {
  if (std::exchange(delivered_, false)) reset();
  if (partial_.empty()) {
    const auto whole = length(bytes);
    if (!whole) return std::unexpected(whole.error());
    if (*whole && bytes.size() - kPrefix >= **whole) {
      const ByteView frame = bytes.subspan(kPrefix, **whole);
      bytes = bytes.subspan(kPrefix + **whole);
      return frame;
    }
  }
  while (!bytes.empty()) {
    const auto whole = length(partial_);
    if (!whole) return std::unexpected(whole.error());
    const std::size_t wanted = (*whole ? kPrefix + **whole : kPrefix) - partial_.size();
    const ByteView piece = bytes.first(std::min(wanted, bytes.size()));
    partial_.insert(partial_.end(), piece.begin(), piece.end());
    bytes = bytes.subspan(piece.size());
    if (!*whole || piece.size() < wanted) continue;
    delivered_ = true;
    return ByteView(partial_).subspan(kPrefix);
  }
  return std::optional<ByteView>();
}

void FrameReader::reset() {
  partial_.clear();
  delivered_ = false;
  if (partial_.capacity() > kKeptCapacity) partial_ = Bytes();
}

}  // namespace periplex::attachment
