// SPDX-License-Identifier: Apache-2.0
#include "storage/remote_target.hpp"

#include <utility>

#include "base/trace.hpp"
#include "storage/remote_command.hpp"
#include "storage/remote_unit.hpp"
#include "storage/unit_probe.hpp"

namespace periplex::storage {
namespace {

using usb::device::ScsiOpcode;

constexpr std::uint8_t kUnitAttention = 0x06;
constexpr std::uint8_t kNoSense = 0x00;
constexpr std::uint8_t kIllegalRequest = 0x05;

bool is_mode_sense(const Cdb& cdb) {
  return cdb.opcode() == ScsiOpcode::mode_sense_6 || cdb.opcode() == ScsiOpcode::mode_sense_10;
}
bool is_mode_select(const Cdb& cdb) {
  return cdb.opcode() == ScsiOpcode::mode_select_6 || cdb.opcode() == ScsiOpcode::mode_select_10;
}
/// Whether the host wants to know that what it wrote before is durable.
bool asks_for_durability(const Cdb& cdb) {
  const ScsiOpcode opcode = cdb.opcode();
  if (opcode == ScsiOpcode::synchronize_cache_10 || opcode == ScsiOpcode::synchronize_cache_16) return true;
  const bool writes =
      opcode == ScsiOpcode::write_10 || opcode == ScsiOpcode::write_12 || opcode == ScsiOpcode::write_16;
  return writes && !is_plain_write(cdb);
}

}  // namespace

RemoteTarget::RemoteTarget(MessageCarrier& carrier, Scheduler& scheduler, const RemoteOptions& options)
    : carrier_(carrier), scheduler_(scheduler), options_(options) {
  carrier_.set_receiver(this);
}

RemoteTarget::~RemoteTarget() {
  *alive_ = false;
  carrier_.set_receiver(nullptr);
}

std::unique_ptr<usb::device::ScsiCommand> RemoteTarget::make_command(usb::device::ScsiCommand::Listener& listener) {
  return std::make_unique<RemoteCommand>(*this, listener);
}

std::uint8_t RemoteTarget::last_lun() const {
  return units_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(units_.size() - 1);
}

RemoteTarget::Unit* RemoteTarget::find(std::uint8_t lun) const {
  return lun < units_.size() ? units_[lun].get() : nullptr;
}

std::uint32_t RemoteTarget::block_size(std::uint8_t lun) const {
  const Unit* const unit = find(lun);
  return unit == nullptr ? 0 : unit->block_size;
}

std::optional<Result> RemoteTarget::answer_here(std::uint8_t lun, const Cdb& cdb) {
  if (lost_) {
    Result lost = failure(usb::device::sense::kInternalTargetFailure);
    if (cdb.opcode() == ScsiOpcode::request_sense) return Result{.data_in = std::move(lost.sense)};
    return lost;
  }
  Unit* const unit = find(lun);
  if (unit == nullptr) {
    if (cdb.opcode() == ScsiOpcode::inquiry) return Result{.data_in = usb::device::inquiry_of_no_unit({})};
    const Bytes sense = usb::device::sense::kLogicalUnitNotSupported.fixed_format();
    if (cdb.opcode() == ScsiOpcode::request_sense) return Result{.data_in = sense};
    return Result{.status = ScsiStatus::check_condition, .sense = sense};
  }
  if (cdb.opcode() == ScsiOpcode::request_sense) {
    if (auto held = std::exchange(unit->held_sense, std::nullopt)) return Result{.data_in = std::move(*held)};
    if (!unit->attentions.empty()) return Result{.data_in = unit->take_attention()};
    return std::nullopt;
  }
  unit->held_sense.reset();
  if (unit->attentions.empty() || ignores_attention(cdb)) return std::nullopt;
  return Result{.status = ScsiStatus::check_condition, .sense = unit->take_attention()};
}

void RemoteTarget::hold_sense(std::uint8_t lun, Bytes sense) {
  if (sense.empty()) sense = usb::device::sense::kNone.fixed_format();
  if (Unit* const unit = find(lun)) unit->held_sense = std::move(sense);
}

void RemoteTarget::count_moved(const Command& command, const Result& result) {
  counters_.bytes_read += result.data_in.size();
  if (command.data.direction == DataDirection::from_host && result.good()) {
    counters_.bytes_written += command.data.length - std::min<std::uint64_t>(result.residue, command.data.length);
  }
}

ReadAhead::Found RemoteTarget::read_ahead(RemoteCommand& command, Bytes& data) {
  Unit* const unit = find(command.command_.lun);
  if (unit == nullptr) return ReadAhead::Found::no;
  return unit->read_ahead.read(command.cdb_.range(), command, data);
}

void RemoteTarget::ask(RemoteCommand& command) {
  Unit* const unit = find(command.command_.lun);
  if (lost_ || unit == nullptr) return command.on_result({.outcome = Outcome::lost});
  if (!fits(command.command_.data.length)) return command.on_result({.status = ScsiStatus::task_set_full});
  const bool may_change = !leaves_medium_alone(command.cdb_);
  if (may_change) unit->read_ahead.hold();
  command.asked_ = RemoteCommand::Asked::disk;
  ++counters_.round_trips;
  command.tag_ = send({.lun = command.command_.lun, .command = &command, .may_change = may_change, .cdb = command.cdb_},
                      command.command_);
}

bool RemoteTarget::write_early(RemoteCommand& command) {
  Unit* const unit = find(command.command_.lun);
  const std::uint64_t bytes = command.command_.data.length;
  if (lost_ || unit == nullptr || !is_plain_write(command.cdb_) || !unit->write_back.takes(bytes)) return false;
  if (!fits(bytes)) return false;
  unit->read_ahead.hold();
  unit->write_back.sent(bytes);
  ++counters_.early_writes;
  command.command_.ordered = true;
  (void)send({.lun = command.command_.lun, .may_change = true, .early_bytes = bytes, .cdb = command.cdb_},
             command.command_);
  count_moved(command.command_, {});
  return true;
}

void RemoteTarget::give_up(RemoteCommand& command) {
  Unit* const unit = find(command.command_.lun);
  if (command.asked_ == RemoteCommand::Asked::read_ahead && unit != nullptr) return unit->read_ahead.forget(command);
  const auto exchange = exchanges_.find(command.tag_);
  if (exchange == exchanges_.end()) return;
  exchange->second.command = nullptr;
  if (!lost_) carrier_.send(encode(AbortMessage{command.tag_}));
}

std::uint64_t RemoteTarget::send(Exchange exchange, const Command& command) {
  const std::uint64_t tag = ++last_tag_;
  exchange.bytes = command.data.length;
  bytes_ += exchange.bytes;
  exchanges_.emplace(tag, std::move(exchange));
  if (!lost_) carrier_.send(encode(tag, command));
  return tag;
}

// What was under way has been aborted by the transport. Only if the disk is stuck with it there is something to reset.
void RemoteTarget::power_on() {
  bool stuck = false;
  for (const auto& [tag, exchange] : exchanges_) {
    stuck = stuck || (!exchange.ahead && exchange.early_bytes == 0 && exchange.command == nullptr);
  }
  for (const auto& unit : units_) {
    unit->held_sense.reset();
    unit->write_back.reset();
    unit->read_ahead.drop();
    unit->raise(usb::device::sense::kPowerOn.fixed_format());
  }
  if (stuck) reset_unit(0);
}

// It waits for writes that were reported done already: a cache outlives the reset of a unit.
void RemoteTarget::reset_unit(std::uint8_t lun) {
  Unit* const unit = find(lun);
  if (unit == nullptr || lost_) return;
  unit->held_sense.reset();
  unit->raise(usb::device::sense::kPowerOn.fixed_format());
  // A guest that resets again while the last reset has not come through gets that one.
  const bool under_way =
      !exchanges_.empty() && exchanges_.rbegin()->second.reset && exchanges_.rbegin()->second.lun == lun;
  if (under_way || exchanges_.size() >= 2 * kMaxCommands) return;
  unit->read_ahead.hold();
  const std::uint64_t tag = ++last_tag_;
  exchanges_.emplace(tag, Exchange{.lun = lun, .may_change = true, .reset = true});
  carrier_.send(encode(ResetMessage{tag, lun}));
}

void RemoteTarget::nexus_lost() {
  for (const auto& unit : units_) {
    unit->held_sense.reset();
    unit->write_back.reset();
    unit->read_ahead.drop();
    unit->raise(usb::device::sense::kNexusLoss.fixed_format());
  }
}

void RemoteTarget::on_message(ByteView message) {
  if (lost_) return;
  auto decoded = decode_agent_message(message);
  if (!decoded) return fail(RemoteFailure::broken_message, "the agent has sent a message that is none");
  if (const auto* const identity = std::get_if<DiskIdentity>(&*decoded)) {
    on_identity(*identity);
  } else {
    on_result(std::move(std::get<ResultMessage>(*decoded)));
  }
}

void RemoteTarget::on_identity(const DiskIdentity& identity) {
  if (identity_) return fail(RemoteFailure::broken_message, "the agent has told twice who the disk is");
  identity_ = identity;
  for (std::size_t lun = 0; lun < identity.units.size(); ++lun) {
    units_.push_back(std::make_unique<Unit>(*this, static_cast<std::uint8_t>(lun), identity.units[lun]));
    units_.back()->raise(usb::device::sense::kPowerOn.fixed_format());
  }
  if (on_identity_) on_identity_(identity);
}

void RemoteTarget::on_result(ResultMessage message) {
  const auto found = exchanges_.find(message.tag);
  if (found == exchanges_.end()) return;  // nothing that anybody here waits for
  Exchange exchange = std::move(found->second);
  exchanges_.erase(found);
  bytes_ -= exchange.bytes;
  Unit& unit = *find(exchange.lun);
  const bool lost = message.result.outcome == Outcome::lost;
  if (exchange.ahead) {
    const SenseSummary sense = summarize_sense(message.result.sense);
    // What the disk has said to us only, the guest is to hear in our stead.
    if (sense.key == kUnitAttention || sense.deferred) unit.raise(message.result.sense);
    unit.read_ahead.on_fetched(message.tag, message.result.good(), std::move(message.result.data_in));
  } else {
    on_answered(exchange, message.result);
    if (exchange.command != nullptr) exchange.command->on_result(std::move(message.result));
  }
  if (lost) fail(RemoteFailure::disk_gone, "the disk is gone");
}

/// What a result means beyond the command it is for.
void RemoteTarget::on_answered(Exchange& exchange, Result& result) {
  Unit& unit = *find(exchange.lun);
  if (exchange.may_change) unit.read_ahead.release();
  if (exchange.early_bytes > 0) {
    unit.write_back.arrived(exchange.early_bytes);
    if (result.good()) return;
    ++counters_.failed_early;
    return unit.raise(as_deferred(result.sense));
  }
  const SenseSummary sense = summarize_sense(result.sense);
  if (result.outcome != Outcome::ended || result.status != ScsiStatus::good) {
    unit.read_ahead.drop();
    if (exchange.command == nullptr && (sense.key == kUnitAttention || sense.deferred)) unit.raise(result.sense);
  }
  if (exchange.command == nullptr) return;
  const Command& command = exchange.command->command_;
  const Cdb& cdb = exchange.cdb;
  if (is_mode_sense(cdb)) unit.write_back.on_mode_sense(cdb, command.data.length, result);
  if (!result.good()) return;
  if (is_mode_select(cdb)) unit.write_back.on_mode_selected(cdb, command.data_out);
  if (asks_for_durability(cdb)) {
    if (auto deferred = unit.take_deferred()) {
      result = {.status = ScsiStatus::check_condition, .sense = std::move(*deferred)};
    }
    return;
  }
  ByteReader in(result.data_in);
  if (cdb.opcode() == ScsiOpcode::read_capacity_10 && result.data_in.size() >= 8) {
    const std::uint32_t last = in.be32();
    const std::uint32_t size = in.be32();
    constexpr std::uint32_t kMore = 0xffffffff;  // than can be said: READ CAPACITY (16) will
    unit.set_geometry(size, last == kMore ? 0 : std::uint64_t{last} + 1);
  } else if (cdb.opcode() == ScsiOpcode::service_action_in_16 && (cdb.u8(1) & 0x1f) == 0x10 && in.remaining() >= 12) {
    const std::uint64_t last = in.be64();
    unit.set_geometry(in.be32(), last + 1);
  } else if (cdb.opcode() == ScsiOpcode::request_sense) {
    const std::uint8_t key = summarize_sense(result.data_in).key;
    if (key != kNoSense && key != kIllegalRequest) unit.read_ahead.drop();
  }
}

void RemoteTarget::lose() {
  if (std::exchange(lost_, true)) return;
  std::map<std::uint64_t, Exchange> exchanges = std::exchange(exchanges_, {});
  bytes_ = 0;
  const auto alive = alive_;
  for (const auto& unit : units_) unit->read_ahead.drop();
  std::vector<std::uint64_t> tags;
  for (auto& [tag, exchange] : exchanges) {
    RemoteCommand* const command = exchange.command;
    if (command == nullptr) continue;
    // Whoever hears of one may have given up another one meanwhile.
    if (command->asked_ != RemoteCommand::Asked::disk || command->tag_ != tag) continue;
    command->on_result({.outcome = Outcome::lost});
    if (!*alive) return;
  }
}

bool RemoteTarget::fits(std::uint64_t bytes) const {
  return exchanges_.size() < kMaxCommands && bytes_ + bytes <= kMaxCommandBytes;
}

void RemoteTarget::fail(RemoteFailure why, std::string_view what) {
  trace::line("storage", "remote disk fails: {}", what);
  const auto alive = alive_;
  const bool first = !lost_;
  lose();
  if (*alive && first && on_failed_) on_failed_(why);
}

RemoteCounters RemoteTarget::counters() const {
  RemoteCounters all = counters_;
  for (const auto& unit : units_) {
    const ReadAheadCounters& each = unit->read_ahead.counters();
    all.read_ahead.hits += each.hits;
    all.read_ahead.misses += each.misses;
    all.read_ahead.fetched_bytes += each.fetched_bytes;
    all.read_ahead.wasted_bytes += each.wasted_bytes;
  }
  return all;
}

usb::device::StorageIdentity device_identity(const DiskIdentity& disk) {
  return {.vendor_id = disk.vendor_id,
          .product_id = disk.product_id,
          .release = disk.release,
          .manufacturer = disk.manufacturer,
          .product = disk.product,
          .serial_number = disk.serial_number};
}

usb::device::StorageTransport device_transport(const DiskIdentity& disk) {
  using usb::device::StorageTransport;
  return disk.units.size() > 1 ? StorageTransport::bulk_only : StorageTransport::uas;
}

}  // namespace periplex::storage
