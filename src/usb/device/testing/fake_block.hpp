// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "usb/device/block_backend.hpp"
#include "usb/device/block_spans.hpp"

namespace periplex::usb::device::testing {

/// A medium in memory that answers at once, or – `slow` – when the test says so.
///
/// What a slow request was given is touched only when it completes, and never after its claim was dropped.
class FakeBlock final : public BlockBackend {
 public:
  explicit FakeBlock(std::size_t blocks, std::uint32_t block_size = 512)
      : content(blocks * block_size), block_size_(block_size) {}

  [[nodiscard]] std::uint64_t size() const override { return content.size(); }
  [[nodiscard]] std::uint32_t logical_block_size() const override { return block_size_; }
  [[nodiscard]] bool read_only() const override { return protect; }
  [[nodiscard]] bool can_discard() const override { return discards; }

  [[nodiscard]] BlockStart start(const BlockRequest& request, BlockHandler handler) override {
    ++requests;
    largest = std::max(largest, request.length);
    if (!slow) return carry_out(request);
    auto pending =
        std::make_shared<Pending>(Pending{request, {request.spans.begin(), request.spans.end()}, std::move(handler)});
    queue_.push_back(pending);
    return std::make_unique<Claim>(std::move(pending));
  }

  /// Slow requests that somebody still wants.
  [[nodiscard]] std::size_t pending() const {
    return static_cast<std::size_t>(std::ranges::count_if(queue_, [](const auto& each) { return each->wanted; }));
  }
  /// Completes the oldest slow request that is still wanted; false if there is none.
  bool complete_next() {
    while (!queue_.empty()) {
      const std::shared_ptr<Pending> next = queue_.front();
      queue_.pop_front();
      if (!next->wanted) continue;
      next->request.spans = next->spans;
      const BlockResult result = carry_out(next->request);
      auto handler = std::move(next->handler);
      handler(result);
      return true;
    }
    return false;
  }

  Bytes content;
  bool slow = false;
  bool protect = false;
  bool discards = false;
  /// What the next requests answer, once they reach byte `offset`; bytes before it are moved.
  std::optional<BlockFailure> failure;
  unsigned requests = 0;
  unsigned flushes = 0;
  unsigned discarded = 0;
  std::uint64_t largest = 0;

 private:
  struct Pending {
    BlockRequest request;
    std::vector<MutableByteView> spans;
    BlockHandler handler;
    bool wanted = true;
  };
  struct Claim final : BlockClaim {
    explicit Claim(std::shared_ptr<Pending> p) : pending(std::move(p)) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() override {
      pending->wanted = false;
      pending->spans.clear();
      pending->handler = nullptr;
    }
    std::shared_ptr<Pending> pending;
  };

  BlockResult carry_out(const BlockRequest& request) {
    if (request.operation == BlockOperation::flush) {
      ++flushes;
      if (failure) return std::unexpected(*failure);
      return {};
    }
    const bool fails = failure && failure->offset < request.offset + request.length;
    std::uint64_t length = request.length;
    if (fails) length = failure->offset > request.offset ? failure->offset - request.offset : 0;
    const MutableByteView here = MutableByteView(content).subspan(request.offset, length);
    SpanCursor cursor(request.spans);
    if (request.operation == BlockOperation::read) cursor.put(here);
    if (request.operation == BlockOperation::write) cursor.take(here);
    if (request.operation == BlockOperation::discard) {
      ++discarded;
      std::ranges::fill(here, std::byte{0});
    }
    if (fails) return std::unexpected(BlockFailure{failure->error, std::max(failure->offset, request.offset)});
    return {};
  }

  const std::uint32_t block_size_;
  std::deque<std::shared_ptr<Pending>> queue_;
};

}  // namespace periplex::usb::device::testing
