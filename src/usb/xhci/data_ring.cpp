// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/data_ring.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/xhci/context.hpp"

namespace periplex::usb::xhci {
namespace {

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

}  // namespace

DataRing::~DataRing() {
  for (const Entry& entry : in_flight_) host_.services().in_flight().forget(entry.id);
  cancel_all();
}

TransferDescriptor::Report DataRing::reporter() const {
  return [this](const TransferDescriptor::Event& event) { host_.report(event); };
}

bool DataRing::may_launch() const {
  return in_flight_.size() < (is_control() ? 1 : kMaxInFlight) && host_.may_fetch();
}

void DataRing::advance() {
  for (std::size_t fetched = 0; may_launch();) {
    if (fetched >= kMaxFetched) return host_.advance_later();
    auto assembled = assemble();
    if (assembled && !*assembled) return;
    // A mistake is reported in its turn: after what stands before it on the ring.
    if (!assembled) return in_flight_.empty() ? malformed(assembled.error()) : void();
    fetched += (*assembled)->trbs();
    if (!in_flight_.empty() && trbs_in_flight_ + (*assembled)->trbs() > TransferDescriptor::kMaxTrbs) return;
    if (!launch(std::move(**assembled))) return;
  }
}

TransferDescriptor::Assembled DataRing::assemble() const {
  const guest::Memory& memory = host_.services().memory();
  if (is_control()) return TransferDescriptor::assemble_control(memory, fetch_);
  return TransferDescriptor::assemble_normal(memory, fetch_, ring_direction(identity_.dci));
}

/// Makes one transfer of `td`; false where it has to wait or the endpoint does not run any more.
bool DataRing::launch(TransferDescriptor td) {
  Device* device = host_.device();
  if (td.is_no_op() || device == nullptr) {
    if (!in_flight_.empty()) return false;
    if (device == nullptr) {
      fail(td, CompletionCode::usb_transaction_error, 0);
      return false;
    }
    set_position(td.next());
    td.report_done(0, reporter());
    return true;
  }
  // A control transfer begins again with its Setup stage; another goes on where it was stopped.
  const std::uint64_t skipped = td.setup() ? 0 : std::min(moved_before_, td.data().size());
  auto data = td.data().gather(host_.services().memory(), td.direction(), Holding::pinned, skipped);
  if (!data) {
    if (in_flight_.empty()) malformed({std::nullopt, td.first()});
    return false;
  }
  set_position(td.next());
  submit(*device, std::move(td), std::move(*data), skipped);
  return true;
}

void DataRing::submit(Device& device, TransferDescriptor td, TransferData data, std::uint64_t skipped) {
  InFlight& in_flight = host_.services().in_flight();
  const TransferId id = in_flight.enter(*this);
  auto transfer =
      std::make_unique<Transfer>(in_flight, id, endpoint_address(identity_.dci), td.direction(), std::move(data));
  transfer->setup = td.setup();
  transfer->stream = identity_.stream;
  ++host_.counters().requests;
  trace::line("usb/xhci", "slot {} endpoint {} stream {} transfer {} of {} bytes", identity_.slot.value, identity_.dci,
              identity_.stream, id.value, td.data().size());
  trbs_in_flight_ += td.trbs();
  in_flight_.push_back({.td = std::move(td), .id = id, .skipped = skipped});
  device.submit(std::move(transfer));
}

void DataRing::on_transfer_complete(Transfer& transfer, Completion completion) {
  const auto entry = std::ranges::find(in_flight_, transfer.id(), &Entry::id);
  PERIPLEX_CHECK(entry != in_flight_.end());
  entry->completion = completion;
  trace::line("usb/xhci", "slot {} endpoint {} stream {} transfer {} {} {} bytes", identity_.slot.value, identity_.dci,
              identity_.stream, transfer.id().value, name(completion.status), completion.actual);
  while (!in_flight_.empty() && in_flight_.front().completion) {
    Entry front = std::move(in_flight_.front());
    in_flight_.pop_front();
    trbs_in_flight_ -= front.td.trbs();
    retire(std::move(front));
  }
  host_.transfer_ended(*this);
}

void DataRing::retire(Entry entry) {
  const Completion completion = *entry.completion;
  const std::uint64_t actual = std::min(entry.skipped + completion.actual, entry.td.data().size());
  if (entry.abandoned) return;
  if (completion.status == Status::ok) return finish(entry, actual);
  const bool asked_for = completion.status == Status::cancelled && host_.quiescing();
  // Where another stream has halted the endpoint, this one's TDs wait on their ring for it to run again.
  if (asked_for || host_.broken_off()) return interrupt(entry, actual);
  fail(entry.td, completion_code(completion.status), actual);
}

void DataRing::finish(const Entry& entry, std::uint64_t actual) {
  EndpointCounters& counters = host_.counters();
  counters.guest_packets += entry.td.trbs();
  ++counters.data_sets;
  counters.bytes += actual;
  entry.td.report_done(actual, reporter());
}

/// `entry` was cut off: it stays on the ring, and goes on later where it was.
void DataRing::interrupt(const Entry& entry, std::uint64_t actual) {
  abandon_all();
  fetch_ = entry.td.start();
  moved_before_ = actual;
  interrupted_ = entry.td;
}

void DataRing::fail(const TransferDescriptor& td, CompletionCode code, std::uint64_t actual) {
  ++host_.counters().errors;
  ++host_.counters().data_sets;
  // "The TR Dequeue Pointer … shall reference the TRB that caused the halt"; the guest moves it on (§4.10.2.1). The
  // context is written before the event: a guest that sees the event looks at the state there.
  set_position(td.failed_at(actual));
  abandon_all();
  host_.halt(*this);
  td.report_failed(code, actual, reporter());
  host_.cancel_all();
}

void DataRing::malformed(const TransferDescriptor::Malformed& what) {
  ++host_.counters().errors;
  if (what.ring == RingError::fault) return host_.services().host_system_error("transfer ring");
  set_position(what.at);
  host_.trb_error(*this);
}

void DataRing::cancel_all() {
  Device* device = host_.device();
  if (device == nullptr) return;
  // The newest first: a device that moves on to the next transfer when one ends must not find one that ends next.
  for (Entry& entry : std::views::reverse(in_flight_)) {
    if (entry.completion || std::exchange(entry.cancelled, true)) continue;
    ++host_.counters().cancellations;
    device->cancel(entry.id);
  }
}

void DataRing::abandon_all() {
  for (Entry& entry : in_flight_) entry.abandoned = true;
}

RingPosition DataRing::position() const {
  return interrupted_ ? interrupted_->failed_at(moved_before_) : fetch_;
}

void DataRing::report_stopped() {
  if (interrupted_) interrupted_->report_failed(CompletionCode::stopped, moved_before_, reporter());
}

void DataRing::set_position(RingPosition position) {
  fetch_ = position;
  moved_before_ = 0;
  interrupted_.reset();
}

}  // namespace periplex::usb::xhci
