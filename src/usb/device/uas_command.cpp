// SPDX-License-Identifier: Apache-2.0
#include "usb/device/uas_command.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/trace.hpp"

namespace periplex::usb::device {
namespace {

std::uint32_t size_of(const Transfer& transfer) {
  return static_cast<std::uint32_t>(transfer.data.size());
}

/// How a data transfer ends that the command has nothing more to do with: what the host sends is taken and dropped.
Completion closing(const Transfer& transfer, std::size_t moved) {
  const bool in = transfer.endpoint().direction() == Direction::in;
  return {Status::ok, in ? static_cast<std::uint32_t>(moved) : size_of(transfer)};
}

}  // namespace

void UasCommand::accept(const UasCommandIu& iu) {
  iu_ = iu;
  left_ = 0;
  cut_short_ = false;
  enter(Stage::dormant);
}

void UasCommand::enable() {
  command_->start(iu_.lun, iu_.cdb);
  const DataStage stage = command_->data_stage();
  left_ = stage.length;
  if (stage.direction == DataDirection::none || left_ == 0) return finish();
  direction_ = stage.direction == DataDirection::to_host ? Direction::in : Direction::out;
  if (!link_.streams) return enter(Stage::waiting_turn);
  enter(Stage::data);
  move_data();
}

void UasCommand::announce() {
  enter(Stage::announcing);
}

void UasCommand::announced() {
  enter(Stage::data);
  move_data();
}

void UasCommand::move_data() {
  while (stage_ == Stage::data && active_ == nullptr) {
    active_ = pipes_.take(data_pipe(), link_.stream_of(iu_.tag));
    if (active_ == nullptr) return;
    data_.assign(active_->data.spans());
    if (command_->move(data_.peek(left_)) == Progress::pending) return;
    data_moved();
  }
}

void UasCommand::data_moved() {
  const std::size_t size = active_->data.size();
  const std::uint64_t wanted = std::min<std::uint64_t>(size, left_);
  const std::size_t moved = command_->moved();
  left_ -= wanted;
  if (direction_ == Direction::in) {
    if (moved < wanted) left_ = 0;  // well or badly, that was all there is
  } else if (left_ > 0 && (size == 0 || size % link_.packet_size != 0)) {
    cut_short_ = true;  // a short packet: the host has no more
    left_ = 0;
  }
  finish_active(closing(*active_, moved));
  if (left_ == 0) finish();
}

void UasCommand::finish() {
  if (cut_short_) return end();  // nothing is to be made of half the data
  enter(Stage::finishing);
  if (command_->finish() == Progress::done) end();
}

void UasCommand::end() {
  end_waiting_data();
  enter(Stage::ended);
  listener_.on_ended(*this);
}

/// Without streams, what waits at a data pipe may be meant for the next command.
void UasCommand::end_waiting_data() {
  if (!link_.streams) return;
  for (const UasPipe pipe : {UasPipe::data_in, UasPipe::data_out}) {
    while (TransferPtr transfer = pipes_.take(pipe, link_.stream_of(iu_.tag))) {
      const Completion completion = closing(*transfer, 0);
      pipes_.finish(std::move(transfer), completion);
    }
  }
}

Bytes UasCommand::sense_iu() const {
  const ScsiStatus status = command_->status();
  if (status == ScsiStatus::good && cut_short_) {
    return encode_sense_iu(iu_.tag, ScsiStatus::check_condition, sense::kDataPhaseError);
  }
  return encode_sense_iu(iu_.tag, status, command_->sense_data());
}

void UasCommand::on_step_done(ScsiCommand&) {
  if (stage_ == Stage::finishing) {
    end();
  } else {
    data_moved();
    move_data();
  }
  listener_.on_progress();
}

bool UasCommand::cancel(TransferId id) {
  if (active_ == nullptr || active_->id() != id) return false;
  // On a wire the device would not even notice: it goes on where it was when the host asks again.
  const std::size_t moved = command_->moved();
  command_->interrupt();
  left_ -= std::min<std::uint64_t>(moved, left_);
  finish_active({Status::cancelled, static_cast<std::uint32_t>(moved)});
  if (left_ == 0) {
    finish();
  } else {
    move_data();
  }
  return true;
}

void UasCommand::abort() {
  const std::size_t moved = command_->moved();
  command_->abort();
  if (active_ != nullptr) finish_active(closing(*active_, moved));
  end_waiting_data();
  enter(Stage::idle);
}

void UasCommand::reset(Status status) {
  command_->abort();
  if (active_ != nullptr) finish_active({status, 0});
  enter(Stage::idle);
}

void UasCommand::finish_active(Completion completion) {
  data_.assign({});
  pipes_.finish(std::exchange(active_, nullptr), completion);
}

void UasCommand::enter(Stage stage) {
  constexpr std::array kNames = {"idle", "dormant", "waiting for its turn", "announcing", "data", "finishing", "ended"};
  trace::line("usb/device", "uas {} {} -> {}", iu_.tag, kNames[static_cast<std::size_t>(stage_)],
              kNames[static_cast<std::size_t>(stage)]);
  stage_ = stage;
}

}  // namespace periplex::usb::device
