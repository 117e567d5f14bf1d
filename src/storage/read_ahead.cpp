// SPDX-License-Identifier: Apache-2.0
#include "storage/read_ahead.hpp"

#include <algorithm>
#include <utility>

namespace periplex::storage {

void ReadAhead::set_geometry(std::uint32_t block_size, std::uint64_t blocks) {
  if (block_size < kMinBlock || block_size > kMaxBlock) blocks = 0;  // no disk has such: nothing is read ahead
  if (block_size == block_size_ && blocks == blocks_) return;
  drop();
  block_size_ = block_size;
  blocks_ = blocks;
}

ReadAhead::Found ReadAhead::read(BlockRange range, Reader& reader, Bytes& data) {
  if (!options_.enabled || range.blocks == 0 || range.lba > blocks_ || range.blocks > blocks_ - range.lba) {
    return Found::no;  // with blocks there is a block size
  }
  if (!pieces_.empty() && pieces_.front().arrived && clock_.now() - pieces_.front().arrived_at > kMaxAge) drop();
  note(range);
  if (!reaches(range)) {
    ++counters_.misses;
    if (active_ && range.lba == next_) {
      position_ = next_ = range.lba + range.blocks;
      trim();
    } else if (sequence_ >= kSequence) {
      begin_at(range);
    } else if (++misses_in_a_row_ >= kMaxMissesInARow) {
      drop();
    }
    pump();
    return Found::no;
  }
  ++counters_.hits;
  misses_in_a_row_ = 0;
  position_ = std::max(position_, range.lba + range.blocks);
  if (!arrived(range)) {
    waiters_.push_back({range, &reader});
    pump();
    return Found::later;
  }
  data = assemble(range);
  trim();
  pump();
  return Found::here;
}

void ReadAhead::note(BlockRange range) {
  sequence_ = range.lba == last_end_ ? std::min(sequence_ + 1, kSequence) : 0;
  last_end_ = range.lba + range.blocks;
}

void ReadAhead::begin_at(BlockRange after) {
  drop();
  if (held_ > 0 || blocks_ == 0) return;
  misses_in_a_row_ = 0;
  active_ = true;
  position_ = next_ = after.lba + after.blocks;
  // Two of them fit into the smallest limit, so that one is on its way while the guest has the other.
  const std::uint64_t most = std::min(kMaxPiece, options_.limit / 2) / block_size_;
  piece_blocks_ = std::max<std::uint64_t>(1, std::min(std::max(after.blocks, kPiece / block_size_), most));
}

/// Whether `range` lies in what is read ahead; where it only begins there, the rest is asked for now.
bool ReadAhead::reaches(BlockRange range) {
  if (pieces_.empty() || range.lba < pieces_.front().range.lba || range.lba >= next_) return false;
  const std::uint64_t end = range.lba + range.blocks;
  if (end <= next_) return true;
  if (held_ > 0 || end > blocks_ || (end - next_) * block_size_ > kMaxPiece) return false;
  ask(end - next_);
  return true;
}

void ReadAhead::ask(std::uint64_t blocks) {
  const BlockRange range{next_, blocks};
  next_ += blocks;
  counters_.fetched_bytes += blocks * block_size_;
  const auto on_the_way = std::ranges::count(pieces_, false, &Piece::arrived);
  const std::uint64_t ticket = fetcher_.fetch(range);
  pieces_.push_back({.ticket = ticket,
                     .range = range,
                     .asked = clock_.now(),
                     .delivered_before = delivered_,
                     .alone = on_the_way <= 1});
}

void ReadAhead::pump() {
  if (!active_ || held_ > 0) return;
  while (next_ < blocks_ && ahead() + piece_bytes() <= window()) ask(std::min(piece_blocks_, blocks_ - next_));
}

std::uint64_t ReadAhead::ahead() const {
  return next_ > position_ ? (next_ - position_) * block_size_ : 0;
}

std::uint64_t ReadAhead::window() const {
  const double rate = *std::ranges::max_element(rates_);
  const auto fills = static_cast<std::uint64_t>(2.0 * rate * static_cast<double>(shortest_.count()));
  return std::min(std::max(fills, 2 * piece_bytes()), options_.limit);
}

void ReadAhead::measure(const Piece& piece) {
  const Nanoseconds took = std::max(clock_.now() - piece.asked, Nanoseconds(1));
  shortest_ = piece.alone || shortest_ == Nanoseconds{} ? took : std::min(shortest_, took);
  delivered_ += piece.range.blocks * block_size_;
  rates_[sample_++ % kSamples] =
      static_cast<double>(delivered_ - piece.delivered_before) / static_cast<double>(took.count());
}

void ReadAhead::on_fetched(std::uint64_t ticket, bool good, Bytes data) {
  const auto piece = std::ranges::find(pieces_, ticket, &Piece::ticket);
  if (piece == pieces_.end()) return;
  if (!good || data.size() != piece->range.blocks * block_size_) {
    sequence_ = 0;  // what follows is not touched before the guest has gone on by itself
    return drop();
  }
  piece->arrived = true;
  piece->arrived_at = clock_.now();
  piece->data = std::move(data);
  measure(*piece);
  // Whoever is served may read again, or abort somebody else, at once.
  for (;;) {
    const auto served = std::ranges::find_if(waiters_, [this](const Waiter& each) { return arrived(each.range); });
    if (served == waiters_.end()) break;
    const Waiter waiter = *served;
    waiters_.erase(served);
    Bytes bytes = assemble(waiter.range);
    trim();
    waiter.reader->on_prefetched(std::move(bytes));
  }
  trim();
  pump();
}

bool ReadAhead::arrived(BlockRange range) const {
  const std::uint64_t end = range.lba + range.blocks;
  return std::ranges::all_of(
      pieces_, [&](const Piece& piece) { return piece.arrived || piece.end() <= range.lba || piece.range.lba >= end; });
}

Bytes ReadAhead::assemble(BlockRange range) {
  Bytes bytes;
  bytes.reserve(range.blocks * block_size_);
  const std::uint64_t end = range.lba + range.blocks;
  for (Piece& piece : pieces_) {
    const std::uint64_t from = std::max(piece.range.lba, range.lba);
    const std::uint64_t to = std::min(piece.end(), end);
    if (from >= to) continue;
    const std::uint64_t length = (to - from) * block_size_;
    const ByteView part = ByteView(piece.data).subspan((from - piece.range.lba) * block_size_, length);
    bytes.insert(bytes.end(), part.begin(), part.end());
    piece.used = std::min<std::uint64_t>(piece.used + length, piece.range.blocks * block_size_);
  }
  return bytes;
}

/// Lets go of what the guest has passed.
void ReadAhead::trim() {
  std::uint64_t needed = position_;
  for (const Waiter& waiter : waiters_) needed = std::min(needed, waiter.range.lba);
  while (!pieces_.empty() && pieces_.front().end() <= needed) {
    discard(pieces_.front());
    pieces_.pop_front();
  }
}

void ReadAhead::discard(Piece& piece) {
  counters_.wasted_bytes += piece.range.blocks * block_size_ - piece.used;
  if (!piece.arrived) fetcher_.abandon(piece.ticket);
}

void ReadAhead::forget(const Reader& reader) {
  std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.reader == &reader; });
}

void ReadAhead::drop() {
  active_ = false;
  misses_in_a_row_ = 0;
  // The newest first, so that the far end, too, has not begun with those that follow.
  std::deque<Piece> pieces = std::exchange(pieces_, {});
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) discard(*piece);
  while (!waiters_.empty()) {
    Reader& reader = *waiters_.front().reader;
    waiters_.erase(waiters_.begin());
    --counters_.hits;
    ++counters_.misses;
    reader.on_not_prefetched();
  }
}

void ReadAhead::hold() {
  drop();
  ++held_;
}

void ReadAhead::release() {
  --held_;
  drop();
}

}  // namespace periplex::storage
