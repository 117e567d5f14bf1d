// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/requests.hpp"

#include <algorithm>

namespace periplex::remote::usbredir {

std::uint32_t Requests::lane_of(const usb::Transfer& transfer) {
  return std::uint32_t{transfer.endpoint().value} << 16 | transfer.stream;
}

void Requests::add(MessageId id, usb::TransferPtr transfer) {
  const std::uint32_t lane = lane_of(*transfer);
  by_id_.emplace(id, lane);
  by_transfer_.emplace(transfer->id(), id);
  lanes_[lane].push_back({.id = id, .transfer = std::move(transfer), .answer = std::nullopt});
}

Requests::Entry* Requests::entry(MessageId id) {
  const auto lane = by_id_.find(id);
  if (lane == by_id_.end()) return nullptr;
  const auto found = std::ranges::find(lanes_[lane->second], id, &Entry::id);
  return found == lanes_[lane->second].end() ? nullptr : &*found;
}

usb::Transfer* Requests::find(MessageId id) {
  Entry* const found = entry(id);
  return found == nullptr || found->answer ? nullptr : found->transfer.get();
}

void Requests::finish(MessageId id, usb::Completion completion) {
  Entry* const found = entry(id);
  if (found == nullptr || found->answer) return;
  found->answer = completion;
  flush(by_id_[id]);
}

void Requests::flush(std::uint32_t lane) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return;
  Lane& entries = found->second;
  while (!entries.empty() && entries.front().answer) {
    Entry first = std::move(entries.front());
    entries.pop_front();
    by_id_.erase(first.id);
    by_transfer_.erase(first.transfer->id());
    completions_.push(std::move(first.transfer), *first.answer);
  }
  if (entries.empty()) lanes_.erase(found);
}

std::optional<MessageId> Requests::cancel(usb::TransferId transfer) {
  const auto known = by_transfer_.find(transfer);
  if (known == by_transfer_.end()) return std::nullopt;
  const MessageId id = known->second;
  const std::uint32_t lane = by_id_[id];
  Lane& entries = lanes_[lane];
  const auto found = std::ranges::find(entries, id, &Entry::id);
  if (found->answer) return std::nullopt;  // it goes back as it ended, once those before it have
  usb::TransferPtr given_back = std::move(found->transfer);
  entries.erase(found);
  by_id_.erase(id);
  by_transfer_.erase(known);
  completions_.push(std::move(given_back), {usb::Status::cancelled, 0});
  flush(lane);
  return id;
}

void Requests::finish_all(usb::Status status) {
  by_id_.clear();
  by_transfer_.clear();
  for (auto& [lane, entries] : std::exchange(lanes_, {})) {
    for (Entry& each : entries) {
      completions_.push(std::move(each.transfer), each.answer.value_or(usb::Completion{status, 0}));
    }
  }
}

}  // namespace periplex::remote::usbredir
