// SPDX-License-Identifier: Apache-2.0
#include "attachment/remote_transfers.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "attachment/limits.hpp"

namespace periplex::attachment {

using usb::Completion;
using usb::Direction;
using usb::Status;
using usb::TransferType;

RemoteTransfers::RemoteTransfers(Listener& listener, MessageStream& stream, Completions& completions,
                                 Scheduler& scheduler, PeripheralCounters& counters, Nanoseconds control_patience)
    : listener_(listener),
      stream_(stream),
      completions_(completions),
      scheduler_(scheduler),
      counters_(counters),
      control_patience_(control_patience),
      timer_(scheduler.make_timer([this] { lose_patience(); })) {}

RemoteTransfers::~RemoteTransfers() {
  for (auto& [id, flight] : flights_) give_back(flight, {Status::disconnected, 0});
}

void RemoteTransfers::submit(usb::TransferPtr transfer, TransferType type) {
  const std::uint64_t id = ++last_id_;
  ids_.emplace(transfer->id(), id);
  std::size_t length = transfer->data.size();
  if (transfer->setup) length = std::min<std::size_t>(length, transfer->setup->length);
  if (type == TransferType::control) ++control_pending_;
  Flight flight{.setup = transfer->setup,
                .endpoint = transfer->endpoint(),
                .direction = transfer->direction(),
                .type = type,
                .stream = transfer->stream,
                .length = static_cast<std::uint32_t>(length),
                .submitted = scheduler_.now(),
                .held = !stream_.open()};
  flight.transfer = std::move(transfer);
  flights_.emplace(id, std::move(flight));
  queue_.push_back({id, {}});
  flush();
  if (type == TransferType::control && !stream_.open()) arm();
}

void RemoteTransfers::post(Bytes message) {
  if (waiting_messages_ >= kMaxWaitingMessages) return listener_.on_overrun();
  ++waiting_messages_;
  queue_.push_back({0, std::move(message)});
  flush();
}

void RemoteTransfers::flush() {
  while (!queue_.empty() && stream_.has_room()) {
    Entry& first = queue_.front();
    if (first.id == 0) {
      Bytes message = std::move(first.message);
      queue_.pop_front();
      --waiting_messages_;
      stream_.send(std::move(message));
      continue;
    }
    const auto flight = flights_.find(first.id);
    if (!may_send(flight->second)) return;
    queue_.pop_front();
    send(flight->first, flight->second);
  }
}

bool RemoteTransfers::may_send(const Flight& flight) const {
  if (sent_ == 0) return true;
  return sent_ < kMaxTransfers && sent_bytes_ + flight.length <= kMaxTransferBytesInFlight;
}

void RemoteTransfers::send(std::uint64_t id, Flight& flight) {
  flight.sent = true;
  ++sent_;
  sent_bytes_ += flight.length;
  ++counters_.submitted;
  stream_.send(encode(Submit{.id = id,
                             .endpoint = flight.endpoint,
                             .direction = flight.direction,
                             .type = flight.type,
                             .stream = flight.stream,
                             .setup = flight.setup,
                             .length = flight.length,
                             .data = {}},
                      flight.transfer->data));
}

Verdict RemoteTransfers::on_complete(ByteView body) {
  const auto message = Complete::parse(body);
  if (!message) return violation("a broken COMPLETE");
  const auto found = flights_.find(message->id);
  if (found == flights_.end() || !found->second.sent) return violation("a result for a transfer that it has not got");
  Flight& flight = found->second;
  const std::size_t carried = flight.direction == Direction::in ? message->actual : 0;
  if (message->actual > flight.length || message->data.size() != carried) {
    return violation("a result of the wrong length");
  }
  if (overtakes(found)) return violation("results out of order");
  if (flight.transfer) {
    if (flight.direction == Direction::in) flight.transfer->data.write(0, message->data);
    give_back(flight, {message->status, message->actual});
  } else {
    ++counters_.late_results;
  }
  const Flight ended = std::move(flight);
  flights_.erase(found);
  --sent_;
  sent_bytes_ -= ended.length;
  if (ended.setup && !ended.before_reset) listener_.on_control_result(*ended.setup, message->status);
  flush();
  return {};
}

/// Transfers of one endpoint, or of one of its streams, end in order; those that were cancelled may end sooner.
bool RemoteTransfers::overtakes(Flights::const_iterator flight) const {
  if (!flight->second.transfer || flight->second.cancelled) return false;
  const auto blocks = [&](const auto& earlier) {
    const Flight& other = earlier.second;
    return other.transfer && other.endpoint == flight->second.endpoint && other.stream == flight->second.stream;
  };
  return std::any_of(flights_.begin(), flight, blocks);
}

void RemoteTransfers::give_back(Flight& flight, Completion completion) {
  if (!flight.transfer) return;
  if (flight.type == TransferType::control) --control_pending_;
  ids_.erase(flight.transfer->id());
  completions_.push(std::move(flight.transfer), completion);
}

/// The guest waits no longer. What has been sent goes on at the agent, unless it can be stopped.
void RemoteTransfers::give_up(Flights::iterator flight, Completion completion) {
  ++counters_.given_up;
  give_back(flight->second, completion);
  if (flight->second.sent) return;
  forget_unsent(flight->first);
  flights_.erase(flight);
}

void RemoteTransfers::forget_unsent(std::uint64_t id) {
  const auto found = std::ranges::find(queue_ | std::views::reverse, id, &Entry::id);
  if (found != queue_.rend()) queue_.erase(std::next(found).base());
}

void RemoteTransfers::cancel(usb::TransferId id) {
  const auto known = ids_.find(id);
  if (known == ids_.end()) return;
  const auto flight = flights_.find(known->second);
  if (!flight->second.sent) return give_up(flight, {Status::cancelled, 0});
  if (flight->second.cancelled) return;
  flight->second.cancelled = scheduler_.now();
  const std::uint64_t wire_id = flight->first;
  if (!stream_.open()) {
    give_up(flight, {Status::cancelled, 0});
  } else {
    arm();
  }
  post(Cancel{wire_id}.encode());
}

void RemoteTransfers::reset() {
  queue_.clear();
  waiting_messages_ = 0;
  for (auto flight = flights_.begin(); flight != flights_.end();) {
    give_back(flight->second, {Status::cancelled, 0});
    flight->second.before_reset = true;
    flight = flight->second.sent ? std::next(flight) : flights_.erase(flight);
  }
}

void RemoteTransfers::on_disconnected() {
  for (auto& [id, flight] : flights_) {
    flight.held = true;
    if (!flight.cancelled || !flight.transfer) continue;
    ++counters_.given_up;
    give_back(flight, {Status::cancelled, 0});
  }
  arm();
}

/// When the guest is not to wait any longer.
std::optional<Nanoseconds> RemoteTransfers::patience_ends(const Flight& flight) const {
  if (!flight.transfer) return std::nullopt;
  if (flight.cancelled) return *flight.cancelled + kCancelPatience;
  if (flight.type == TransferType::control && flight.held) return flight.submitted + control_patience_;
  return std::nullopt;
}

void RemoteTransfers::lose_patience() {
  const Nanoseconds now = scheduler_.now();
  for (auto flight = flights_.begin(); flight != flights_.end();) {
    const auto current = flight++;
    const auto ends = patience_ends(current->second);
    if (!ends || *ends > now) continue;
    const bool was_cancelled = current->second.cancelled.has_value();
    const bool stop = current->second.sent && !was_cancelled;
    const std::uint64_t id = current->first;
    give_up(current, {was_cancelled ? Status::cancelled : Status::error, 0});
    if (stop) post(Cancel{id}.encode());
  }
  arm();
}

void RemoteTransfers::arm() {
  std::optional<Nanoseconds> first;
  for (const auto& [id, flight] : flights_) {
    const auto ends = patience_ends(flight);
    if (ends && (!first || *ends < *first)) first = ends;
  }
  if (!first) return timer_->cancel();
  timer_->arm(std::max(*first - scheduler_.now(), Nanoseconds(0)));
}

}  // namespace periplex::attachment
