// SPDX-License-Identifier: Apache-2.0
#include "link/stream_copy.hpp"

#include <algorithm>

namespace periplex::link {

void StreamCopy::sent(ByteView bytes, bool keep) {
  end_ += bytes.size();
  if (keep) {
    kept_.push(bytes);
    if (kept_.size() > kMaxKept) kept_.pop(kept_.size() - kMaxKept);
  } else {
    kept_.clear();
  }
  carried_ = std::max(carried_, kept_from());
}

bool StreamCopy::acknowledged(std::uint64_t count) {
  // It cannot have what was never sent.
  if (count <= acknowledged_ || count > end_) return false;
  acknowledged_ = count;
  if (count > kept_from()) kept_.pop(static_cast<std::size_t>(count - kept_from()));
  carried_ = std::max(carried_, kept_from());
  rewinds = 0;
  return true;
}

std::optional<StreamCopy::Piece> StreamCopy::next(std::size_t limit, std::uint64_t end, bool repeat) {
  const std::uint64_t last = std::min(end, end_);
  if (!useful() || carried_ >= last) return std::nullopt;
  const std::size_t news = std::min(limit, static_cast<std::size_t>(last - carried_));
  const std::uint64_t repeated = std::min<std::uint64_t>(repeat ? limit - news : 0, carried_ - kept_from());
  const std::uint64_t first = carried_ - repeated;
  carried_ += news;
  const ByteView kept = kept_.front(kept_.size());
  return Piece{.offset = first,
               .bytes = kept.subspan(static_cast<std::size_t>(first - kept_from()), repeated + news),
               .news = news};
}

std::size_t StreamCopy::streamed(std::size_t size) {
  const std::size_t known = std::min(size, ahead());
  streamed_ += size;
  received_ = std::max(received_, streamed_);
  return known;
}

std::size_t StreamCopy::carried(std::uint64_t offset, std::size_t size, std::uint32_t credit) {
  // What begins later than that will come again, or with the stream.
  if (offset > received_ || size <= received_ - offset) return 0;
  const std::size_t news = size - static_cast<std::size_t>(received_ - offset);
  if (ahead() + news > credit) return 0;
  received_ += news;
  return news;
}

}  // namespace periplex::link
