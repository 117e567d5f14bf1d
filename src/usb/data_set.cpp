// SPDX-License-Identifier: Apache-2.0
#include "usb/data_set.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::usb {

std::expected<void, guest::Fault> scatter(guest::Memory& memory, const TransferData& data, std::uint64_t offset,
                                          std::uint64_t size, std::span<const Piece> pieces) {
  for (const Piece& piece : pieces) {
    std::uint64_t left = std::min<std::uint64_t>(size, piece.length);
    size -= left;
    guest::GuestAddress to = piece.address;
    std::uint64_t passed = 0;
    for (const MutableByteView span : data.spans()) {
      if (left == 0) break;
      const std::uint64_t begin = offset > passed ? std::min<std::uint64_t>(offset - passed, span.size()) : 0;
      passed += span.size();
      const ByteView part = ByteView(span).subspan(begin).first(std::min<std::uint64_t>(left, span.size() - begin));
      if (part.empty()) continue;
      if (auto done = memory.write(to, part); !done) return done;
      to = to + part.size();
      offset += part.size();
      left -= part.size();
    }
    if (size == 0) break;
  }
  return {};
}

void DataSet::add(guest::GuestAddress address, std::uint32_t length) {
  parts_.push_back({{address, length}, size_, {}});
  size_ += length;
}

void DataSet::add_immediate(ByteView bytes) {
  parts_.push_back({{{}, static_cast<std::uint32_t>(bytes.size())}, size_, Bytes(bytes.begin(), bytes.end())});
  size_ += bytes.size();
  has_immediate_ = true;
}

std::expected<TransferData, guest::Fault> DataSet::gather(const guest::Memory& memory, Direction direction,
                                                          Holding holding, std::uint64_t skip) const {
  const bool pinned = holding == Holding::pinned && !has_immediate_;
  return pinned ? pin(memory, direction, skip) : copy(memory, direction, skip);
}

std::expected<TransferData, guest::Fault> DataSet::pin(const guest::Memory& memory, Direction direction,
                                                       std::uint64_t skip) const {
  const guest::Intent intent = direction == Direction::in ? guest::Intent::write : guest::Intent::read;
  guest::PinnedRange all;
  for (const Part& part : parts_) {
    const std::uint64_t skipped = skipped_of(part, skip);
    auto range = memory.pin(part.piece.address + skipped, part.piece.length - skipped, intent);
    if (!range) return std::unexpected(range.error());
    all.append(std::move(*range));
  }
  return TransferData::pinned(std::move(all));
}

std::expected<TransferData, guest::Fault> DataSet::copy(const guest::Memory& memory, Direction direction,
                                                        std::uint64_t skip) const {
  Bytes bytes(size_ - std::min(skip, size_));
  MutableByteView rest(bytes);
  for (const Part& part : parts_) {
    const std::uint64_t skipped = skipped_of(part, skip);
    const std::uint64_t length = part.piece.length - skipped;
    const MutableByteView to = rest.first(length);
    rest = rest.subspan(length);
    if (!part.immediate.empty()) {
      std::ranges::copy(ByteView(part.immediate).subspan(skipped), to.begin());
      continue;
    }
    const guest::GuestAddress from = part.piece.address + skipped;
    const auto done =
        direction == Direction::out ? memory.read(from, to) : memory.check(from, length, guest::Intent::write);
    if (!done) return std::unexpected(done.error());
  }
  return TransferData::owned(std::move(bytes));
}

std::uint64_t DataSet::skipped_of(const Part& part, std::uint64_t skip) {
  return std::min<std::uint64_t>(part.piece.length, skip > part.offset ? skip - part.offset : 0);
}

std::expected<void, guest::Fault> DataSet::scatter(guest::Memory& memory, const TransferData& data,
                                                   std::uint64_t actual, Holding holding) const {
  if (holding == Holding::pinned && !has_immediate_) return {};
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Portion got = portion(i, actual);
    if (got.moved == 0 || !parts_[i].immediate.empty()) continue;
    if (auto done = usb::scatter(memory, data, parts_[i].offset, got.moved, {&parts_[i].piece, 1}); !done) return done;
  }
  return {};
}

DataSet::Portion DataSet::portion(std::size_t index, std::uint64_t actual) const {
  PERIPLEX_CHECK(index < parts_.size());
  const Part& part = parts_[index];
  const std::uint64_t left = actual > part.offset ? actual - part.offset : 0;
  return {part.piece.length, static_cast<std::uint32_t>(std::min<std::uint64_t>(left, part.piece.length))};
}

}  // namespace periplex::usb
