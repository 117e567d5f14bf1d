// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/isochronous_pipe.hpp"

#include <algorithm>
#include <ranges>

#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::usb::batching {

IsochronousPipe::IsochronousPipe(Surroundings& surroundings, Device& device, EndpointAddress endpoint,
                                 std::uint64_t window)
    : surroundings_(surroundings), device_(device), endpoint_(endpoint), window_(window) {}

IsochronousPipe::~IsochronousPipe() {
  withdraw();
  abandon();
}

void IsochronousPipe::note(std::uint64_t interval) {
  if (interval <= last_interval_) return;
  const std::uint64_t gap = interval - last_interval_;
  period_ = gap <= window_ ? gap : 0;  // the first packet, or the first after a pause
  last_interval_ = interval;
}

void IsochronousPipe::show(std::uint64_t interval, const Descriptor& packet) {
  note(interval);
  if (!shown_.empty() && shown_.back().interval >= interval) return;
  shown_.push_back({interval, packet, false});
}

void IsochronousPipe::hand_over(std::uint64_t interval) {
  const auto first = std::ranges::find(shown_, false, &Shown::handed_over);
  if (first == shown_.end() || first->interval > interval + window_ / 2) return;
  if (endpoint_.direction() == Direction::out) {
    if (has_room_for(static_cast<std::size_t>(shown_.end() - first))) submit(first, shown_.end());
    return;
  }
  // Where intervals were missed, packets that were asked for then serve these.
  const std::size_t expected = in_flight_ + arrived_.size();
  if (expected < shown_.size()) submit(shown_.begin() + static_cast<std::ptrdiff_t>(expected), shown_.end());
  for (Shown& shown : shown_) shown.handed_over = true;
}

bool IsochronousPipe::has_room_for(std::size_t packets) const {
  return in_flight_ + packets <= kMaxIntervalsInFlight;
}

/// One request for the packets from `first` to `last`.
bool IsochronousPipe::submit(std::deque<Shown>::iterator first, std::deque<Shown>::iterator last) {
  DataSet data_set;
  std::vector<IsochronousPacket> packets;
  for (const Shown& shown : std::ranges::subrange(first, last)) {
    packets.push_back({.offset = static_cast<std::uint32_t>(data_set.size()), .length = shown.packet.length});
    for (const Piece& piece : shown.packet.pieces()) data_set.add(piece.address, piece.length);
  }
  auto data = data_set.gather(surroundings_.memory(), endpoint_.direction(), Holding::copied);
  if (!data) {
    surroundings_.memory_fault(data.error());
    return false;
  }
  for (Shown& shown : std::ranges::subrange(first, last)) shown.handed_over = true;
  const TransferId id = surroundings_.in_flight().enter(*this);
  trace::line("usb/batching", "endpoint {:#04x} request {} of {} isochronous packets", endpoint_.value, id.value,
              packets.size());
  requests_.push_back({id, packets.size()});
  in_flight_ += packets.size();
  ++counters_.requests;
  auto transfer =
      std::make_unique<Transfer>(surroundings_.in_flight(), id, endpoint_, endpoint_.direction(), std::move(*data));
  transfer->packets = std::move(packets);
  device_.submit(std::move(transfer));
  return true;
}

Outcome IsochronousPipe::carry_out(std::uint64_t interval, const Descriptor& packet) {
  note(interval);
  while (!shown_.empty() && shown_.front().interval < interval) shown_.pop_front();  // withdrawn since
  bool handed_over = false;
  if (!shown_.empty() && shown_.front().interval == interval) {
    const Shown& shown = shown_.front();
    handed_over = shown.handed_over && shown.packet.address == packet.address && shown.packet.words == packet.words &&
                  shown.packet.length == packet.length;
    shown_.pop_front();
  }
  ++counters_.guest_packets;
  const Outcome outcome =
      endpoint_.direction() == Direction::in ? carry_out_in(packet) : carry_out_out(packet, handed_over);
  counters_.bytes += outcome.actual;
  return outcome;
}

Outcome IsochronousPipe::carry_out_in(const Descriptor& packet) {
  if (arrived_.empty()) return missed();
  const Arrived arrived = std::move(arrived_.front());
  arrived_.pop_front();
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(arrived.bytes.size(), packet.length));
  Outcome outcome{arrived.status, size};
  if (size < arrived.bytes.size()) outcome.status = Status::babble;
  if (outcome.status != Status::ok) ++counters_.errors;
  const auto data = TransferData::owned(arrived.bytes);
  if (auto done = scatter(surroundings_.memory(), data, 0, size, packet.pieces()); !done) {
    surroundings_.memory_fault(done.error());
  }
  return outcome;
}

Outcome IsochronousPipe::carry_out_out(const Descriptor& packet, bool handed_over) {
  if (!handed_over) {  // it was queued, or changed, too late to be handed over ahead
    if (!has_room_for(1)) return missed();
    std::deque<Shown> one{{0, packet, false}};
    if (!submit(one.begin(), one.end())) return missed();
  }
  return {Status::ok, packet.length};
}

Outcome IsochronousPipe::missed() {
  ++counters_.missed_intervals;
  return {Status::error, 0};
}

void IsochronousPipe::on_transfer_complete(Transfer& transfer, Completion completion) {
  const auto request = std::ranges::find(requests_, transfer.id(), &Request::id);
  PERIPLEX_CHECK(request != requests_.end());
  in_flight_ -= request->packets;
  requests_.erase(request);
  ++counters_.data_sets;
  if (completion.status == Status::cancelled) return;
  for (const IsochronousPacket& packet : transfer.packets) {
    const Status status = completion.status == Status::ok ? packet.status : completion.status;
    if (transfer.direction() == Direction::out) {
      if (status != Status::ok) ++counters_.errors;
      continue;
    }
    Bytes bytes(status == Status::ok ? std::min(packet.actual, packet.length) : 0);
    transfer.data.read(packet.offset, bytes);
    arrived_.push_back({status, std::move(bytes)});
  }
}

void IsochronousPipe::withdraw() {
  // The newest first, as `Device::cancel` asks.
  for (const Request& request : std::views::reverse(requests_)) {
    ++counters_.cancellations;
    device_.cancel(request.id);
  }
  abandon();
}

void IsochronousPipe::abandon() {
  expect_nothing();
  for (const Request& request : requests_) surroundings_.in_flight().forget(request.id);
  requests_.clear();
  in_flight_ = 0;
  shown_.clear();
  arrived_.clear();
}

}  // namespace periplex::usb::batching
