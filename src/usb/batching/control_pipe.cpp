// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/control_pipe.hpp"

#include <algorithm>
#include <utility>

#include "base/trace.hpp"

namespace periplex::usb::batching {
namespace {

/// The bytes behind a device-bound descriptor.
std::expected<Bytes, guest::Fault> content(const guest::Memory& memory, const Descriptor& descriptor) {
  Bytes bytes(descriptor.length);
  MutableByteView rest(bytes);
  for (const Piece& piece : descriptor.pieces()) {
    if (auto done = memory.read(piece.address, rest.first(piece.length)); !done) return std::unexpected(done.error());
    rest = rest.subspan(piece.length);
  }
  return bytes;
}

}  // namespace

ControlPipe::ControlPipe(Surroundings& surroundings, Device& device) : surroundings_(surroundings), device_(device) {}

ControlPipe::~ControlPipe() {
  withdraw();
  abandon();
}

Activity ControlPipe::visit(QueueView& queue) {
  bool progressed = false;
  std::optional<Descriptor> head = queue.head();
  bool had_setup = false;
  for (unsigned steps = 0; head && steps < kMaxSteps; ++steps) {
    // A guest may queue Setup stages without end; each begins a request.
    if (head->pid == Pid::setup && (std::exchange(had_setup, true) || cancelled_.size() >= kMaxCancelled)) break;
    const std::uint64_t before = counters_.guest_packets + counters_.requests;
    const bool goes_on = step(queue, *head);
    progressed |= counters_.guest_packets + counters_.requests != before;
    if (!goes_on) break;
    head = queue.head();
  }
  if (progressed) return Activity::progressed;
  return head ? Activity::pending : Activity::idle;
}

/// Handles the head of the queue; false: it stays pending, or the queue does not go on.
bool ControlPipe::step(QueueView& queue, const Descriptor& head) {
  if (head.pid == Pid::setup) return on_setup(queue, head);
  // A stage without a Setup stage before it: a device answers what it does not understand with STALL.
  if (stage_ == Stage::idle) return give(queue, head, {Status::stall, 0});
  const bool is_data = stage_ == Stage::data && direction(head.pid) == setup_.direction();
  if (!is_data) return on_status(queue, head);
  return head.pid == Pid::in ? on_data_in(queue, head) : on_data_out(queue, head);
}

bool ControlPipe::on_setup(QueueView& queue, const Descriptor& head) {
  withdraw();  // "a new Setup stage ends the transfer before it", §8.5.3.2
  const auto bytes = content(surroundings_.memory(), head);
  if (!bytes) return fault(bytes.error());
  if (bytes->size() != SetupPacket::kSize) return give(queue, head, {Status::error, 0});
  std::uint64_t raw = 0;
  for (std::size_t i = 0; i < SetupPacket::kSize; ++i) raw |= std::to_integer<std::uint64_t>((*bytes)[i]) << (8 * i);
  setup_ = SetupPacket::parse(raw);
  stage_ = setup_.length == 0 ? Stage::status : Stage::data;
  const bool goes_on = give(queue, head, {Status::ok, SetupPacket::kSize});
  if (stage_ == Stage::status || setup_.direction() == Direction::in) submit();
  return goes_on;
}

bool ControlPipe::on_data_out(QueueView& queue, const Descriptor& head) {
  const auto bytes = content(surroundings_.memory(), head);
  if (!bytes) return fault(bytes.error());
  if (out_.size() + bytes->size() > setup_.length) return fail(queue, head, Status::stall);
  out_.insert(out_.end(), bytes->begin(), bytes->end());
  const bool goes_on = give(queue, head, {Status::ok, head.length});
  if (out_.size() == setup_.length) {
    stage_ = Stage::status;
    submit();
  }
  return goes_on;
}

bool ControlPipe::on_data_in(QueueView& queue, const Descriptor& head) {
  if (!completion_) return false;
  if (completion_->status != Status::ok) return fail(queue, head, completion_->status);
  const Outcome outcome{Status::ok, std::min(head.length, completion_->actual - given_)};
  if (auto done = scatter(surroundings_.memory(), in_, given_, outcome.actual, head.pieces()); !done) {
    return fault(done.error());
  }
  given_ += outcome.actual;
  if (outcome.ends_short(head)) stage_ = Stage::status;
  return give(queue, head, outcome);
}

bool ControlPipe::on_status(QueueView& queue, const Descriptor& head) {
  // The guest may send less than it has announced.
  if (!submitted_ && !completion_) submit();
  if (!completion_) return false;
  if (completion_->status != Status::ok) return fail(queue, head, completion_->status);
  ++counters_.data_sets;
  forget();
  const bool goes_on = give(queue, head, {Status::ok, 0});
  surroundings_.configured(device_, setup_);
  return goes_on;
}

bool ControlPipe::fail(QueueView& queue, const Descriptor& head, Status status) {
  ++counters_.data_sets;
  ++counters_.errors;
  withdraw();
  // A cancel that nobody here asked for means that the device was reset or left: it does not answer.
  return give(queue, head, {status == Status::cancelled ? Status::error : status, 0});
}

bool ControlPipe::fault(guest::Fault what) {
  surroundings_.memory_fault(what);
  return false;
}

bool ControlPipe::give(QueueView& queue, const Descriptor& head, const Outcome& outcome) {
  ++counters_.guest_packets;
  counters_.bytes += outcome.actual;
  return queue.retire(head, outcome);
}

void ControlPipe::submit() {
  id_ = surroundings_.in_flight().enter(*this);
  trace::line("usb/batching", "endpoint 0 request {} {:#04x} {:#04x} of {} bytes", id_.value, setup_.request_type,
              setup_.request, setup_.length);
  auto data =
      setup_.direction() == Direction::in ? TransferData::room(setup_.length) : TransferData::owned(std::move(out_));
  auto transfer = std::make_unique<Transfer>(surroundings_.in_flight(), id_, EndpointAddress(), setup_.direction(),
                                             std::move(data));
  transfer->setup = setup_;
  submitted_ = true;
  ++counters_.requests;
  device_.submit(std::move(transfer));
}

void ControlPipe::on_transfer_complete(Transfer& transfer, Completion completion) {
  if (!submitted_ || transfer.id() != id_) {
    std::erase(cancelled_, transfer.id());
    return surroundings_.answered();
  }
  submitted_ = false;
  completion_ = completion;
  in_ = std::move(transfer.data);
  completion_->actual = static_cast<std::uint32_t>(std::min<std::size_t>(completion.actual, in_.size()));
  surroundings_.answered();
}

void ControlPipe::forget() {
  stage_ = Stage::idle;
  out_.clear();
  given_ = 0;
  completion_.reset();
  in_ = {};
}

void ControlPipe::withdraw() {
  if (std::exchange(submitted_, false)) {
    ++counters_.cancellations;
    cancelled_.push_back(id_);
    device_.cancel(id_);
  }
  forget();
}

void ControlPipe::abandon() {
  if (std::exchange(submitted_, false)) cancelled_.push_back(id_);
  for (const TransferId id : cancelled_) surroundings_.in_flight().forget(id);
  cancelled_.clear();
  forget();
}

}  // namespace periplex::usb::batching
