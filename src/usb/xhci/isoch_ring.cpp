// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/isoch_ring.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/xhci/context.hpp"
#include "usb/xhci/microframe_index.hpp"

namespace periplex::usb::xhci {
namespace {

/// How one packet ended. A device does not stall here, and more data than the TD has room for is Isoch Buffer Overrun.
CompletionCode completion_code(Status status) {
  switch (status) {
    case Status::ok:
      return CompletionCode::success;
    case Status::babble:
      return CompletionCode::isoch_buffer_overrun;
    case Status::stall:
    case Status::error:
    case Status::cancelled:
    case Status::disconnected:
      break;
  }
  return CompletionCode::usb_transaction_error;
}

/// The packets that a cancelled transfer had moved: all before the last one of which something was.
std::size_t packets_moved(const Transfer& transfer) {
  std::size_t moved = transfer.packets.size();
  while (moved > 0 && transfer.packets[moved - 1].actual == 0) --moved;
  return moved;
}

constexpr Microframes next_frame(Microframes at) {
  return (at + kMicroframesPerFrame - 1) / kMicroframesPerFrame * kMicroframesPerFrame;
}

}  // namespace

IsochRing::IsochRing(RingHost& host, const RingIdentity& identity, RingPosition start, unsigned interval)
    : host_(host),
      identity_(identity),
      schedule_(interval),
      fetch_(start),
      timer_(host.services().make_timer([this] { tick(); })) {}

IsochRing::~IsochRing() {
  for (const Carrier& carrier : transfers_) host_.services().in_flight().forget(carrier.id);
  cancel_all();
}

Microframes IsochRing::now() const {
  return host_.services().microframes().count();
}

TransferDescriptor::Report IsochRing::reporter() const {
  return [this](const TransferDescriptor::Event& event) { host_.report(event); };
}

// --- the clock

void IsochRing::advance() {
  fetch();
  arm();
}

void IsochRing::tick() {
  retire_due();
  fetch();
  const bool dry = entries_.empty() && !wakes_at_ && schedule_.begun() && now() >= dry_at_;
  if (dry && host_.may_fetch()) run_dry();
  arm();
}

/// All rings wake up at the begin of a frame, together, however short their intervals are.
void IsochRing::arm() {
  const Microframes later = now() + 1;
  std::optional<Microframes> at;
  if (!entries_.empty()) {
    at = next_frame(std::max(later, entries_.front().due));
  } else if (wakes_at_) {
    at = std::max(later, *wakes_at_);
  } else if (schedule_.begun() && host_.may_fetch()) {
    at = next_frame(std::max(later, dry_at_));
  }
  if (!at || !host_.services().running()) return timer_->cancel();
  timer_->arm(host_.services().microframes().until(*at));
}

void IsochRing::run_dry() {
  ++host_.counters().missed_intervals;
  schedule_.end();
  const bool in = direction() == Direction::in;
  host_.report({.pointer = 0,
                .length = 0,
                .code = in ? CompletionCode::ring_overrun : CompletionCode::ring_underrun,
                .event_data = false,
                .interrupter = interrupter_,
                .block_interrupt = false});
}

// --- from the ring to the device

void IsochRing::fetch() {
  wakes_at_.reset();
  host_.counters().missed_intervals += schedule_.catch_up(now());
  const Microframes present = now();
  Batch batch;
  for (std::size_t fetched = 0; host_.may_fetch();) {
    if (fetched >= kMaxFetched) {
      host_.advance_later();
      break;
    }
    auto assembled = TransferDescriptor::assemble_isoch(host_.services().memory(), fetch_, direction());
    if (assembled && !*assembled) break;
    if (!assembled) {
      // A mistake is reported in its turn: after what stands before it on the ring.
      if (entries_.empty()) malformed(assembled.error());
      break;
    }
    fetched += (*assembled)->trbs();
    if (!entries_.empty() && trbs_ + (*assembled)->trbs() > TransferDescriptor::kMaxTrbs) break;
    if (!accept(std::move(**assembled), present, batch)) break;
  }
  submit(batch);
}

/// Takes `td` off the ring; false where it is not its time yet.
bool IsochRing::accept(TransferDescriptor td, Microframes present, Batch& batch) {
  const auto start = schedule_.place(td.frame_id(), present);
  if (td.is_no_op() || !start) {
    submit(batch);  // which goes no further than here
    keep(std::move(td), schedule_.next(present),
         start ? CompletionCode::success : CompletionCode::missed_service_error);
    return true;
  }
  const Microframes ahead = std::max(kAhead, 2 * schedule_.length());
  if (*start > present + ahead) {
    schedule_.wait_for(*start);
    wakes_at_ = *start - ahead;
    return false;
  }
  // No endpoint has more in an interval; a ring of TRBs that share a page would.
  const bool fits = td.data().size() <= kMaxPayload;
  if (!fits || !td.data().gather(host_.services().memory(), direction(), Holding::pinned)) {
    if (entries_.empty()) malformed({std::nullopt, td.first()});
    return false;
  }
  schedule_.take(*start);
  const Microframes due = *start + schedule_.length();
  if (host_.device() == nullptr) {
    keep(std::move(td), due, CompletionCode::usb_transaction_error);
    return true;
  }
  // Immediate data cannot be pinned, so a TD that has it goes alone.
  const Microframes frame = *start / kMicroframesPerFrame;
  const bool alone = td.has_immediate_data();
  if (frame != batch.frame || alone) submit(batch);
  batch.frame = frame;
  ++batch.entries;
  keep(std::move(td), due, std::nullopt);
  if (alone) submit(batch);
  return true;
}

void IsochRing::keep(TransferDescriptor td, Microframes due, std::optional<CompletionCode> result) {
  fetch_ = td.next();
  interrupted_.reset();
  trbs_ += td.trbs();
  entries_.push_back({.td = std::move(td), .due = due, .result = result});
}

/// Makes one transfer of the TDs in `batch`, which is empty then.
void IsochRing::submit(Batch& batch) {
  const std::size_t count = std::exchange(batch.entries, 0);
  if (count == 0) return;
  InFlight& in_flight = host_.services().in_flight();
  const TransferId id = in_flight.enter(*this);
  DataSet all;  // of one TD with immediate data it stays empty
  std::vector<IsochronousPacket> packets;
  for (Entry& entry : entries_ | std::views::drop(static_cast<std::ptrdiff_t>(entries_.size() - count))) {
    packets.push_back({.offset = static_cast<std::uint32_t>(all.size()),
                       .length = static_cast<std::uint32_t>(entry.td.data().size())});
    if (!entry.td.has_immediate_data()) entry.td.append_data(all);
    entry.transfer = id;
  }
  const TransferDescriptor& last = entries_.back().td;
  const DataSet& source = last.has_immediate_data() ? last.data() : all;
  auto data = source.gather(host_.services().memory(), direction(), Holding::pinned);
  PERIPLEX_CHECK(data.has_value());  // each of them could be gathered in this same turn
  auto transfer =
      std::make_unique<Transfer>(in_flight, id, endpoint_address(identity_.dci), direction(), std::move(*data));
  transfer->packets = std::move(packets);
  ++host_.counters().requests;
  trace::line("usb/xhci", "slot {} endpoint {} transfer {} of {} packets, {} bytes", identity_.slot.value,
              identity_.dci, id.value, count, source.size());
  transfers_.push_back({.id = id});
  host_.device()->submit(std::move(transfer));
}

// --- from the device to the guest

void IsochRing::on_transfer_complete(Transfer& transfer, Completion completion) {
  const auto carrier = std::ranges::find(transfers_, transfer.id(), &Carrier::id);
  PERIPLEX_CHECK(carrier != transfers_.end());
  transfers_.erase(carrier);
  trace::line("usb/xhci", "slot {} endpoint {} transfer {} {} {} bytes", identity_.slot.value, identity_.dci,
              transfer.id().value, name(completion.status), completion.actual);
  std::size_t packet = 0;
  for (Entry& entry : entries_) {
    if (entry.transfer == transfer.id()) settle(entry, transfer, completion, packet++);
  }
  if (!host_.quiescing()) retire_due();
  host_.transfer_ended(*this);
}

void IsochRing::settle(Entry& entry, const Transfer& transfer, Completion completion, std::size_t packet) {
  const bool known = packet < transfer.packets.size();
  const bool cut_off = completion.status == Status::cancelled && packet >= packets_moved(transfer);
  if (cut_off && host_.quiescing()) return;  // it stays on the ring
  const bool moved = completion.status == Status::ok || (completion.status == Status::cancelled && !cut_off);
  const Status status = !moved ? completion.status : known ? transfer.packets[packet].status : Status::error;
  entry.result = completion_code(status);
  const std::uint64_t size = entry.td.data().size();
  if (status == Status::ok && direction() == Direction::out) {
    entry.actual = size;
  } else if (known) {
    entry.actual = std::min<std::uint64_t>(transfer.packets[packet].actual, size);
  }
}

void IsochRing::retire_due() {
  const Microframes present = now();
  while (!entries_.empty() && entries_.front().result && entries_.front().due <= present) retire_first();
}

void IsochRing::retire_first() {
  const Entry entry = std::move(entries_.front());
  entries_.pop_front();
  trbs_ -= entry.td.trbs();
  interrupter_ = entry.td.interrupter();
  if (entries_.empty() && schedule_.begun()) {
    // The first interval without a TD; and a guest that has just heard of the last one gets a frame to queue more.
    dry_at_ = std::max(schedule_.next(0) + schedule_.length(), now() + kMicroframesPerFrame);
  }
  EndpointCounters& counters = host_.counters();
  counters.guest_packets += entry.td.trbs();
  if (entry.td.is_no_op()) return entry.td.report_done(0, reporter());
  ++counters.data_sets;
  counters.bytes += entry.actual;
  if (*entry.result == CompletionCode::success) return entry.td.report_done(entry.actual, reporter());
  if (*entry.result == CompletionCode::missed_service_error) {
    ++counters.missed_intervals;
    return entry.td.report_missed(reporter());
  }
  ++counters.errors;
  entry.td.report_failed(*entry.result, entry.actual, reporter());
}

// --- commands

void IsochRing::malformed(const TransferDescriptor::Malformed& what) {
  ++host_.counters().errors;
  if (what.ring == RingError::fault) return host_.services().host_system_error("transfer ring");
  set_position(what.at);
  host_.trb_error(*this);
}

void IsochRing::cancel_all() {
  Device* device = host_.device();
  if (device == nullptr) return;
  for (Carrier& carrier : std::views::reverse(transfers_)) {
    if (std::exchange(carrier.cancelled, true)) continue;
    ++host_.counters().cancellations;
    device->cancel(carrier.id);
  }
}

/// What the device has had is reported, at most `kAhead` before its time: left on the ring it would be moved twice.
void IsochRing::come_to_rest() {
  while (!entries_.empty() && entries_.front().result) retire_first();
  if (!entries_.empty()) {
    TransferDescriptor cut_off = std::move(entries_.front().td);
    set_position(cut_off.start());
    interrupted_ = std::move(cut_off);
  }
  entries_.clear();
  trbs_ = 0;
  schedule_.end();
  arm();
}

RingPosition IsochRing::position() const {
  return interrupted_ ? interrupted_->first() : fetch_;
}

void IsochRing::report_stopped() {
  if (interrupted_) interrupted_->report_failed(CompletionCode::stopped, 0, reporter());
}

void IsochRing::set_position(RingPosition position) {
  fetch_ = position;
  interrupted_.reset();
  wakes_at_.reset();
  schedule_.end();
  arm();
}

}  // namespace periplex::usb::xhci
