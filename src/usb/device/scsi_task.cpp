// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_task.hpp"

#include <algorithm>
#include <utility>

#include "base/trace.hpp"
#include "usb/device/scsi_disk.hpp"

namespace periplex::usb::device {

ScsiTask::~ScsiTask() {
  abort();
}

void ScsiTask::start(std::uint8_t lun, ByteView cdb, const std::optional<DataStage>&) {
  abort();
  lun_ = lun;
  enlisted_ = true;
  disk_.enlist(*this);
  Decoded decoded = disk_.decode(lun, Cdb(cdb));
  if (!decoded) {
    fail(decoded.error());
  } else if (*decoded != nullptr) {
    action_ = std::move(*decoded);
    data_stage_ = action_->data_stage();
  }
}

Progress ScsiTask::move(std::span<const MutableByteView> spans) {
  data_.assign(spans);
  step_ = Step::moving;
  return run();
}

Progress ScsiTask::finish() {
  data_.assign({});
  step_ = Step::finishing;
  return run();
}

void ScsiTask::interrupt() {
  claim_.reset();
  step_ = Step::idle;
}

void ScsiTask::abort() {
  claim_.reset();
  action_.reset();
  sense_.reset();
  data_stage_ = {};
  data_.assign({});
  step_ = Step::idle;
  if (std::exchange(enlisted_, false)) disk_.dismiss(*this);
}

void ScsiTask::medium_removed() {
  if (action_ == nullptr) return;
  const bool was_pending = claim_ != nullptr;
  fail(sense::kMediumNotPresent);
  if (was_pending) listener_.on_step_done(*this);
}

/// Another unit's failures are not the disk's to remember.
void ScsiTask::hold_sense() {
  if (lun_ == 0 && sense_) disk_.hold_sense(*sense_);
}

Progress ScsiTask::run() {
  while (action_ != nullptr) {
    const ScsiAction::Next next = step_ == Step::moving ? action_->move(data_) : action_->finish();
    if (!next) return fail(next.error());
    if (!*next) break;
    request_ = **next;
    BlockBackend* const medium = disk_.medium();
    if (medium == nullptr) return fail(sense::kMediumNotPresent);
    BlockStart start = medium->start(request_, [this](const BlockResult& result) { on_result(result); });
    if (auto* claim = std::get_if<std::unique_ptr<BlockClaim>>(&start)) {
      claim_ = std::move(*claim);
      return Progress::pending;
    }
    if (!account(std::get<BlockResult>(start))) break;
  }
  return Progress::done;
}

void ScsiTask::on_result(const BlockResult& result) {
  // The claim is being answered by the backend at this moment; it must not be used for a new request yet.
  claim_.reset();
  if (!account(result) || run() == Progress::done) listener_.on_step_done(*this);
}

bool ScsiTask::account(const BlockResult& result) {
  if (result) {
    disk_.count(request_.operation, request_.length);
    action_->carried_out(data_);
    return true;
  }
  const std::uint64_t end = request_.offset + request_.length;
  const std::uint64_t reached = std::clamp(result.error().offset, request_.offset, end);
  action_->failed_after(reached - request_.offset, data_);
  fail(sense_of(result.error()));
  return false;
}

Progress ScsiTask::fail(const Sense& sense) {
  trace::line("usb/device", "scsi sense {:x}/{:02x}/{:02x}", static_cast<unsigned>(sense.key), sense.asc, sense.ascq);
  claim_.reset();
  action_.reset();
  sense_ = sense;
  disk_.count_check_condition();
  return Progress::done;
}

Sense ScsiTask::sense_of(const BlockFailure& failure) const {
  switch (failure.error) {
    case BlockError::medium_error:
      break;
    // SBC-3, "Logical block provisioning": what a thin disk answers when there is no space left to allocate.
    case BlockError::no_space:
      return sense::kSpaceAllocationFailed;
    case BlockError::gone:
      return sense::kInternalTargetFailure;
    case BlockError::write_protected:
      return sense::kWriteProtected;
  }
  const std::uint64_t lba = failure.offset / disk_.block_size();
  switch (request_.operation) {
    case BlockOperation::read:
      return sense::unrecovered_read_error(lba);
    case BlockOperation::write:
    case BlockOperation::discard:
      return sense::write_error(lba);
    case BlockOperation::flush:
      break;  // nobody knows which blocks did not arrive
  }
  return sense::write_error(std::nullopt);
}

}  // namespace periplex::usb::device
