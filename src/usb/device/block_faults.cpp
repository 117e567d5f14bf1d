// SPDX-License-Identifier: Apache-2.0
#include "usb/device/block_faults.hpp"

#include <algorithm>

#include "usb/device/block_spans.hpp"

namespace periplex::usb::device {

BlockFaults::BlockFaults(std::unique_ptr<BlockBackend> inner, std::vector<BlockRange> unreadable)
    : inner_(std::move(inner)), unreadable_(std::move(unreadable)) {}

std::optional<std::uint64_t> BlockFaults::first_bad_byte(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t block = logical_block_size();
  std::optional<std::uint64_t> first;
  for (const BlockRange& range : unreadable_) {
    if (range.lba > size() / block) continue;
    const std::uint64_t begin = range.lba * block;
    const std::uint64_t end = std::min(range.blocks, size() / block - range.lba) * block + begin;
    if (begin >= offset + length || end <= offset) continue;
    first = std::min(first.value_or(~std::uint64_t{0}), std::max(begin, offset));
  }
  return first;
}

BlockStart BlockFaults::start(const BlockRequest& request, BlockHandler handler) {
  const auto bad =
      request.operation == BlockOperation::read ? first_bad_byte(request.offset, request.length) : std::nullopt;
  if (!bad) return inner_->start(request, std::move(handler));
  const BlockResult failure = std::unexpected(BlockFailure{BlockError::medium_error, *bad});
  if (*bad == request.offset) return failure;
  // What stands before the bad block is read, as a disk does.
  SpanCursor good(request.spans);
  BlockRequest shorter = request;
  shorter.length = *bad - request.offset;
  shorter.spans = good.peek(shorter.length);
  BlockStart start = inner_->start(shorter, [failure, handler = std::move(handler)](const BlockResult& result) mutable {
    handler(result ? failure : result);
  });
  if (auto* const result = std::get_if<BlockResult>(&start); result != nullptr && *result) return failure;
  return start;
}

}  // namespace periplex::usb::device
