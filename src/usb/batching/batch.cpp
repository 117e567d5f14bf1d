// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/batch.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace periplex::usb::batching {
namespace {

/// Whether a data set ends with `descriptor`, in a queue whose full packets have `full` bytes.
bool ends_data_set(const Descriptor& descriptor, std::uint32_t full) {
  return descriptor.interrupt_on_complete || full == 0 || descriptor.length == 0 || descriptor.length % full != 0;
}

/// Whether the bytes behind `head` are those at the beginning of `sent`.
bool same_bytes(const guest::Memory& memory, const Descriptor& head, ByteView sent) {
  Bytes now;
  for (const Piece& piece : head.pieces()) {
    now.resize(piece.length);
    if (!memory.read(piece.address, now) || !std::ranges::equal(now, sent.first(piece.length))) return false;
    sent = sent.subspan(piece.length);
  }
  return true;
}

}  // namespace

Batch Batch::walk(QueueView& queue, const Descriptor& first) {
  Batch batch(first);
  batch.add(first);
  // UHCI does not say how large a full packet is, but a data set begins with one if it has more than one.
  const std::uint32_t full = first.packet_size != 0 ? first.packet_size : first.length;
  Descriptor last = first;
  while (!ends_data_set(last, full) && batch.outrecords_.size() < kMaxPackets) {
    const std::optional<Descriptor> next = queue.after(last.address);
    if (!next || next->pid != first.pid || batch.size() + next->length > kMaxBytes) break;
    if (first.packet_size == 0 && next->length > full) break;
    if (next->length == 0) break;  // an empty packet that tells the device where the data set ends is one of its own
    batch.add(*next);
    last = *next;
  }
  return batch;
}

void Batch::add(const Descriptor& descriptor) {
  outrecords_.push_back({descriptor.address, descriptor.words, descriptor.length, data_set_.size()});
  for (const Piece& piece : descriptor.pieces()) data_set_.add(piece.address, piece.length);
}

std::expected<TransferData, guest::Fault> Batch::gather(const guest::Memory& memory) {
  auto data = data_set_.gather(memory, direction_, Holding::copied, first_bytes_.size());
  if (data && direction_ == Direction::out) sent_ = data->share();
  return data;
}

bool Batch::matches(const Descriptor& head, const Verification& verification, const guest::Memory& memory) const {
  return matches(retired_, head, verification, memory);
}

bool Batch::stands(QueueView& queue, std::optional<Descriptor>& next, const Verification& verification,
                   const guest::Memory& memory) const {
  std::optional<Descriptor> at = next;
  for (std::size_t i = retired_; i < outrecords_.size(); ++i) {
    if (!at || !matches(i, *at, verification, memory)) return false;
    at = queue.after(at->address);
  }
  next = at;
  return true;
}

bool Batch::matches(std::size_t index, const Descriptor& head, const Verification& verification,
                    const guest::Memory& memory) const {
  const Outrecord& record = outrecords_[index];
  if (head.pid != pid_ || head.length != record.length) return false;
  if (verification.addresses && head.address != record.address) return false;
  if (verification.descriptors && head.words != record.words) return false;
  const bool compares_data = sent_ && (was_away || (verification.data && completion_));
  return !compares_data || same_bytes(memory, head, ByteView(*sent_).subspan(record.offset, record.length));
}

std::optional<Outcome> Batch::outcome() const {
  const Outrecord& record = outrecords_[retired_];
  const std::uint64_t actual = std::min<std::uint64_t>(completion_->actual, size());
  const std::uint64_t left = actual > record.offset ? actual - record.offset : 0;
  const auto moved = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, record.length));
  if (completion_->status == Status::ok) {
    return Outcome{Status::ok, direction_ == Direction::out ? record.length : moved};
  }
  if (moved == record.length && moved != 0) return Outcome{Status::ok, moved};
  if (completion_->status == Status::cancelled) return std::nullopt;
  return Outcome{completion_->status, moved};
}

std::expected<void, guest::Fault> Batch::scatter(guest::Memory& memory, const Descriptor& head,
                                                 const Outcome& outcome) const {
  if (direction_ == Direction::out || outcome.actual == 0) return {};
  return usb::scatter(memory, data_, outrecords_[retired_].offset, outcome.actual, head.pieces());
}

void Batch::retire(const Outcome& outcome) {
  PERIPLEX_CHECK(!finished());
  ++retired_;
  given_ += outcome.actual;
}

void Batch::complete(Completion completion, TransferData data) {
  completion_ = completion;
  data_ = std::move(data);
  if (first_bytes_.empty()) return;
  const Bytes rest = data_.copy(completion.actual);
  first_bytes_.insert(first_bytes_.end(), rest.begin(), rest.end());
  completion_->actual = static_cast<std::uint32_t>(first_bytes_.size());
  data_ = TransferData::owned(std::exchange(first_bytes_, {}));
}

Bytes Batch::left_over() const {
  if (direction_ == Direction::out || !completion_) return {};
  const std::uint64_t actual = std::min<std::uint64_t>(completion_->actual, data_.size());
  if (actual <= given_) return {};
  Bytes rest(actual - given_);
  data_.read(given_, rest);
  return rest;
}

bool Batch::ended_short() const {
  return completion_ && completion_->status == Status::ok && completion_->actual < size();
}

}  // namespace periplex::usb::batching
