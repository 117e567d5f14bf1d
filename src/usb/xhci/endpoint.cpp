// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/endpoint.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::usb::xhci {
namespace {

/// The edges of figure 4-5.
constexpr bool is_edge(EndpointState from, EndpointState to) {
  switch (from) {
    case EndpointState::disabled:
      return to == EndpointState::running;
    case EndpointState::running:
      return to == EndpointState::halted || to == EndpointState::stopped || to == EndpointState::error;
    case EndpointState::halted:
      return to == EndpointState::stopped;
    case EndpointState::stopped:
      return to == EndpointState::running;
    case EndpointState::error:
      return to == EndpointState::stopped;
  }
  return false;
}

CompletionCode completion_code(Status status) {
  switch (status) {
    case Status::ok:
      return CompletionCode::success;
    case Status::stall:
      return CompletionCode::stall_error;
    case Status::babble:
      return CompletionCode::babble_detected_error;
    // A cancel that nobody here asked for means that the device was reset or left: it does not answer.
    case Status::error:
    case Status::cancelled:
    case Status::disconnected:
      break;
  }
  return CompletionCode::usb_transaction_error;
}

Direction ring_direction(unsigned dci) {
  return dci % 2 == 1 ? Direction::in : Direction::out;
}

}  // namespace

Endpoint::Endpoint(Services& services, SlotId slot, unsigned dci, const EndpointContext& context, DeviceContext output,
                   DeviceSource device)
    : services_(services),
      slot_(slot),
      dci_(dci),
      context_(context),
      output_(output),
      device_(std::move(device)),
      fetch_(context.dequeue()) {
  enter(EndpointState::running);
}

Endpoint::~Endpoint() {
  for (const Entry& entry : in_flight_) services_.in_flight().forget(entry.id);
  cancel_all();
}

void Endpoint::enter(EndpointState state) {
  PERIPLEX_CHECK(is_edge(state_, state));
  trace::line("usb/xhci", "slot {} endpoint {} state {} -> {}", slot_.value, dci_, static_cast<unsigned>(state_),
              static_cast<unsigned>(state));
  state_ = state;
  context_.set_state(state);
  if (!output_.write_endpoint(dci_, context_)) services_.host_system_error("device context");
}

TransferDescriptor::Report Endpoint::reporter() {
  return [this](const TransferDescriptor::Event& event) {
    services_.post_event(event.interrupter,
                         transfer_event(event.pointer, event.length, event.code, slot_, dci_, event.event_data),
                         event.block_interrupt);
  };
}

void Endpoint::ring_doorbell() {
  if (state_ == EndpointState::stopped && on_quiet_.empty()) enter(EndpointState::running);
  advance();
}

bool Endpoint::may_launch() const {
  return state_ == EndpointState::running && on_quiet_.empty() && in_flight_.size() < max_in_flight() &&
         services_.running() && services_.may_fetch();
}

void Endpoint::advance() {
  for (std::size_t fetched = 0; may_launch();) {
    if (fetched >= kMaxFetched) {
      if (!std::exchange(advances_later_, true)) services_.advance_later(slot_, dci_);
      return;
    }
    auto assembled = assemble();
    if (assembled && !*assembled) return;
    // A mistake is reported in its turn: after what stands before it on the ring.
    if (!assembled) return in_flight_.empty() ? malformed(assembled.error()) : void();
    fetched += (*assembled)->trbs();
    if (!in_flight_.empty() && trbs_in_flight_ + (*assembled)->trbs() > TransferDescriptor::kMaxTrbs) return;
    if (!launch(std::move(**assembled))) return;
  }
}

void Endpoint::advance_again() {
  advances_later_ = false;
  advance();
}

TransferDescriptor::Assembled Endpoint::assemble() const {
  if (type() == TransferType::control) return TransferDescriptor::assemble_control(services_.memory(), fetch_);
  return TransferDescriptor::assemble_normal(services_.memory(), fetch_, ring_direction(dci_));
}

/// Makes one transfer of `td`; false where it has to wait or the endpoint does not run any more.
bool Endpoint::launch(TransferDescriptor td) {
  Device* device = device_();
  if (td.is_no_op() || device == nullptr) {
    if (!in_flight_.empty()) return false;
    if (device == nullptr) {
      fail(td, CompletionCode::usb_transaction_error, 0);
      return false;
    }
    fetch_ = td.next();
    td.report_done(0, reporter());
    return true;
  }
  // A control transfer begins again with its Setup stage; another goes on where it was stopped.
  const std::uint64_t skipped = td.setup() ? 0 : std::min(std::exchange(moved_before_, 0), td.data().size());
  auto data = td.data().gather(services_.memory(), td.direction(), Holding::pinned, skipped);
  if (!data) {
    if (in_flight_.empty()) malformed({std::nullopt, td.first()});
    return false;
  }
  const TransferId id = services_.in_flight().enter(*this);
  auto transfer =
      std::make_unique<Transfer>(services_.in_flight(), id, endpoint_address(dci_), td.direction(), std::move(*data));
  transfer->setup = td.setup();
  fetch_ = td.next();
  ++counters_.requests;
  trace::line("usb/xhci", "slot {} endpoint {} transfer {} of {} bytes", slot_.value, dci_, id.value, td.data().size());
  trbs_in_flight_ += td.trbs();
  in_flight_.push_back({.td = std::move(td), .id = id, .skipped = skipped});
  device->submit(std::move(transfer));
  return true;
}

