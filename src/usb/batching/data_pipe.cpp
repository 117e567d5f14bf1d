// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/data_pipe.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/trace.hpp"

namespace periplex::usb::batching {

DataPipe::DataPipe(Surroundings& surroundings, Device& device, EndpointAddress endpoint, TransferType type)
    : surroundings_(surroundings), device_(device), endpoint_(endpoint), type_(type) {}

DataPipe::~DataPipe() {
  cancel_all();
  abandon();
}

Activity DataPipe::visit(QueueView& queue) {
  bool progressed = give_back(queue);
  if (hand_over(queue)) {
    progressed = true;
    give_back(queue);  // what came from the carry-over is there already
  }
  if (progressed) return Activity::progressed;
  return batches_.empty() ? Activity::idle : Activity::pending;
}

/// Whether anything was given back or dropped.
bool DataPipe::give_back(QueueView& queue) {
  const std::uint64_t before = given_;
  bool passed = false;
  while (!batches_.empty() && give_back_front(queue) == Front::passed) passed = true;
  return passed || given_ != before;
}

DataPipe::Front DataPipe::give_back_front(QueueView& queue) {
  for (;;) {
    Batch& front = batches_.front();
    const std::optional<Descriptor> head = queue.head();
    if (!head || front.forgotten || !front.matches(*head, surroundings_.verification(), surroundings_.memory())) {
      return drop_changed(!head || front.forgotten);
    }
    if (!front.completion()) return Front::waits;
    const std::optional<Outcome> outcome = front.outcome();
    if (!outcome) {  // cancelled before it came to this packet: it is asked for anew
      resubmits_ = true;
      drop_front();
      return Front::passed;
    }
    const bool goes_on = give_packet(queue, *head, *outcome);
    const bool ended = front.finished() || outcome->status != Status::ok || outcome->ends_short(*head);
    if (ended) {
      ++counters_.data_sets;
      if (outcome->status != Status::ok) ++counters_.errors;
      drop_front();
    }
    // What was asked for ahead would come for packets that the guest may take away now.
    if (!goes_on) cancel_all();
    if (ended || !goes_on) return goes_on ? Front::passed : Front::waits;
  }
}

/// Gives `head` back; whether the queue goes on.
bool DataPipe::give_packet(QueueView& queue, const Descriptor& head, const Outcome& outcome) {
  Batch& front = batches_.front();
  if (auto done = front.scatter(surroundings_.memory(), head, outcome); !done) {
    surroundings_.memory_fault(done.error());
    return false;
  }
  const bool goes_on = queue.retire(head, outcome);
  front.retire(outcome);
  ++given_;
  ++counters_.guest_packets;
  counters_.bytes += outcome.actual;
  return goes_on;
}

/// The queue no longer shows the packets of the oldest data set. What is not done of it is cancelled; once that is
/// known, whatever the queue shows by then becomes a new request.
DataPipe::Front DataPipe::drop_changed(bool withdrawn) {
  cancel_all();
  if (!batches_.front().completion()) return Front::waits;
  resubmits_ = !withdrawn;
  drop_front();
  return Front::passed;
}

void DataPipe::drop_front() {
  Batch& front = batches_.front();
  Bytes rest = front.forgotten ? Bytes() : front.left_over();
  if (!rest.empty()) carry_over_.push_back({std::move(rest), front.ended_short()});
  batches_.pop_front();
}

bool DataPipe::cancelling() const {
  return std::ranges::any_of(batches_, [](const Batch& batch) { return batch.cancelled && !batch.completion(); });
}

/// Whether anything new was asked for.
bool DataPipe::hand_over(QueueView& queue) {
  if (cancelling()) return false;
  bool any = false;
  std::uint64_t bytes = 0;
  for (const Batch& batch : batches_) bytes += batch.size();
  while (batches_.size() < kMaxInFlight && bytes < kMaxBytesInFlight) {
    const std::optional<Descriptor> first = next_new(queue);
    if (!first) break;
    Batch batch = Batch::walk(queue, *first);
    bytes += batch.size();
    if (batch.direction() == Direction::in && !carry_over_.empty()) {
      serve_from_carry_over(std::move(batch));
    } else if (!submit(std::move(batch))) {
      break;
    }
    any = true;
  }
  return any;
}

std::optional<Descriptor> DataPipe::next_new(QueueView& queue) const {
  return batches_.empty() ? queue.head() : queue.after(batches_.back().last());
}

bool DataPipe::submit(Batch batch) {
  auto data = batch.gather(surroundings_.memory());
  if (!data) {
    surroundings_.memory_fault(data.error());
    return false;
  }
  batch.id = surroundings_.in_flight().enter(*this);
  trace::line("usb/batching", "endpoint {:#04x} request {} of {} bytes", endpoint_.value, batch.id.value, batch.size());
  auto transfer =
      std::make_unique<Transfer>(surroundings_.in_flight(), batch.id, endpoint_, batch.direction(), std::move(*data));
  ++counters_.requests;
  if (std::exchange(resubmits_, false)) ++counters_.resubmissions;
  batches_.push_back(std::move(batch));
  device_.submit(std::move(transfer));
  return true;
}

void DataPipe::serve_from_carry_over(Batch batch) {
  CarryOver& carried = carry_over_.front();
  const std::size_t size = std::min<std::size_t>(carried.bytes.size(), batch.size());
  Bytes bytes(batch.size());
  std::ranges::copy(ByteView(carried.bytes).first(size), bytes.begin());
  carried.bytes.erase(carried.bytes.begin(), carried.bytes.begin() + static_cast<std::ptrdiff_t>(size));
  // Where the device had not come to an end, the packets that this does not cover are asked for.
  const bool more_to_come = !carried.ended_short && size < batch.size() && size >= batch.first_length();
  if (carried.bytes.empty()) carry_over_.pop_front();
  batch.complete({more_to_come ? Status::cancelled : Status::ok, static_cast<std::uint32_t>(size)},
                 TransferData::owned(std::move(bytes)));
  batches_.push_back(std::move(batch));
}

void DataPipe::on_transfer_complete(Transfer& transfer, Completion completion) {
  const auto batch = std::ranges::find(batches_, transfer.id(), &Batch::id);
  trace::line("usb/batching", "endpoint {:#04x} request {} {} {} bytes", endpoint_.value, transfer.id().value,
              name(completion.status), completion.actual);
  batch->complete(completion, std::move(transfer.data));
  surroundings_.answered();
}

void DataPipe::cancel_all() {
  // The newest first: a device that moves on to the next transfer when one ends must not find one that ends next.
  for (Batch& batch : std::views::reverse(batches_)) {
    if (batch.completion() || std::exchange(batch.cancelled, true)) continue;
    ++counters_.cancellations;
    device_.cancel(batch.id);
  }
}

void DataPipe::note_absence() {
  for (Batch& batch : batches_) batch.was_away = true;
}

void DataPipe::withdraw() {
  note_absence();
  cancel_all();
}

/// What the queue shows all the while is not meant: drivers empty a queue first.
void DataPipe::device_forgot() {
  for (Batch& batch : batches_) batch.forgotten |= batch.cancelled || batch.was_away;
  std::erase_if(batches_, [](const Batch& batch) { return batch.forgotten && batch.completion(); });
  carry_over_.clear();
}

bool DataPipe::in_flight() const {
  return std::ranges::any_of(batches_, [](const Batch& batch) { return !batch.completion(); });
}

void DataPipe::abandon() {
  for (const Batch& batch : batches_) surroundings_.in_flight().forget(batch.id);
  batches_.clear();
}

}  // namespace periplex::usb::batching
