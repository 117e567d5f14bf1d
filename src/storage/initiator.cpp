// SPDX-License-Identifier: Apache-2.0
#include "storage/initiator.hpp"

#include <algorithm>
#include <utility>

#include "base/trace.hpp"
#include "storage/bulk_only_initiator.hpp"
#include "storage/uas_initiator.hpp"

namespace periplex::storage {
namespace {

/// A device that needs a port reset so often, without one command that goes well in between, will not get better.
constexpr unsigned kMaxResetsInARow = 4;

}  // namespace

Initiator::Initiator(usb::Device& device, Scheduler& scheduler, InitiatorOptions options)
    : device_(device), scheduler_(scheduler), pipes_(device), setup_(device, pipes_, scheduler, options.uas) {}

Initiator::~Initiator() {
  *alive_ = false;
  state_ = State::closed;
}

void Initiator::open(Opened opened) {
  opened_ = std::move(opened);
  state_ = State::opening;
  setup_.open([this](std::expected<DeviceFacts, InitiatorError> facts) { on_facts(std::move(facts)); });
}

void Initiator::on_facts(std::expected<DeviceFacts, InitiatorError> facts) {
  if (!facts) {
    state_ = State::lost;
    return std::exchange(opened_, nullptr)(std::unexpected(facts.error()));
  }
  facts_ = std::move(*facts);
  Transport::Owner& owner = *this;
  if (facts_.interface.attached_scsi) {
    transport_ = std::make_unique<UasInitiator>(pipes_, facts_.interface, scheduler_, owner);
  } else {
    transport_ = std::make_unique<BulkOnlyInitiator>(pipes_, facts_.interface, scheduler_, owner);
  }
  state_ = State::ready;
  probe_ = std::make_unique<UnitProbe>(
      facts_.last_lun, [this](Command command, Done done) { start(std::move(command), std::move(done)); },
      [this](std::vector<UnitFacts> units) { on_units(std::move(units)); });
  probe_->start();
}

void Initiator::on_units(std::vector<UnitFacts> units) {
  Opened opened = std::exchange(opened_, nullptr);
  if (state_ == State::lost) return opened(std::unexpected(InitiatorError::gone));
  facts_.identity.units = std::move(units);
  opened(facts_.identity);
}

CommandId Initiator::start(Command command, Done done) {
  return enqueue({.id = {}, .reset = false, .command = std::move(command), .done = std::move(done)});
}

CommandId Initiator::reset_unit(std::uint8_t lun, Done done) {
  return enqueue({.id = {}, .reset = true, .command = {.lun = lun}, .done = std::move(done)});
}

CommandId Initiator::enqueue(Entry entry) {
  const CommandId id(++last_id_);
  entry.id = id;
  if (state_ == State::lost) {
    scheduler_.defer([done = std::move(entry.done)]() mutable { done(Result{.outcome = Outcome::lost}); });
    return id;
  }
  waiting_.push_back(std::move(entry));
  pump();
  return id;
}

void Initiator::pump() {
  while (state_ == State::ready && !waiting_.empty() && transport_->room() > 0) {
    const bool held_back = std::ranges::any_of(active_, [](const auto& each) { return each.second; });
    if (held_back || (waiting_.front().barrier() && !active_.empty())) return;
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    begin(std::move(entry));
  }
}

void Initiator::begin(Entry entry) {
  const CommandId id = entry.id;
  active_.emplace(id, entry.barrier());
  ++counters_.commands;
  Command shape{.lun = entry.command.lun, .data = entry.command.data};
  auto done = [this, id, shape = std::move(shape), done = std::move(entry.done)](Result result) mutable {
    ended(id, shape, std::move(done), std::move(result));
  };
  if (entry.reset) {
    transport_->reset_unit(entry.command.lun, std::move(done));
  } else {
    transport_->start(id, std::move(entry.command), std::move(done));
  }
}

void Initiator::ended(CommandId id, const Command& shape, Done done, Result result) {
  active_.erase(id);
  if (result.outcome == Outcome::ended) {
    if (result.good()) resets_in_a_row_ = 0;
    counters_.bytes_read += result.data_in.size();
    if (shape.data.direction == DataDirection::from_host) {
      counters_.bytes_written += shape.data.length - std::min<std::uint64_t>(result.residue, shape.data.length);
    }
  }
  if (!result.good()) ++counters_.failed;
  done(std::move(result));
}

void Initiator::abort(CommandId id, bool only_if_waiting) {
  const auto found = std::ranges::find(waiting_, id, &Entry::id);
  if (found != waiting_.end()) {
    Done done = std::move(found->done);
    waiting_.erase(found);
    done(Result{.outcome = Outcome::aborted});
    return pump();  // it may have held others back
  }
  if (only_if_waiting || !active_.contains(id) || state_ != State::ready) return;
  transport_->abort(id);
}

void Initiator::on_broken() {
  if (state_ != State::ready) return;
  trace::line("storage", "port reset of a disk");
  state_ = State::recovering;
  ++counters_.resets;
  pipes_.abandon();
  transport_->end_all(failure(usb::device::sense::kPowerOn));
  if (state_ != State::recovering) return;
  if (++resets_in_a_row_ > kMaxResetsInARow) return lose();
  device_.reset();
  setup_.configure(facts_.interface, [this](std::expected<void, InitiatorError> outcome) {
    if (!outcome) return lose();
    state_ = State::ready;
    pump();
  });
}

void Initiator::on_lost() {
  if (state_ == State::ready) lose();
}

void Initiator::lose() {
  state_ = State::lost;
  pipes_.abandon();
  const bool announced = !opened_;
  const Result result{.outcome = Outcome::lost};
  const auto alive = alive_;
  transport_->end_all(result);
  while (*alive && !waiting_.empty()) {
    Done done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done(result);
  }
  if (*alive && on_lost_ && announced) on_lost_();
}

}  // namespace periplex::storage