void Endpoint::on_transfer_complete(const Transfer& transfer, Completion completion) {
  const auto entry = std::ranges::find(in_flight_, transfer.id(), &Entry::id);
  PERIPLEX_CHECK(entry != in_flight_.end());
  entry->completion = completion;
  trace::line("usb/xhci", "slot {} endpoint {} transfer {} {} {} bytes", slot_.value, dci_, transfer.id().value,
              name(completion.status), completion.actual);
  while (!in_flight_.empty() && in_flight_.front().completion) {
    Entry front = std::move(in_flight_.front());
    in_flight_.pop_front();
    trbs_in_flight_ -= front.td.trbs();
    retire(std::move(front));
  }
  if (on_quiet_.empty()) return advance();
  if (!in_flight_.empty()) return;
  std::vector<Done> waiting = std::exchange(on_quiet_, {});
  for (Done& done : waiting) done();  // may end this endpoint's life
}

void Endpoint::retire(Entry entry) {
  const Completion completion = *entry.completion;
  const std::uint64_t actual = std::min(entry.skipped + completion.actual, entry.td.data().size());
  if (entry.abandoned) return;
  if (completion.status == Status::ok) return finish(entry, actual);
  if (!on_quiet_.empty() && completion.status == Status::cancelled) return interrupt(entry, actual);
  fail(entry.td, completion_code(completion.status), actual);
}

void Endpoint::finish(const Entry& entry, std::uint64_t actual) {
  counters_.guest_packets += entry.td.trbs();
  ++counters_.data_sets;
  counters_.bytes += actual;
  entry.td.report_done(actual, reporter());
}

/// A quiesce has cut `entry` off: it stays on the ring, and goes on later where it was.
void Endpoint::interrupt(const Entry& entry, std::uint64_t actual) {
  abandon_all();
  fetch_ = entry.td.start();
  moved_before_ = actual;
  stopped_td_ = entry.td;
}

void Endpoint::fail(const TransferDescriptor& td, CompletionCode code, std::uint64_t actual) {
  ++counters_.errors;
  ++counters_.data_sets;
  // "The TR Dequeue Pointer … shall reference the TRB that caused the halt"; the guest moves it on (§4.10.2.1). The
  // context is written before the event: a guest that sees the event looks at the state there.
  fetch_ = td.failed_at(actual);
  moved_before_ = 0;
  context_.set_dequeue(fetch_);
  enter(EndpointState::halted);
  abandon_all();
  td.report_failed(code, actual, reporter());
  cancel_all();
}

void Endpoint::malformed(const TransferDescriptor::Malformed& what) {
  ++counters_.errors;
  if (what.ring == RingError::fault) return services_.host_system_error("transfer ring");
  fetch_ = what.at;
  moved_before_ = 0;
  context_.set_dequeue(what.at);
  enter(EndpointState::error);
  services_.post_event(0, transfer_event(what.at.address.value, 0, CompletionCode::trb_error, slot_, dci_, false),
                       false);
}

void Endpoint::cancel_all() {
  Device* device = device_();
  if (device == nullptr) return;
  // The newest first: a device that moves on to the next transfer when one ends must not find one that ends next.
  for (const Entry& entry : std::views::reverse(in_flight_)) {
    if (entry.completion) continue;
    ++counters_.cancellations;
    device->cancel(entry.id);
  }
}

void Endpoint::abandon_all() {
  for (Entry& entry : in_flight_) entry.abandoned = true;
}

void Endpoint::quiesce(Done done) {
  if (on_quiet_.empty()) stopped_td_.reset();
  if (in_flight_.empty()) return done();
  on_quiet_.push_back(std::move(done));
  cancel_all();
}

void Endpoint::stop(Done done) {
  quiesce([this, done = std::move(done)]() mutable {
    if (state_ == EndpointState::running) {
      context_.set_dequeue(stopped_td_ ? stopped_td_->failed_at(moved_before_) : fetch_);
      enter(EndpointState::stopped);
      if (stopped_td_) stopped_td_->report_failed(CompletionCode::stopped, moved_before_, reporter());
    }
    done();
  });
}

void Endpoint::reset_halted(bool preserve_transfer_state) {
  if (!preserve_transfer_state) {
    if (Device* device = device_()) device->endpoint_opened(endpoint_address(dci_));
  }
  enter(EndpointState::stopped);
}

void Endpoint::set_dequeue(RingPosition position) {
  fetch_ = position;
  moved_before_ = 0;
  context_.set_dequeue(position);
  if (state_ == EndpointState::error) return enter(EndpointState::stopped);
  if (!output_.write_endpoint(dci_, context_)) services_.host_system_error("device context");
}

void Endpoint::set_max_packet_size(unsigned size) {
  context_.set_max_packet_size(size);
  if (!output_.write_endpoint(dci_, context_)) services_.host_system_error("device context");
}

}  // namespace periplex::usb::xhci
