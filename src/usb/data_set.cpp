// SPDX-License-Identifier: Apache-2.0
#include "usb/data_set.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::usb {

void DataSet::add(guest::GuestAddress address, std::uint32_t length) {
  pieces_.push_back({address, length, size_, {}});
  size_ += length;
}

void DataSet::add_immediate(ByteView bytes) {
  pieces_.push_back({{}, static_cast<std::uint32_t>(bytes.size()), size_, Bytes(bytes.begin(), bytes.end())});
  size_ += bytes.size();
  has_immediate_ = true;
}

std::expected<TransferData, guest::Fault> DataSet::gather(const guest::Memory& memory, Direction direction,
                                                          Holding holding, std::uint64_t skip) const {
  const guest::Intent intent = direction == Direction::in ? guest::Intent::write : guest::Intent::read;
  const bool pinned = holding == Holding::pinned && !has_immediate_;
  guest::PinnedRange all;
  Bytes bytes;
  if (!pinned) bytes.reserve(size_);
  for (const Piece& piece : pieces_) {
    const std::uint64_t skipped = std::min<std::uint64_t>(piece.length, skip > piece.offset ? skip - piece.offset : 0);
    const std::uint64_t length = piece.length - skipped;
    if (!piece.immediate.empty()) {
      bytes.insert(bytes.end(), piece.immediate.end() - static_cast<std::ptrdiff_t>(length), piece.immediate.end());
      continue;
    }
    auto range = memory.pin(piece.address + skipped, length, intent);
    if (!range) return std::unexpected(range.error());
    if (pinned) {
      all.append(std::move(*range));
    } else if (direction == Direction::in) {
      bytes.resize(bytes.size() + length);
    } else {
      for (const MutableByteView span : range->spans()) bytes.insert(bytes.end(), span.begin(), span.end());
    }
  }
  return pinned ? TransferData::pinned(std::move(all)) : TransferData::owned(std::move(bytes));
}

std::expected<void, guest::Fault> DataSet::scatter(guest::Memory& memory, const TransferData& data,
                                                   std::uint64_t actual, Holding holding) const {
  if (holding == Holding::pinned && !has_immediate_) return {};
  Bytes piece_bytes;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Portion part = portion(i, actual);
    if (part.moved == 0 || !pieces_[i].immediate.empty()) continue;
    piece_bytes.resize(part.moved);
    data.read(pieces_[i].offset, piece_bytes);
    if (auto done = memory.write(pieces_[i].address, piece_bytes); !done) return done;
  }
  return {};
}

DataSet::Portion DataSet::portion(std::size_t index, std::uint64_t actual) const {
  PERIPLEX_CHECK(index < pieces_.size());
  const Piece& piece = pieces_[index];
  const std::uint64_t left = actual > piece.offset ? actual - piece.offset : 0;
  return {piece.length, static_cast<std::uint32_t>(std::min<std::uint64_t>(left, piece.length))};
}

}  // namespace periplex::usb
