// SPDX-License-Identifier: Apache-2.0
#include "storage/uas_initiator.hpp"

#include <algorithm>
#include <utility>

#include "base/trace.hpp"

namespace periplex::storage {
namespace {

using usb::Status;
using usb::device::UasFunction;
using usb::device::UasIuId;
using usb::device::UasResponse;

/// How long data may come after the status that says they were moved: they are on other endpoints, whose completions
/// need not come in the order of what happened.
constexpr Nanoseconds kDataGrace = std::chrono::milliseconds(500);

Bytes command_iu(std::uint16_t tag, const Command& command) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(UasIuId::command)).u8(0).be16(tag).zeros(4);  // SIMPLE
  out.u8(0).u8(command.lun).zeros(6).bytes(command.cdb).zeros(Cdb::kMaxSize - command.cdb.size());
  return out.take();
}

Bytes management_iu(std::uint16_t tag, UasFunction function, std::uint16_t task_tag, std::uint8_t lun) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(UasIuId::task_management)).u8(0).be16(tag);
  out.u8(static_cast<std::uint8_t>(function)).u8(0).be16(task_tag).u8(0).u8(lun).zeros(6);
  return out.take();
}

}  // namespace

UasInitiator::UasInitiator(DevicePipes& pipes, const DiskInterface& interface, Scheduler& scheduler, Owner& owner)
    : pipes_(pipes),
      interface_(interface),
      owner_(owner),
      streams_(interface.streams > 0),
      management_tag_(streams_ ? std::min(interface.streams, kMaxTags) : kMaxTags),
      timer_(scheduler.make_timer([this] { on_timeout(); })),
      data_timer_(scheduler.make_timer([this] { on_grace_over(); })) {}

std::size_t UasInitiator::room() const {
  return management_ ? 0 : management_tag_ - 1 - tasks_.size();
}

void UasInitiator::start(CommandId id, Command command, Done done) {
  const std::uint16_t tag = free_tag();
  Task& task = tasks_.emplace_back(Task{.id = id, .tag = tag, .command = std::move(command), .done = std::move(done)});
  submit_status(tag);
  if (streams_) submit_data(task);
  send(command_iu(tag, task.command));
}

void UasInitiator::submit_status(std::uint16_t tag) {
  const usb::TransferId id = pipes_.in(
      interface_.status, kStatusRoom,
      [this, tag, epoch = epoch_](Status status, std::uint32_t, const Bytes& data) {
        if (epoch == epoch_) on_status(tag, status, data);
      },
      stream(tag));
  if (const auto task = find(tag); task != tasks_.end()) task->status = id;
}

void UasInitiator::submit_data(Task& task) {
  task.data_asked = true;
  if (task.command.data.direction == DataDirection::none) return;
  auto ended = [this, tag = task.tag, id = task.id, epoch = epoch_](Status status, std::uint32_t actual, Bytes data) {
    if (epoch == epoch_) on_data(tag, id, status, actual, std::move(data));
  };
  if (task.command.data.direction == DataDirection::to_host) {
    task.data = pipes_.in(interface_.data_in, task.command.data.length, std::move(ended), stream(task.tag));
  } else {
    task.data = pipes_.out(interface_.data_out, std::move(task.command.data_out), std::move(ended), stream(task.tag));
  }
}

void UasInitiator::send(Bytes iu) {
  timer_->arm(kCommandTimeout);
  const std::size_t size = iu.size();
  pipes_.out(interface_.command, std::move(iu),
             [this, size, epoch = epoch_](Status status, std::uint32_t actual, const Bytes&) {
               if (epoch == epoch_) on_sent(status, size, actual);
             });
}

void UasInitiator::on_sent(Status status, std::size_t expected, std::uint32_t actual) {
  if (status == Status::disconnected) return owner_.on_lost();
  if (status != Status::ok || actual != expected) broken();
}

void UasInitiator::on_status(std::uint16_t stream_tag, Status status, const Bytes& data) {
  if (status == Status::disconnected) return owner_.on_lost();
  if (status == Status::cancelled) return;  // by us, for a command that was aborted
  if (status != Status::ok || !take_status_iu(stream_tag, data)) broken();
}

bool UasInitiator::take_status_iu(std::uint16_t stream_tag, ByteView iu) {
  trace::line("storage", "uas status {}", hex(iu));
  ByteReader in(iu);
  const auto id = static_cast<UasIuId>(in.u8());
  in.skip(1);
  const std::uint16_t tag = in.be16();
  if (!in.ok() || (streams_ && tag != stream_tag)) return false;
  if (id == UasIuId::response) return take_response(tag, in);
  const auto task = find(tag);
  if (task == tasks_.end() || task->result) return false;
  task->status.reset();
  timer_->arm(kCommandTimeout);
  if (id == UasIuId::read_ready) return take_ready(*task, DataDirection::to_host);
  if (id == UasIuId::write_ready) return take_ready(*task, DataDirection::from_host);
  if (id != UasIuId::sense || !take_sense(*task, in)) return false;
  end_if_over(task);
  return true;
}

bool UasInitiator::take_ready(Task& task, DataDirection direction) {
  if (streams_ || task.data_asked || task.command.data.direction != direction) return false;
  submit_data(task);
  submit_status(task.tag);
  return true;
}

