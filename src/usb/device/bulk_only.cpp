// SPDX-License-Identifier: Apache-2.0
#include "usb/device/bulk_only.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/trace.hpp"

namespace periplex::usb::device {
namespace {

/// Whether host and device mean the same (§6.7). H is what the CBW says, D what the command intends; n, i and o stand
/// for no data, data in and data out.
bool agree(const CommandBlockWrapper& host, DataStage device) {
  if (device.direction == DataDirection::none) return true;  // (1) Hn = Dn, (4) Hi > Dn, (9) Ho > Dn
  if (host.data_transfer_length == 0) return false;          // (2) Hn < Di, (3) Hn < Do
  const bool device_in = device.direction == DataDirection::to_host;
  if (host.data_in != device_in) return false;  // (8) Hi <> Do, (10) Ho <> Di
  // (5) Hi > Di, (6) Hi = Di, (11) Ho > Do, (12) Ho = Do; but not (7) Hi < Di, (13) Ho < Do
  return device.length <= host.data_transfer_length;
}

DataStage expected(const CommandBlockWrapper& cbw) {
  if (cbw.data_transfer_length == 0) return {};
  return {cbw.data_in ? DataDirection::to_host : DataDirection::from_host, cbw.data_transfer_length};
}

}  // namespace

BulkOnly::~BulkOnly() {
  reset(Status::disconnected);
}

void BulkOnly::run() {
  while (turn() == Turn::again) {
  }
}

BulkOnly::Turn BulkOnly::turn() {
  switch (stage_) {
    case Stage::command:
      return take_command();
    case Stage::data_out:
      return move_data(Direction::out);
    case Stage::data_in:
      return move_data(Direction::in);
    case Stage::status:
      return send_status();
    case Stage::awaiting_reset:
      break;
  }
  return Turn::wait;
}

BulkOnly::Turn BulkOnly::take_command() {
  TransferPtr transfer = pipes_.take(Direction::out);
  if (transfer == nullptr) return Turn::wait;
  const auto size = static_cast<std::uint32_t>(transfer->data.size());
  std::array<std::byte, CommandBlockWrapper::kSize> bytes;
  const bool right_size = size == bytes.size() && transfer->data.read(0, bytes) == bytes.size();
  const auto cbw = right_size ? CommandBlockWrapper::parse(bytes) : std::nullopt;
  pipes_.finish(std::move(transfer), {Status::ok, size});
  if (cbw) {
    begin(*cbw);
  } else {
    refuse();
  }
  return Turn::again;
}

void BulkOnly::begin(const CommandBlockWrapper& cbw) {
  cbw_ = cbw;
  stage_left_ = cbw.data_transfer_length;
  processed_ = 0;
  phase_error_ = false;
  command_->start(cbw.lun, cbw.cdb(), expected(cbw));
  if (!agree(cbw, command_->data_stage())) {
    phase_error();
  } else if (stage_left_ == 0) {
    enter_status();
  } else {
    enter(cbw.data_in ? Stage::data_in : Stage::data_out);
  }
}

// §6.7.2, §6.7.3: "The device may STALL", and bCSWStatus is 02h. Nothing of the command is carried out.
void BulkOnly::phase_error() {
  command_->abort();
  phase_error_ = true;
  finished_ = true;
  if (stage_left_ > 0) pipes_.halt(cbw_.data_in ? Direction::in : Direction::out);
  enter(Stage::status);
}

void BulkOnly::refuse() {
  command_->abort();
  enter(Stage::awaiting_reset);
  pipes_.halt(Direction::in);
  pipes_.halt(Direction::out);
}

BulkOnly::Turn BulkOnly::move_data(Direction direction) {
  if (command_->pending()) return Turn::wait;
  active_ = pipes_.take(direction);
  if (active_ == nullptr) return Turn::wait;
  data_.assign(active_->data.spans());
  if (command_->move(data_.peek(stage_left_)) == Progress::pending) return Turn::wait;
  data_moved();
  return Turn::again;
}

void BulkOnly::data_moved() {
  const std::size_t size = active_->data.size();
  const std::size_t wanted = std::min<std::size_t>(size, stage_left_);
  const std::size_t moved = command_->moved();
  if (stage_ == Stage::data_in) pad(moved, wanted);
  processed_ += static_cast<std::uint32_t>(moved);
  stage_left_ -= static_cast<std::uint32_t>(wanted);
  const bool too_much = stage_ == Stage::data_out && size > wanted;
  finish_active({too_much ? Status::stall : Status::ok, static_cast<std::uint32_t>(wanted)});
  if (too_much) return refuse();  // what comes after the data would have to be a CBW, and is not
  if (stage_left_ == 0) enter_status();
}

/// "The device may send fill data to pad up to a total of dCBWDataTransferLength" (§6.7.2).
void BulkOnly::pad(std::size_t from, std::size_t to) {
  if (from == to) return;
  data_.assign(active_->data.spans());
  data_.advance(from);
  for (const MutableByteView piece : data_.peek(to - from)) std::ranges::fill(piece, std::byte{0});
}

void BulkOnly::enter_status() {
  enter(Stage::status);
  finished_ = command_->finish() == Progress::done;
}

BulkOnly::Turn BulkOnly::send_status() {
  if (!finished_) return Turn::wait;
  TransferPtr transfer = pipes_.take(Direction::in);
  if (transfer == nullptr) return Turn::wait;
  const bool failed = command_->status() != ScsiStatus::good;
  const CommandStatusWrapper csw = {
      .tag = cbw_.tag,
      .data_residue = residue(),
      .status = phase_error_ ? BulkOnlyStatus::phase_error
                : failed     ? BulkOnlyStatus::failed
                             : BulkOnlyStatus::passed,
  };
  const std::size_t moved = transfer->data.write(0, csw.encode());
  if (moved < CommandStatusWrapper::kSize) {
    // The host had no room for the packet and has not acknowledged it, so the next attempt gets it again.
    pipes_.finish(std::move(transfer), {Status::babble, static_cast<std::uint32_t>(moved)});
    return Turn::again;
  }
  pipes_.finish(std::move(transfer), {Status::ok, CommandStatusWrapper::kSize});
  if (failed) command_->hold_sense();
  command_->abort();
  enter(Stage::command);
  return Turn::again;
}

std::uint32_t BulkOnly::residue() const {
  const auto used =
      processed_ - static_cast<std::uint32_t>(std::min<std::uint64_t>(command_->unprocessed(), processed_));
  return cbw_.data_transfer_length - used;
}

void BulkOnly::on_step_done(ScsiCommand&) {
  if (stage_ == Stage::status) {
    finished_ = true;
  } else {
    data_moved();
  }
  run();
}

void BulkOnly::cancel(TransferId id) {
  if (active_ == nullptr || active_->id() != id) return;
  // On a wire the device would not even notice: it goes on where it was when the host asks again.
  const auto moved = static_cast<std::uint32_t>(command_->moved());
  command_->interrupt();
  processed_ += moved;
  stage_left_ -= moved;
  finish_active({Status::cancelled, moved});
  run();
}

void BulkOnly::on_halt_cleared(Direction direction) {
  // "The device shall maintain this state until a Reset Recovery" (§6.6.1).
  if (stage_ == Stage::awaiting_reset) return pipes_.halt(direction);
  run();
}

void BulkOnly::reset_recovery() {
  reset(Status::stall);
  run();
}

void BulkOnly::reset(Status status) {
  command_->abort();
  if (active_ != nullptr) finish_active({status, 0});
  enter(Stage::command);
}

void BulkOnly::finish_active(Completion completion) {
  data_.assign({});
  pipes_.finish(std::exchange(active_, nullptr), completion);
}

void BulkOnly::enter(Stage stage) {
  constexpr std::array kNames = {"command", "data-out", "data-in", "status", "awaiting reset"};
  if (stage != stage_)
    trace::line("usb/device", "bulk-only {} -> {}", kNames[static_cast<std::size_t>(stage_)],
                kNames[static_cast<std::size_t>(stage)]);
  stage_ = stage;
}

}  // namespace periplex::usb::device
