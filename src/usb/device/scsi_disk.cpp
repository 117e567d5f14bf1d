// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_disk.hpp"

#include <algorithm>
#include <array>

#include "base/trace.hpp"
#include "usb/device/scsi_task.hpp"

namespace periplex::usb::device {
namespace {

/// What must hold before a command is looked at.
enum Needs : std::uint8_t {
  kNothing = 0,
  kIgnoresAttention = 1,  // INQUIRY, REPORT LUNS and REQUEST SENSE (SAM-5, "Unit attention condition")
  kMedium = 2,
  kWritable = 4 | kMedium,
};

}  // namespace

struct ScsiDisk::Row {
  ScsiOpcode opcode;
  std::uint8_t needs;
  Decoded (ScsiDisk::*decode)(const Cdb&);
};

const ScsiDisk::Row* ScsiDisk::find_row(ScsiOpcode opcode) {
  using enum ScsiOpcode;
  static constexpr std::array kRows = {
      Row{test_unit_ready, kMedium, &ScsiDisk::test_unit_ready},
      Row{request_sense, kIgnoresAttention, &ScsiDisk::request_sense},
      Row{inquiry, kIgnoresAttention, &ScsiDisk::inquiry},
      Row{report_luns, kIgnoresAttention, &ScsiDisk::report_luns},
      Row{mode_sense_6, kNothing, &ScsiDisk::mode_sense_command},
      Row{mode_sense_10, kNothing, &ScsiDisk::mode_sense_command},
      Row{mode_select_6, kNothing, &ScsiDisk::mode_select_command},
      Row{mode_select_10, kNothing, &ScsiDisk::mode_select_command},
      Row{start_stop_unit, kNothing, &ScsiDisk::start_stop_unit},
      Row{prevent_allow_medium_removal, kNothing, &ScsiDisk::prevent_allow},
      Row{read_format_capacities, kNothing, &ScsiDisk::read_format_capacities},
      Row{read_capacity_10, kMedium, &ScsiDisk::read_capacity_10},
      Row{service_action_in_16, kMedium, &ScsiDisk::service_action_in},
      Row{synchronize_cache_10, kMedium, &ScsiDisk::synchronize_cache},
      Row{synchronize_cache_16, kMedium, &ScsiDisk::synchronize_cache},
      Row{read_6, kMedium, &ScsiDisk::read},
      Row{read_10, kMedium, &ScsiDisk::read},
      Row{read_12, kMedium, &ScsiDisk::read},
      Row{read_16, kMedium, &ScsiDisk::read},
      Row{write_6, kWritable, &ScsiDisk::write},
      Row{write_10, kWritable, &ScsiDisk::write},
      Row{write_12, kWritable, &ScsiDisk::write},
      Row{write_16, kWritable, &ScsiDisk::write},
      Row{verify_10, kMedium, &ScsiDisk::verify},
      Row{verify_16, kMedium, &ScsiDisk::verify},
      Row{write_same_10, kWritable, &ScsiDisk::write_same},
      Row{write_same_16, kWritable, &ScsiDisk::write_same},
      Row{unmap, kWritable, &ScsiDisk::unmap},
  };
  const auto* const found = std::ranges::find(kRows, opcode, &Row::opcode);
  return found == kRows.end() ? nullptr : found;
}

ScsiDisk::ScsiDisk(ScsiDiskOptions options, std::unique_ptr<BlockBackend> medium)
    : options_(std::move(options)), medium_(std::move(medium)) {
  power_on();
}

ScsiDisk::~ScsiDisk() {
  while (!tasks_.empty()) tasks_.back()->abort();
}

std::unique_ptr<ScsiCommand> ScsiDisk::make_command(ScsiCommand::Listener& listener) {
  return std::make_unique<ScsiTask>(*this, listener);
}

void ScsiDisk::insert(std::unique_ptr<BlockBackend> medium) {
  remove();
  medium_ = std::move(medium);
  if (medium_ != nullptr) raise(sense::kMediumChanged);
}

void ScsiDisk::raise(const Sense& attention) {
  if (std::ranges::find(attentions_, attention) == attentions_.end()) attentions_.push_back(attention);
}

std::unique_ptr<BlockBackend> ScsiDisk::remove() {
  // Out first: a transport whose command ends here may start the next one at once, which must not find it any more.
  std::unique_ptr<BlockBackend> medium = std::move(medium_);
  tray_open_ = false;
  removal_prevented_ = false;
  const std::vector<ScsiTask*> tasks = tasks_;
  for (ScsiTask* const task : tasks) task->medium_removed();
  return medium;
}

void ScsiDisk::power_on() {
  mode_ = {};
  removal_prevented_ = false;
  held_sense_.reset();
  attentions_.assign({sense::kPowerOn});
}

void ScsiDisk::nexus_lost() {
  removal_prevented_ = false;
  held_sense_.reset();
  raise(sense::kNexusLoss);
}

bool ScsiDisk::write_protected() const {
  return options_.read_only || (medium_ != nullptr && medium_->read_only());
}

std::uint32_t ScsiDisk::block_size() const {
  return medium_ == nullptr ? 512 : medium_->logical_block_size();
}

std::uint64_t ScsiDisk::blocks() const {
  return medium_present() ? medium_->size() / block_size() : 0;
}

void ScsiDisk::count(BlockOperation operation, std::uint64_t bytes) {
  if (operation == BlockOperation::read) counters_.bytes_read += bytes;
  if (operation == BlockOperation::write) counters_.bytes_written += bytes;
}

Decoded ScsiDisk::decode(std::uint8_t lun, const Cdb& cdb) {
  ++counters_.commands;
  trace::line("usb/device", "scsi lun {} cdb {}", lun, cdb.text());
  if (lun != 0) return decode_for_absent_unit(cdb);
  if (cdb.opcode() != ScsiOpcode::request_sense) held_sense_.reset();
  const Row* const row = find_row(cdb.opcode());
  if ((row == nullptr || (row->needs & kIgnoresAttention) == 0) && !attentions_.empty()) {
    const Sense attention = attentions_.front();
    attentions_.erase(attentions_.begin());
    return std::unexpected(attention);
  }
  if (row == nullptr) return std::unexpected(sense::kInvalidOperationCode);
  if ((row->needs & kMedium) != 0) {
    if (!medium_present()) return std::unexpected(sense::kMediumNotPresent);
    if (blocks() == 0) return std::unexpected(sense::kMediumFormatCorrupted);
    if ((row->needs & kWritable) == kWritable && write_protected()) return std::unexpected(sense::kWriteProtected);
  }
  return (this->*row->decode)(cdb);
}

// SPC-4, INQUIRY and REQUEST SENSE: these two answer for a unit that is not there; the rest is refused.
Decoded ScsiDisk::decode_for_absent_unit(const Cdb& cdb) const {
  if (cdb.opcode() == ScsiOpcode::inquiry) return reply(inquiry_of_no_unit(options_.identity), cdb.be16(3));
  if (cdb.opcode() == ScsiOpcode::request_sense) {
    return reply(sense::kLogicalUnitNotSupported.fixed_format(), cdb.u8(4));
  }
  return std::unexpected(sense::kLogicalUnitNotSupported);
}

}  // namespace periplex::usb::device
