// SPDX-License-Identifier: Apache-2.0
#include "host/wav_source.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "host/file_io.hpp"

namespace periplex::host {

/// One chunk on its way from the file.
class WavSource::Read final : public IoPool::Work {
 public:
  Read(std::shared_ptr<UniqueFd> fd, std::uint64_t offset, std::size_t size, std::weak_ptr<WavSource*> reader)
      : fd_(std::move(fd)), offset_(offset), size_(size), reader_(std::move(reader)) {}

  [[nodiscard]] std::size_t memory() const override { return size_; }
  [[nodiscard]] bool prepare() override {
    if (reader_.expired()) return false;
    bytes_.resize(size_);
    return true;
  }
  void perform() override {
    const MutableByteView span = bytes_;
    if (!read_at(fd_->get(), offset_, {&span, 1})) bytes_.clear();
  }
  void finished() override {
    if (const auto reader = reader_.lock()) (*reader)->arrived(std::move(bytes_));
  }

 private:
  const std::shared_ptr<UniqueFd> fd_;
  const std::uint64_t offset_;
  const std::size_t size_;
  const std::weak_ptr<WavSource*> reader_;
  Bytes bytes_;
};

WavSource::WavSource(UniqueFd fd, const WavLayout& layout, IoPool& pool)
    : rate_(layout.rate),
      fd_(std::make_shared<UniqueFd>(std::move(fd))),
      pool_(pool),
      next_(layout.offset),
      end_(layout.offset + layout.size),
      self_(std::make_shared<WavSource*>(this)) {
  read_ahead();
}

WavSource::~WavSource() = default;

std::size_t WavSource::read(MutableByteView room) {
  std::size_t moved = 0;
  while (moved < room.size() && !chunks_.empty()) {
    const ByteView chunk = ByteView(chunks_.front()).subspan(taken_);
    const std::size_t length = std::min(chunk.size(), room.size() - moved);
    std::memcpy(room.data() + moved, chunk.data(), length);
    moved += length;
    taken_ += length;
    if (taken_ < chunks_.front().size()) continue;
    chunks_.pop_front();
    taken_ = 0;
  }
  buffered_ -= moved;
  read_ahead();
  return moved;
}

void WavSource::read_ahead() {
  if (reading_ || next_ == end_ || buffered_ + kChunk > kAhead) return;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, end_ - next_));
  reading_ = true;
  pool_.submit(std::make_shared<Read>(fd_, next_, size, self_));
  next_ += size;
}

void WavSource::arrived(Bytes bytes) {
  reading_ = false;
  if (bytes.empty()) {
    log::error("host", "a WAV file cannot be read any more: the guest gets silence");
    next_ = end_;
    return;
  }
  buffered_ += bytes.size();
  chunks_.push_back(std::move(bytes));
  read_ahead();
}

}  // namespace periplex::host
