// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/bulk_streams.hpp"

#include <algorithm>
#include <utility>

namespace periplex::remote::usbredir {
namespace {

constexpr std::uint32_t kFewestStreams = 2;  // what Linux gives at least

}  // namespace

void BulkStreams::submit(usb::TransferPtr transfer, const EndpointInfo& endpoints) {
  const EndpointInfo::Entry& entry = endpoints.entries[index_of(transfer->endpoint())];
  const auto known = groups_.find(entry.interface);
  if (transfer->stream == 0) {
    const std::uint32_t bit = 1u << index_of(transfer->endpoint());
    if (known != groups_.end() && (known->second.endpoints & bit) != 0) free(entry.interface);
    return go_(std::move(transfer));
  }
  Group& group = known != groups_.end() ? known->second : groups_[entry.interface];
  if (group.state == State::none) {
    group.endpoints = 0;
    group.count = kMaxStreams;
    group.asked_again = false;
    for (std::size_t i = 0; i < kEndpoints; ++i) {
      const EndpointInfo::Entry& each = endpoints.entries[i];
      if (!each.is(usb::TransferType::bulk) || each.interface != entry.interface || each.max_streams == 0) continue;
      group.endpoints |= 1u << i;
      group.count = std::min(group.count, each.max_streams);
    }
    allocate(group);
  }
  submit_with_stream(group, std::move(transfer));
}

void BulkStreams::submit_with_stream(Group& group, usb::TransferPtr transfer) {
  const bool has_streams = (group.endpoints >> index_of(transfer->endpoint()) & 1) != 0;
  if (group.state == State::refused || !has_streams || transfer->stream > group.count) {
    return completions_.push(std::move(transfer), {usb::Status::error, 0});
  }
  if (group.state == State::allocating) return group.waiting.push_back(std::move(transfer));
  go_(std::move(transfer));
}

void BulkStreams::allocate(Group& group) {
  if (group.count < kFewestStreams || group.endpoints == 0) {
    group.state = State::refused;
    return release(group, usb::Status::error);
  }
  group.state = State::allocating;
  group.asked_by = wire_.request(AllocateStreams{.endpoints = group.endpoints, .count = group.count});
}

void BulkStreams::on_status(MessageId id, Result result) {
  for (auto& [interface, group] : groups_) {
    if (group.state != State::allocating || group.asked_by != id) continue;
    if (result == Result::success) {
      group.state = State::allocated;
      for (usb::TransferPtr& transfer : std::exchange(group.waiting, {}))
        submit_with_stream(group, std::move(transfer));
      return;
    }
    // libusbredirhost calls it a failure when it gets fewer, but keeps them.
    (void)wire_.request(FreeStreams{.endpoints = group.endpoints});
    if (std::exchange(group.asked_again, true)) group.count /= 2;
    return allocate(group);
  }
}

bool BulkStreams::cancel(usb::TransferId id) {
  for (auto& [interface, group] : groups_) {
    const auto found = std::ranges::find(group.waiting, id, [](const auto& transfer) { return transfer->id(); });
    if (found == group.waiting.end()) continue;
    completions_.push(std::move(*found), {usb::Status::cancelled, 0});
    group.waiting.erase(found);
    return true;
  }
  return false;
}

void BulkStreams::free(std::uint8_t interface) {
  const auto found = groups_.find(interface);
  if (found == groups_.end()) return;
  Group& group = found->second;
  if (group.state == State::allocating || group.state == State::allocated) {
    (void)wire_.request(FreeStreams{.endpoints = group.endpoints});
  }
  release(group, usb::Status::cancelled);
  groups_.erase(found);
}

void BulkStreams::forget(usb::Status status) {
  for (auto& [interface, group] : groups_) release(group, status);
  groups_.clear();
}

void BulkStreams::release(Group& group, usb::Status status) {
  for (usb::TransferPtr& transfer : std::exchange(group.waiting, {})) {
    completions_.push(std::move(transfer), {status, 0});
  }
}

}  // namespace periplex::remote::usbredir
