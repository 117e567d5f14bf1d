// SPDX-License-Identifier: Apache-2.0
#include "storage/bulk_only_initiator.hpp"

#include <algorithm>
#include <utility>

#include "base/trace.hpp"

namespace periplex::storage {
namespace {

using usb::Direction;
using usb::SetupPacket;
using usb::Status;
using usb::device::BulkOnlyStatus;
using usb::device::CommandBlockWrapper;
using usb::device::CommandStatusWrapper;

// §3.1; CLEAR_FEATURE(ENDPOINT_HALT): USB 2.0 §9.4.1.
constexpr std::uint8_t kClassToInterface = 0x21;
constexpr std::uint8_t kMassStorageReset = 0xff;
constexpr std::uint8_t kStandardToEndpoint = 0x02;
constexpr std::uint8_t kClearFeature = 1;
/// Fixed format ends here, and there are devices that take no other allocation length.
constexpr std::uint8_t kSenseRoom = 18;

}  // namespace

BulkOnlyInitiator::BulkOnlyInitiator(DevicePipes& pipes, const DiskInterface& interface, Scheduler& scheduler,
                                     Owner& owner)
    : pipes_(pipes), interface_(interface), owner_(owner), timer_(scheduler.make_timer([this] { on_timeout(); })) {}

DevicePipes::Ended BulkOnlyInitiator::expect(Handler handler) {
  return [this, handler, epoch = epoch_](Status status, std::uint32_t actual, Bytes data) {
    if (epoch != epoch_) return;
    transfer_.reset();
    if (status == Status::disconnected) return lost();
    (this->*handler)(status, actual, std::move(data));
  };
}

void BulkOnlyInitiator::start(CommandId id, Command command, Done done) {
  id_ = id;
  command_ = std::move(command);
  done_ = std::move(done);
  result_ = {};
  send_command(Purpose::command, command_.lun, command_.cdb, command_.data);
}

void BulkOnlyInitiator::send_command(Purpose purpose, std::uint8_t lun, const Bytes& cdb, DataStage data) {
  stage_ = Stage::command;
  purpose_ = purpose;
  data_ = data;
  moved_in_.clear();
  status_asked_twice_ = false;
  ByteWriter out;
  out.le32(CommandBlockWrapper::kSignature).le32(++tag_).le32(static_cast<std::uint32_t>(data.length));
  out.u8(data.direction == DataDirection::to_host ? 0x80 : 0).u8(lun).u8(static_cast<std::uint8_t>(cdb.size()));
  out.bytes(cdb).zeros(Cdb::kMaxSize - cdb.size());
  timer_->arm(kCommandTimeout);
  transfer_ = pipes_.out(interface_.data_out, out.take(), expect(&BulkOnlyInitiator::on_command_sent));
}

void BulkOnlyInitiator::on_command_sent(Status status, std::uint32_t actual, Bytes) {
  if (status != Status::ok || actual != CommandBlockWrapper::kSize) {
    return recover(failure(usb::device::sense::kDataPhaseError));
  }
  stage_ = Stage::data;
  switch (data_.direction) {
    case DataDirection::none:
      return read_status();
    case DataDirection::to_host:
      transfer_ = pipes_.in(interface_.data_in, data_.length, expect(&BulkOnlyInitiator::on_data_in));
      break;
    case DataDirection::from_host:
      transfer_ = pipes_.out(interface_.data_out, command_.data_out, expect(&BulkOnlyInitiator::on_data_out));
      break;
  }
}

void BulkOnlyInitiator::on_data_in(Status status, std::uint32_t, Bytes data) {
  if (status == Status::ok && data.size() == CommandStatusWrapper::kSize && data.size() < data_.length) {
    // There are devices that leave out a data stage they have nothing for and give the CSW at once. Data that look like
    // this one, tag and all, are not to be expected.
    ByteReader in(data);
    if (in.le32() == CommandStatusWrapper::kSignature && in.le32() == tag_) {
      return on_status(status, static_cast<std::uint32_t>(data.size()), std::move(data));
    }
  }
  moved_in_ = std::move(data);
  after_data(status, interface_.data_in);
}

void BulkOnlyInitiator::on_data_out(Status status, std::uint32_t, Bytes) {
  after_data(status, interface_.data_out);
}

/// §6.7.2, §6.7.3: after a STALL "the host shall clear" the endpoint and go on to the status stage. A babble is a
/// device that means more data than the host (cases 7 and 8), anything else is no answer at all.
void BulkOnlyInitiator::after_data(Status status, usb::EndpointAddress endpoint) {
  if (status == Status::ok) return read_status();
  if (status == Status::stall) return clear_halt(endpoint, &BulkOnlyInitiator::on_halt_cleared);
  recover(failure(usb::device::sense::kDataPhaseError));
}

void BulkOnlyInitiator::on_halt_cleared(Status status, std::uint32_t, Bytes) {
  if (status != Status::ok) return recover(failure(usb::device::sense::kDataPhaseError));
  read_status();
}

void BulkOnlyInitiator::read_status() {
  stage_ = Stage::status;
  transfer_ = pipes_.in(interface_.data_in, CommandStatusWrapper::kSize, expect(&BulkOnlyInitiator::on_status));
}

/// Figure 2, "Status Transport Flow": one STALL is cleared and the CSW asked for again. So is an empty packet, which
/// some devices put behind their data.
void BulkOnlyInitiator::on_status(Status status, std::uint32_t actual, Bytes data) {
  const bool again = status == Status::stall || (status == Status::ok && actual == 0);
  if (again && !std::exchange(status_asked_twice_, true)) {
    if (status == Status::stall) return clear_halt(interface_.data_in, &BulkOnlyInitiator::on_halt_cleared);
    return read_status();
  }
  const auto csw = status == Status::ok ? CommandStatusWrapper::parse(data) : std::nullopt;
  // §6.3.1, §6.3.2: valid, and meaningful.
  const bool meaningful = csw && csw->tag == tag_ &&
                          (csw->status == BulkOnlyStatus::phase_error ||
                           (csw->status <= BulkOnlyStatus::failed && csw->data_residue <= data_.length));
  // "Phase Error … The host shall perform a Reset Recovery" (§5.3.3.1, table 5.3).
  if (!meaningful || csw->status == BulkOnlyStatus::phase_error) {
    return recover(failure(usb::device::sense::kDataPhaseError));
  }
  on_status_wrapper(*csw);
}

void BulkOnlyInitiator::on_status_wrapper(const CommandStatusWrapper& csw) {
  const bool passed = csw.status == BulkOnlyStatus::passed;
  const auto length = static_cast<std::uint32_t>(data_.length);
  if (data_.direction == DataDirection::to_host) {
    moved_in_.resize(std::min<std::size_t>(moved_in_.size(), length - csw.data_residue));
  }
  if (purpose_ == Purpose::sense) {
    if (passed) result_.sense = std::move(moved_in_);
    return end(std::move(result_));
  }
  result_.data_in = std::move(moved_in_);
  const bool in = data_.direction == DataDirection::to_host;
  result_.residue = in ? length - static_cast<std::uint32_t>(result_.data_in.size()) : csw.data_residue;
  if (passed) return end(std::move(result_));
  result_.status = ScsiStatus::check_condition;
  ask_for_sense();
}

void BulkOnlyInitiator::ask_for_sense() {
  ByteWriter cdb;
  cdb.u8(static_cast<std::uint8_t>(usb::device::ScsiOpcode::request_sense)).zeros(3).u8(kSenseRoom).u8(0);
  send_command(Purpose::sense, command_.lun, cdb.take(), {DataDirection::to_host, kSenseRoom});
}

void BulkOnlyInitiator::clear_halt(usb::EndpointAddress endpoint, Handler then) {
  transfer_ = pipes_.control(SetupPacket{kStandardToEndpoint, kClearFeature, 0, endpoint.value, 0}, expect(then));
}

void BulkOnlyInitiator::recover(Result result) {
  trace::line("storage", "bulk-only reset recovery, tag {}", tag_);
  if (purpose_ == Purpose::command || result.outcome != Outcome::ended) {
    result.residue = static_cast<std::uint32_t>(command_.data.length);
    result_ = std::move(result);
  }  // else the command has failed by itself, and only its sense data are not known
  ++epoch_;
  if (const auto transfer = std::exchange(transfer_, std::nullopt)) pipes_.cancel(*transfer);
  stage_ = Stage::recovery;
  timer_->arm(kRecoveryTimeout);
  transfer_ = pipes_.control(SetupPacket{kClassToInterface, kMassStorageReset, 0, interface_.number, 0},
                             expect(&BulkOnlyInitiator::on_mass_storage_reset));
}

void BulkOnlyInitiator::on_mass_storage_reset(Status status, std::uint32_t, Bytes) {
  if (recovering(status)) clear_halt(interface_.data_in, &BulkOnlyInitiator::on_in_cleared);
}
void BulkOnlyInitiator::on_in_cleared(Status status, std::uint32_t, Bytes) {
  if (recovering(status)) clear_halt(interface_.data_out, &BulkOnlyInitiator::on_out_cleared);
}
void BulkOnlyInitiator::on_out_cleared(Status status, std::uint32_t, Bytes) {
  if (recovering(status)) end(std::move(result_));
}

bool BulkOnlyInitiator::recovering(Status status) {
  if (status == Status::ok) return true;
  owner_.on_broken();
  return false;
}

void BulkOnlyInitiator::end(Result result) {
  timer_->cancel();
  stage_ = Stage::idle;
  Done done = std::exchange(done_, nullptr);
  command_ = {};
  done(std::move(result));
  owner_.on_room();
}

void BulkOnlyInitiator::abort(CommandId id) {
  if (stage_ == Stage::idle || stage_ == Stage::recovery || id != id_) return;
  recover({.outcome = Outcome::aborted});
}

void BulkOnlyInitiator::reset_unit(std::uint8_t, Done done) {
  id_ = {};
  command_ = {};
  done_ = std::move(done);
  purpose_ = Purpose::command;
  recover({});
}

void BulkOnlyInitiator::end_all(const Result& result) {
  ++epoch_;
  timer_->cancel();
  transfer_.reset();
  if (std::exchange(stage_, Stage::idle) == Stage::idle) return;
  Done done = std::exchange(done_, nullptr);
  command_ = {};
  done(result);
}

void BulkOnlyInitiator::on_timeout() {
  if (stage_ == Stage::recovery) return owner_.on_broken();
  recover(failure(usb::device::sense::kDataPhaseError));
}

void BulkOnlyInitiator::lost() {
  owner_.on_lost();
}

}  // namespace periplex::storage
