// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_medium.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

// Room for what is read only to be looked at; small, since such commands are rare.
constexpr std::size_t kScratchSize = std::size_t{64} << 10;

class Read final : public ScsiAction {
 public:
  explicit Read(MediumExtent extent) : extent_(extent) {}

  [[nodiscard]] DataStage data_stage() const override { return {DataDirection::to_host, extent_.length}; }

  [[nodiscard]] Next move(SpanCursor& data) override {
    asked_ = std::min<std::uint64_t>({data.remaining(), extent_.length - done_, kMaxBlockRequest});
    if (asked_ == 0) return std::nullopt;
    return BlockRequest{BlockOperation::read, extent_.offset + done_, asked_, data.peek(asked_)};
  }
  void carried_out(SpanCursor& data) override { pass(asked_, data); }
  void failed_after(std::uint64_t bytes, SpanCursor& data) override {
    // The host may use the blocks before the bad one: it learns which that is from INFORMATION.
    pass(bytes - std::min(bytes, (done_ + bytes) % extent_.block_size), data);
  }

 private:
  void pass(std::uint64_t bytes, SpanCursor& data) {
    data.advance(bytes);
    done_ += bytes;
  }

  const MediumExtent extent_;
  std::uint64_t done_ = 0;
  std::uint64_t asked_ = 0;
};

class Write final : public ScsiAction {
 public:
  Write(MediumExtent extent, bool durable) : extent_(extent), durable_(durable) {}

  [[nodiscard]] DataStage data_stage() const override { return {DataDirection::from_host, extent_.length}; }

  [[nodiscard]] Next move(SpanCursor& data) override {
    const std::uint64_t ready =
        std::min<std::uint64_t>({part_.size() + data.remaining(), extent_.length - done_, kMaxBlockRequest});
    asked_ = ready - ready % extent_.block_size;
    if (asked_ == 0) {
      keep_part(data, ready - part_.size());
      return std::nullopt;
    }
    return BlockRequest{BlockOperation::write, extent_.offset + done_, asked_, data.peek(asked_ - part_.size(), part_)};
  }
  void carried_out(SpanCursor& data) override {
    if (finishing_) return;
    data.advance(asked_ - part_.size());
    part_.clear();
    done_ += asked_;
  }
  void failed_after(std::uint64_t bytes, SpanCursor& data) override {
    bytes -= bytes % extent_.block_size;
    if (!finishing_ && bytes > part_.size()) data.advance(bytes - part_.size());
  }
  [[nodiscard]] Next finish() override {
    if (!durable_ || std::exchange(finishing_, true)) return std::nullopt;
    return BlockRequest{.operation = BlockOperation::flush};
  }

 private:
  void keep_part(SpanCursor& data, std::size_t count) {
    const std::size_t before = part_.size();
    part_.resize(before + count);
    data.take(MutableByteView(part_).subspan(before));
  }

  const MediumExtent extent_;
  const bool durable_;
  std::uint64_t done_ = 0;
  std::uint64_t asked_ = 0;
  Bytes part_;  // the beginning of a block whose rest has not come yet
  bool finishing_ = false;
};

/// Reads a run of the medium into a scratch buffer, bit by bit.
class Scan {
 public:
  explicit Scan(MediumExtent extent) : extent_(extent) {}

  [[nodiscard]] std::optional<BlockRequest> read_next(std::size_t limit) {
    const std::uint64_t length = std::min<std::uint64_t>({limit, extent_.length - done_, kScratchSize});
    if (length == 0) return std::nullopt;
    scratch_.resize(length);
    view_ = scratch_;
    return BlockRequest{BlockOperation::read, extent_.offset + done_, length, {&view_, 1}};
  }
  [[nodiscard]] ByteView bytes() const { return scratch_; }
  [[nodiscard]] std::uint64_t lba_at(std::size_t index) const {
    return (extent_.offset + done_ + index) / extent_.block_size;
  }
  void pass() { done_ += scratch_.size(); }

 private:
  const MediumExtent extent_;
  std::uint64_t done_ = 0;
  Bytes scratch_;
  MutableByteView view_;
};

class Verify final : public ScsiAction {
 public:
  explicit Verify(MediumExtent extent) : scan_(extent) {}

  [[nodiscard]] Next finish() override { return scan_.read_next(kScratchSize); }
  void carried_out(SpanCursor&) override { scan_.pass(); }

 private:
  Scan scan_;
};

class Compare final : public ScsiAction {
 public:
  explicit Compare(MediumExtent extent) : length_(extent.length), scan_(extent) {}

  [[nodiscard]] DataStage data_stage() const override { return {DataDirection::from_host, length_}; }
  [[nodiscard]] Next move(SpanCursor& data) override {
    if (difference_) return std::unexpected(sense::miscompare(*difference_));
    return scan_.read_next(data.remaining());
  }
  void carried_out(SpanCursor& data) override {
    const std::size_t equal = data.equal_bytes(scan_.bytes());
    if (equal < scan_.bytes().size()) {
      difference_ = scan_.lba_at(equal);
      return;
    }
    data.advance(equal);
    scan_.pass();
  }

 private:
  const std::uint64_t length_;
  Scan scan_;
  std::optional<std::uint64_t> difference_;
};

class Fill final : public ScsiAction {
 public:
  Fill(MediumExtent extent, ByteView block, bool durable) : extent_(extent), durable_(durable) {
    const std::uint64_t size = std::min<std::uint64_t>(extent.length, kScratchSize);
    pattern_.reserve(size);
    while (pattern_.size() < size) pattern_.insert(pattern_.end(), block.begin(), block.end());
  }

  [[nodiscard]] Next finish() override {
    const std::uint64_t length = std::min<std::uint64_t>(pattern_.size(), extent_.length - done_);
    if (length > 0) {
      done_ += length;
      view_ = MutableByteView(pattern_).first(length);
      return BlockRequest{BlockOperation::write, extent_.offset + done_ - length, length, {&view_, 1}};
    }
    if (!durable_ || std::exchange(flushed_, true)) return std::nullopt;
    return BlockRequest{.operation = BlockOperation::flush};
  }

 private:
  const MediumExtent extent_;
  const bool durable_;
  Bytes pattern_;
  MutableByteView view_;
  std::uint64_t done_ = 0;
  bool flushed_ = false;
};

class Discard final : public ScsiAction {
 public:
  explicit Discard(std::vector<MediumExtent> extents) : extents_(std::move(extents)) {}

  [[nodiscard]] Next finish() override {
    while (next_ < extents_.size()) {
      const MediumExtent& extent = extents_[next_++];
      if (extent.length > 0) return BlockRequest{BlockOperation::discard, extent.offset, extent.length, {}};
    }
    return std::nullopt;
  }

 private:
  const std::vector<MediumExtent> extents_;
  std::size_t next_ = 0;
};

}  // namespace

ScsiActionPtr read_medium(MediumExtent extent) {
  return std::make_unique<Read>(extent);
}
ScsiActionPtr write_medium(MediumExtent extent, bool durable) {
  return std::make_unique<Write>(extent, durable);
}
ScsiActionPtr verify_medium(MediumExtent extent) {
  return std::make_unique<Verify>(extent);
}
ScsiActionPtr compare_medium(MediumExtent extent) {
  return std::make_unique<Compare>(extent);
}
ScsiActionPtr fill_medium(MediumExtent extent, ByteView block, bool durable) {
  return std::make_unique<Fill>(extent, block, durable);
}
ScsiActionPtr discard_medium(std::vector<MediumExtent> extents) {
  return std::make_unique<Discard>(std::move(extents));
}

}  // namespace periplex::usb::device
