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
  if (std::exchange(was_away_, false)) look_for_all(queue);
  bool progressed = give_back(queue);
  if (hand_over(queue)) {
    progressed = true;
    give_back(queue);  // what came from the carry-over is there already
  }
  if (progressed) return Activity::progressed;
  return batches_.empty() ? Activity::idle : Activity::pending;
}

/// The queue was away, so any of its packets may have been taken out, not only the first. What it does not show any
/// more is cancelled at once, and no link of it is followed.
void DataPipe::look_for_all(QueueView& queue) {
  std::optional<Descriptor> next = queue.head();
  bool vanishes = false;
  for (Batch& batch : batches_) {
    batch.was_away = true;
    // Guest-bound data come in order: what stands behind data that nobody takes has to wait for them.
    if (batch.direction() == Direction::out) vanishes = false;
    vanishes = vanishes || !batch.stands(queue, next, surroundings_.verification(), surroundings_.memory());
    batch.vanished |= vanishes;
  }
  for (Batch& batch : std::views::reverse(batches_)) {
    if (batch.vanished) cancel(batch);
  }
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
    if (!head || front.forgotten || front.vanished ||
        !front.matches(*head, surroundings_.verification(), surroundings_.memory())) {
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
  if (batches_.front().direction() == Direction::in) {
    for (Batch& batch : batches_) batch.vanished = true;  // its data go to the first that ask, not to those behind it
  }
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

/// Whether some data sets have to come to their end before anything new is asked for.
bool DataPipe::resolving() const {
  return std::ranges::any_of(batches_, [](const Batch& batch) {
    return batch.vanished || batch.forgotten || (batch.cancelled && !batch.completion());
  });
}

/// Whether anything new was asked for.
bool DataPipe::hand_over(QueueView& queue) {
  if (resolving()) return false;
  bool any = false;
  std::uint64_t bytes = 0;
  for (const Batch& batch : batches_) bytes += batch.size();
  while (batches_.size() < kMaxInFlight && bytes < kMaxBytesInFlight) {
    if (!carry_over_.empty() && !batches_.empty()) break;  // one after the other, until it is used up
    const std::optional<Descriptor> first = next_new(queue);
    if (!first) break;
    Batch batch = Batch::walk(queue, *first);
    bytes += batch.size();
    const bool carries = batch.direction() == Direction::in && !carry_over_.empty();
    if (!(carries ? submit_with_carry_over(std::move(batch)) : submit(std::move(batch)))) break;
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

/// What had come before goes to the first that asks; the device is asked for the rest, unless it had come to an end.
bool DataPipe::submit_with_carry_over(Batch batch) {
  CarryOver& carried = carry_over_.front();
  const std::size_t size = std::min<std::size_t>(carried.bytes.size(), batch.size());
  Bytes bytes(carried.bytes.begin(), carried.bytes.begin() + static_cast<std::ptrdiff_t>(size));
  carried.bytes.erase(carried.bytes.begin(), carried.bytes.begin() + static_cast<std::ptrdiff_t>(size));
  const bool ends_here = size == batch.size() || carried.ended_short;
  if (carried.bytes.empty()) carry_over_.pop_front();
  if (!ends_here) {
    batch.begin_with(std::move(bytes));
    return submit(std::move(batch));
  }
  batch.complete({Status::ok, static_cast<std::uint32_t>(size)}, TransferData::owned(std::move(bytes)));
  batches_.push_back(std::move(batch));
  return true;
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
  for (Batch& batch : std::views::reverse(batches_)) cancel(batch);
}

void DataPipe::cancel(Batch& batch) {
  if (batch.completion() || std::exchange(batch.cancelled, true)) return;
  ++counters_.cancellations;
  device_.cancel(batch.id);
}

void DataPipe::withdraw() {
  note_absence();
  cancel_all();
}

/// Drivers empty the queue first.
void DataPipe::halt_cleared() {
  cancel_all();
  for (Batch& batch : batches_) batch.forgotten = true;
  std::erase_if(batches_, [](const Batch& batch) { return batch.completion().has_value(); });
  carry_over_.clear();
}

/// Of this interface or of another one: what the queue shows all the while is not meant, for drivers empty it first.
void DataPipe::interface_changed() {
  for (Batch& batch : batches_) batch.forgotten |= batch.cancelled;
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
