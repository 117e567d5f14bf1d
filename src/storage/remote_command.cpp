// SPDX-License-Identifier: Apache-2.0
#include "storage/remote_command.hpp"

#include <algorithm>
#include <utility>

#include "storage/cdb_facts.hpp"

namespace periplex::storage {

using usb::device::Progress;

RemoteCommand::~RemoteCommand() {
  abort();
}

void RemoteCommand::start(std::uint8_t lun, ByteView cdb, const std::optional<DataStage>& expected) {
  abort();
  command_.lun = lun;
  cdb_ = Cdb(cdb);
  ++target_.counters_.commands;
  result_ = target_.answer_here(lun, cdb_);
  if (!result_) return begin(cdb, expected);
  const std::uint64_t room = expected ? expected->length : data_stage_of(cdb_, 1).value_or(DataStage{}).length;
  result_->data_in.resize(std::min<std::uint64_t>(result_->data_in.size(), room));
  command_.data = {};
  if (!result_->data_in.empty()) command_.data = {DataDirection::to_host, result_->data_in.size()};
}

/// What the host's transport says of the data stage is what the far end is to expect; a transport that says nothing
/// relies on what the command means.
void RemoteCommand::begin(ByteView cdb, const std::optional<DataStage>& expected) {
  const std::uint32_t block_size = target_.block_size(command_.lun);
  const auto stage = expected ? expected : data_stage_of(cdb_, block_size);
  if (!stage) {
    const bool known = data_stage_of(cdb_, 1).has_value();
    result_ = failure(known ? usb::device::sense::kMediumNotPresent : usb::device::sense::kInvalidOperationCode);
    return;
  }
  if (stage->length > kMaxData) {
    result_ = failure(usb::device::sense::invalid_field_in_cdb(cdb_.length_field()));
    return;
  }
  const ByteView used = expected ? cdb : cdb.first(std::min(cdb.size(), cdb_length(cdb_)));
  command_.cdb.assign(used.begin(), used.end());
  command_.data = *stage;
  if (stage->direction == DataDirection::from_host) return;
  Bytes data;
  const bool whole_blocks = stage->length == cdb_.range().blocks * block_size;
  if (whole_blocks && is_plain_read(cdb_)) {
    switch (target_.read_ahead(*this, data)) {
      case ReadAhead::Found::here:
        target_.count_moved(command_, *(result_ = Result{.data_in = std::move(data)}));
        return;
      case ReadAhead::Found::later:
        asked_ = Asked::read_ahead;
        return;
      case ReadAhead::Found::no:
        break;
    }
  }
  target_.ask(*this);
}

Progress RemoteCommand::move(std::span<const MutableByteView> spans) {
  data_.assign(spans);
  if (command_.data.direction == DataDirection::from_host && !result_) {
    const std::uint64_t left = command_.data.length - command_.data_out.size();
    const std::size_t before = command_.data_out.size();
    command_.data_out.resize(before + std::min<std::uint64_t>(left, data_.remaining()));
    (void)data_.take(MutableByteView(command_.data_out).subspan(before));
    return Progress::done;
  }
  if (command_.data.direction == DataDirection::to_host && !result_) {
    step_ = Step::moving;
    return Progress::pending;
  }
  give();
  return Progress::done;
}

void RemoteCommand::give() {
  if (command_.data.direction == DataDirection::to_host)
    given_ += data_.put(ByteView(result_->data_in).subspan(given_));
}

void RemoteCommand::interrupt() {
  data_.assign({});
  step_ = Step::idle;
}

Progress RemoteCommand::finish() {
  data_.assign({});
  if (!result_ && asked_ == Asked::nobody && command_.data.direction == DataDirection::from_host) {
    if (command_.data_out.size() < command_.data.length) {
      result_ = failure(usb::device::sense::kDataPhaseError);
    } else if (target_.write_early(*this)) {
      result_ = Result{};
    } else {
      target_.ask(*this);
    }
  }
  if (result_ || asked_ == Asked::nobody) return Progress::done;
  step_ = Step::finishing;
  return Progress::pending;
}

void RemoteCommand::on_result(Result result) {
  asked_ = Asked::nobody;
  if (result.outcome != Outcome::ended) {
    result = failure(result.outcome == Outcome::lost ? usb::device::sense::kInternalTargetFailure
                                                     : usb::device::sense::kDataPhaseError);
  }
  // The disk cannot have moved more than was asked for.
  const bool to_host = command_.data.direction == DataDirection::to_host;
  result.data_in.resize(std::min<std::uint64_t>(result.data_in.size(), to_host ? command_.data.length : 0));
  target_.count_moved(command_, result);
  result_ = std::move(result);
  command_.data_out = {};
  const Step step = std::exchange(step_, Step::idle);
  if (step == Step::idle) return;
  if (step == Step::moving) give();
  listener_.on_step_done(*this);
}

void RemoteCommand::on_not_prefetched() {
  asked_ = Asked::nobody;
  target_.ask(*this);
}

void RemoteCommand::abort() {
  if (asked_ != Asked::nobody && *target_alive_) target_.give_up(*this);
  asked_ = Asked::nobody;
  step_ = Step::idle;
  command_ = {};
  result_.reset();
  given_ = 0;
  data_.assign({});
}

std::uint64_t RemoteCommand::unprocessed() const {
  if (!result_ || command_.data.direction != DataDirection::from_host) return 0;
  return std::min<std::uint64_t>(result_->residue, command_.data.length);
}

void RemoteCommand::hold_sense() {
  if (!*target_alive_ || !result_ || result_->status == ScsiStatus::good) return;
  // BUSY and its kind come without sense data, and a host that must ask for some is to try again.
  constexpr usb::device::Sense kBecomingReady = {usb::device::SenseKey::not_ready, 0x04, 0x01};
  const bool other = result_->status != ScsiStatus::check_condition;
  target_.hold_sense(command_.lun, other ? kBecomingReady.fixed_format() : result_->sense);
}

}  // namespace periplex::storage