bool UasInitiator::take_sense(Task& task, ByteReader& in) {
  in.skip(2);  // STATUS QUALIFIER
  const auto status = static_cast<ScsiStatus>(in.u8());
  in.skip(7);
  const std::size_t length = in.be16();
  if (!in.ok()) return false;
  const ByteView sense = in.rest().first(std::min({length, in.remaining(), kMaxSense}));
  task.result = Result{.status = status, .sense = Bytes(sense.begin(), sense.end())};
  return true;
}

/// To a command, a response is a refusal of its IU; the device has not taken it for a command at all.
bool UasInitiator::take_response(std::uint16_t tag, ByteReader& in) {
  in.skip(3);
  const auto response = static_cast<UasResponse>(in.u8());
  if (!in.ok()) return false;
  if (tag != management_tag_ || !management_) {
    const auto task = find(tag);
    if (task == tasks_.end() || task->result) return false;
    task->status.reset();
    task->result = failure(usb::device::sense::kDataPhaseError);
    end_if_over(task);
    return true;
  }
  // Otherwise it stays, and ends with everything else.
  const bool succeeded = response == UasResponse::task_management_complete || response == UasResponse::succeeded;
  if (!succeeded) return false;
  Management management = *std::exchange(management_, std::nullopt);
  timer_->arm(kCommandTimeout);
  if (management.function == UasFunction::abort_task) {
    const auto task = std::ranges::find(tasks_, management.task, &Task::id);
    if (task != tasks_.end()) {
      if (task->status) pipes_.cancel(*task->status);
      task->status.reset();
      task->result = Result{.outcome = Outcome::aborted};
      end_if_over(task);
    }
  } else if (management.done) {
    if (tasks_.empty()) timer_->cancel();
    management.done(Result{});
  }
  abort_next();
  owner_.on_room();  // even where the task had ended by itself: nothing was started meanwhile
  return true;
}

void UasInitiator::on_data(std::uint16_t tag, CommandId id, Status status, std::uint32_t actual, Bytes data) {
  if (status == Status::disconnected) return owner_.on_lost();
  const auto task = find(tag);
  if (task == tasks_.end() || task->id != id) return;
  task->data.reset();
  task->moved = actual;
  task->data_in = std::move(data);
  // A cancelled one is ours: there is an outcome already.
  if (status != Status::ok && status != Status::cancelled) return broken();
  end_if_over(task);
}

void UasInitiator::end_if_over(Tasks::iterator task) {
  if (!task->result) return;
  if (task->data) {
    // Nothing more is moved for a command that has failed; what was may still be on its way here.
    if (!task->result->good()) return pipes_.cancel(*task->data);
    return data_timer_->arm(kDataGrace);
  }
  Task ended = std::move(*task);
  tasks_.erase(task);
  if (tasks_.empty() && !management_) timer_->cancel();
  Result result = std::move(*ended.result);
  const auto length = static_cast<std::uint32_t>(ended.command.data.length);
  result.residue = length - std::min(length, ended.moved);
  result.data_in = std::move(ended.data_in);
  ended.done(std::move(result));
  owner_.on_room();
}

void UasInitiator::on_grace_over() {
  for (Task& task : tasks_) {
    if (task.result && task.data) pipes_.cancel(*task.data);
  }
}

void UasInitiator::abort(CommandId id) {
  const auto task = std::ranges::find(tasks_, id, &Task::id);
  if (task == tasks_.end() || task->result) return;
  task->aborting = true;
  abort_next();
}

void UasInitiator::abort_next() {
  if (management_) return;
  const auto task = std::ranges::find_if(tasks_, [](const Task& each) { return each.aborting && !each.result; });
  if (task == tasks_.end()) return;
  management_ = Management{.function = UasFunction::abort_task, .task = task->id, .done = nullptr};
  manage(UasFunction::abort_task, task->tag, task->command.lun);
}

void UasInitiator::reset_unit(std::uint8_t lun, Done done) {
  management_ = Management{.function = UasFunction::logical_unit_reset, .task = {}, .done = std::move(done)};
  manage(UasFunction::logical_unit_reset, 0, lun);
}

void UasInitiator::manage(UasFunction function, std::uint16_t task_tag, std::uint8_t lun) {
  submit_status(management_tag_);
  send(management_iu(management_tag_, function, task_tag, lun));
  timer_->arm(kRecoveryTimeout);
}

void UasInitiator::end_all(const Result& result) {
  ++epoch_;
  timer_->cancel();
  data_timer_->cancel();
  Tasks tasks = std::exchange(tasks_, {});
  auto management = std::exchange(management_, std::nullopt);
  for (Task& task : tasks) task.done(result);
  if (management && management->done) management->done(result);
}

void UasInitiator::on_timeout() {
  if (!tasks_.empty() || management_) broken();
}

void UasInitiator::broken() {
  ++epoch_;
  timer_->cancel();
  data_timer_->cancel();
  owner_.on_broken();
}

UasInitiator::Tasks::iterator UasInitiator::find(std::uint16_t tag) {
  return std::ranges::find(tasks_, tag, &Task::tag);
}

std::uint16_t UasInitiator::free_tag() const {
  std::uint16_t tag = 1;
  while (std::ranges::find(tasks_, tag, &Task::tag) != tasks_.end()) ++tag;
  return tag;
}

}  // namespace periplex::storage
