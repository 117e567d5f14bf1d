// SPDX-License-Identifier: Apache-2.0
#include "usb/device/block_spans.hpp"

#include <algorithm>

namespace periplex::usb::device {

void SpanCursor::assign(std::span<const MutableByteView> spans) {
  spans_ = spans;
  index_ = within_ = remaining_ = consumed_ = 0;
  for (const MutableByteView span : spans) remaining_ += span.size();
}

std::span<const MutableByteView> SpanCursor::peek(std::size_t count, MutableByteView front) {
  // The common case, a whole transfer in one request, needs no list of its own.
  if (within_ == 0 && count >= remaining_ && front.empty()) return spans_.subspan(index_);
  cut_.clear();
  if (!front.empty()) cut_.push_back(front);
  std::size_t skip = within_;
  for (std::size_t i = index_; i < spans_.size() && count > 0; ++i) {
    const MutableByteView rest = spans_[i].subspan(skip);
    const std::size_t length = std::min(rest.size(), count);
    if (length > 0) cut_.push_back(rest.first(length));
    count -= length;
    skip = 0;
  }
  return cut_;
}

void SpanCursor::advance(std::size_t count) {
  count = std::min(count, remaining_);
  remaining_ -= count;
  consumed_ += count;
  while (count > 0) {
    const std::size_t left = spans_[index_].size() - within_;
    if (count < left) {
      within_ += count;
      return;
    }
    count -= left;
    ++index_;
    within_ = 0;
  }
}

std::size_t SpanCursor::put(ByteView bytes) {
  std::size_t moved = 0;
  for (const MutableByteView piece : peek(bytes.size())) {
    const std::size_t length = std::min(piece.size(), bytes.size() - moved);
    if (length > 0) std::memcpy(piece.data(), bytes.data() + moved, length);
    moved += length;
  }
  advance(moved);
  return moved;
}

std::size_t SpanCursor::take(MutableByteView out) {
  std::size_t moved = 0;
  for (const MutableByteView piece : peek(out.size())) {
    const std::size_t length = std::min(piece.size(), out.size() - moved);
    if (length > 0) std::memcpy(out.data() + moved, piece.data(), length);
    moved += length;
  }
  advance(moved);
  return moved;
}

std::size_t SpanCursor::equal_bytes(ByteView bytes) const {
  std::size_t passed = 0;
  std::size_t skip = within_;
  for (std::size_t i = index_; i < spans_.size() && passed < bytes.size(); ++i) {
    const MutableByteView rest = spans_[i].subspan(skip);
    const std::size_t length = std::min(rest.size(), bytes.size() - passed);
    const auto [here, there] = std::mismatch(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length),
                                             bytes.begin() + static_cast<std::ptrdiff_t>(passed));
    const auto equal = static_cast<std::size_t>(here - rest.begin());
    passed += equal;
    if (equal < length) return passed;
    skip = 0;
  }
  return passed;
}

}  // namespace periplex::usb::device
