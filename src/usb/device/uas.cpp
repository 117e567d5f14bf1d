// SPDX-License-Identifier: Apache-2.0
#include "usb/device/uas.hpp"

#include <algorithm>
#include <array>

#include "base/trace.hpp"

namespace periplex::usb::device {
namespace {

std::optional<std::uint16_t> tag_of(const std::expected<UasIu, UasIuError>& iu) {
  if (!iu) return iu.error().tag;
  return std::visit([](const auto& each) { return each.tag; }, *iu);
}

}  // namespace

Uas::~Uas() {
  reset(Status::disconnected);
}

void Uas::on_transfer(UasPipe pipe) {
  if (pipe == UasPipe::data_in || pipe == UasPipe::data_out) {
    for (UasCommand& command : commands_) command.move_data();
  }
  work();
}

void Uas::cancel(TransferId id) {
  if (std::ranges::any_of(commands_, [id](UasCommand& command) { return command.cancel(id); })) work();
}

void Uas::reset(Status status) {
  answers_.clear();
  for (UasCommand& command : commands_) command.reset(status);
  spare_.splice(spare_.begin(), commands_);
}

/// Goes on as far as transfers and the medium allow.
void Uas::work() {
  bool again = true;
  while (again) {
    enable_commands();
    announce_data();
    again = deliver_answers();
    again = take_iu() || again;
  }
}

bool Uas::take_iu() {
  if (answers_.size() >= kMaxAnswers) return false;
  TransferPtr transfer = pipes_.take(UasPipe::command, 0);
  if (transfer == nullptr) return false;
  std::array<std::byte, UasCommandIu::kMaxSize> bytes;
  const ByteView taken = ByteView(bytes).first(transfer->data.read(0, bytes));
  trace::line("usb/device", "uas command {}", hex(taken));
  const auto size = static_cast<std::uint32_t>(transfer->data.size());
  const bool understood = receive(parse_uas_iu(taken));
  pipes_.finish(std::move(transfer), understood ? Completion{Status::ok, size} : Completion{Status::stall, 0});
  if (!understood) pipes_.halt(UasPipe::command);
  return true;
}

bool Uas::receive(const std::expected<UasIu, UasIuError>& iu) {
  const std::optional<std::uint16_t> tag = tag_of(iu);
  if (!tag || !link_.serves(*tag)) return false;
  const auto command = find(*tag);
  if (command != commands_.end() || answers_.holds(*tag)) {
    // UAS-3, "OVERLAPPED TAG ATTEMPTED". One answer ends both, as the host can tell them apart no more than we.
    answers_.forget(*tag);
    if (command != commands_.end()) abort(command);
    respond(*tag, UasResponse::overlapped_tag);
  } else if (!iu) {
    respond(*tag, UasResponse::invalid_information_unit);
  } else if (const auto* const management = std::get_if<UasTaskManagementIu>(&*iu)) {
    const UasResponse response = manage(*management);
    respond(*tag, response);
  } else {
    accept(std::get<UasCommandIu>(*iu));
  }
  return true;
}

void Uas::accept(const UasCommandIu& iu) {
  if (commands_.size() >= kMaxCommands) {
    return answers_.push(iu.tag, encode_sense_iu(iu.tag, ScsiStatus::task_set_full, std::nullopt));
  }
  if (spare_.empty()) spare_.emplace_back(static_cast<UasCommand::Listener&>(*this), target_, pipes_, link_);
  spare_.front().accept(iu);
  const bool first = iu.attribute == UasTaskAttribute::head_of_queue;
  commands_.splice(first ? commands_.begin() : commands_.end(), spare_, spare_.begin());
}

/// SAM-5, "Task attributes": HEAD OF QUEUE waits for nothing; SIMPLE for every command with HEAD OF QUEUE and each
/// older one with ORDERED; ORDERED for every command with HEAD OF QUEUE and each older one. As those with HEAD OF QUEUE
/// stand first, that is what stands before a command. A unit that is not there has no task set.
void Uas::enable_commands() {
  bool any = false;
  bool barrier = false;
  for (UasCommand& command : commands_) {
    const bool counts = command.lun() == 0;
    const UasTaskAttribute attribute = command.attribute();
    const bool ordered = attribute == UasTaskAttribute::ordered;
    const bool free = !counts || attribute == UasTaskAttribute::head_of_queue || !(ordered ? any : barrier);
    if (command.dormant() && free) command.enable();
    if (!counts || command.ended()) continue;
    any = true;
    barrier = barrier || attribute != UasTaskAttribute::simple;
  }
}

void Uas::announce_data() {
  if (link_.streams) return;
  for (const Direction direction : {Direction::in, Direction::out}) {
    const auto has = [direction](const UasCommand& command) { return command.has_pipe(direction); };
    if (std::ranges::any_of(commands_, has)) continue;
    const auto wants = [direction](const UasCommand& command) { return command.wants_pipe(direction); };
    const auto next = std::ranges::find_if(commands_, wants);
    if (next == commands_.end()) continue;
    next->announce();
    const UasIuId id = direction == Direction::in ? UasIuId::read_ready : UasIuId::write_ready;
    answers_.push(next->tag(), encode_ready_iu(next->tag(), id));
  }
}

bool Uas::deliver_answers() {
  bool any = false;
  while (const auto tag = answers_.deliver()) {
    any = true;
    const auto command = find(*tag);
    if (command == commands_.end()) continue;  // a response
    if (command->announcing()) {
      command->announced();
    } else {
      retire(command);
    }
  }
  return any;
}

void Uas::abort(Commands::iterator command) {
  answers_.forget(command->tag());
  command->abort();
  spare_.splice(spare_.begin(), commands_, command);
}

/// Its task is stopped too, so that it holds nothing of the disk while it is spare.
void Uas::retire(Commands::iterator command) {
  command->reset(Status::ok);
  spare_.splice(spare_.begin(), commands_, command);
}

Uas::Commands::iterator Uas::find(std::uint16_t tag) {
  return std::ranges::find(commands_, tag, &UasCommand::tag);
}

}  // namespace periplex::usb::device
