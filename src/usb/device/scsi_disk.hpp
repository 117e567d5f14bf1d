// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "usb/device/block_backend.hpp"
#include "usb/device/scsi_action.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/scsi_inquiry.hpp"
#include "usb/device/scsi_medium.hpp"
#include "usb/device/scsi_mode.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/sense.hpp"

namespace periplex::usb::device {

class ScsiTask;

struct ScsiDiskOptions {
  ScsiIdentity identity;
  bool removable = true;   ///< the medium can be taken out (RMB)
  bool read_only = false;  ///< whatever the medium would allow
};

/// What happened since the disk was made.
struct ScsiCounters {
  std::uint64_t commands = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t check_conditions = 0;
};

/// A direct-access block device with one logical unit, 0 (SPC-4, SBC-3), whatever transport it is reached by.
///
/// The disk says what a command does (`decode`), keeps what outlives a command – medium, lock, unit attentions, mode
/// parameters – and knows no data stage and no waiting: that is `ScsiTask`. Any number of tasks may be in flight.
///
/// Not there: power conditions (STOP without eject flushes, and the disk stays ready), reservations, protection
/// information, deferred errors.
class ScsiDisk final : public ScsiTarget {
 public:
  ScsiDisk(ScsiDiskOptions options, std::unique_ptr<BlockBackend> medium);
  ScsiDisk(const ScsiDisk&) = delete;
  ScsiDisk& operator=(const ScsiDisk&) = delete;
  ~ScsiDisk() override;

  /// Puts a medium in; one that was there is gone.
  void insert(std::unique_ptr<BlockBackend> medium);
  /// Takes the medium out; commands that use it fail. Null if there was none.
  std::unique_ptr<BlockBackend> remove();
  /// Whether there is a medium the host can use: present, and not ejected by the host.
  [[nodiscard]] bool medium_present() const { return medium_ != nullptr && !tray_open_; }
  /// Whether the host has asked that the medium stay in (PREVENT ALLOW MEDIUM REMOVAL).
  [[nodiscard]] bool locked() const { return removal_prevented_; }
  [[nodiscard]] bool write_protected() const;

  /// Power on or a bus reset: mode parameters and lock are as new, and the host is told once (SAM-5, "Power on").
  void power_on() override;
  void reset_unit(std::uint8_t) override { power_on(); }  // there is one unit
  /// The host holds no lock any more, and is told once.
  void nexus_lost() override;

  [[nodiscard]] std::unique_ptr<ScsiCommand> make_command(ScsiCommand::Listener& listener) override;

  /// For transports without autosense: keeps `sense` for the REQUEST SENSE that will ask for it (SPC-4, REQUEST SENSE).
  /// Any other command forgets it.
  void hold_sense(const Sense& sense) { held_sense_ = sense; }

  [[nodiscard]] const ScsiDiskOptions& options() const { return options_; }
  [[nodiscard]] const ScsiCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint32_t block_size() const;
  /// Logical blocks; zero without a medium.
  [[nodiscard]] std::uint64_t blocks() const;

  /// What `cdb` for logical unit `lun` does; or why it is refused.
  [[nodiscard]] Decoded decode(std::uint8_t lun, const Cdb& cdb);

  // For ScsiTask.
  [[nodiscard]] BlockBackend* medium() { return medium_.get(); }
  void enlist(ScsiTask& task) { tasks_.push_back(&task); }
  void dismiss(ScsiTask& task) { std::erase(tasks_, &task); }
  void count(BlockOperation operation, std::uint64_t bytes);
  void count_check_condition() { ++counters_.check_conditions; }

 private:
  struct Row;  // of the table of commands
  [[nodiscard]] static const Row* find_row(ScsiOpcode opcode);
  [[nodiscard]] Decoded decode_for_absent_unit(const Cdb& cdb) const;

  [[nodiscard]] Decoded test_unit_ready(const Cdb& cdb);
  [[nodiscard]] Decoded request_sense(const Cdb& cdb);
  [[nodiscard]] Decoded inquiry(const Cdb& cdb);
  [[nodiscard]] Decoded report_luns(const Cdb& cdb);
  [[nodiscard]] Decoded mode_sense_command(const Cdb& cdb);
  [[nodiscard]] Decoded mode_select_command(const Cdb& cdb);
  [[nodiscard]] Decoded start_stop_unit(const Cdb& cdb);
  [[nodiscard]] Decoded load();
  [[nodiscard]] Decoded prevent_allow(const Cdb& cdb);
  [[nodiscard]] Decoded read_format_capacities(const Cdb& cdb);
  [[nodiscard]] Decoded read_capacity_10(const Cdb& cdb);
  [[nodiscard]] Decoded service_action_in(const Cdb& cdb);
  [[nodiscard]] Decoded synchronize_cache(const Cdb& cdb);
  [[nodiscard]] Decoded read(const Cdb& cdb);
  [[nodiscard]] Decoded write(const Cdb& cdb);
  [[nodiscard]] Decoded verify(const Cdb& cdb);
  [[nodiscard]] Decoded write_same(const Cdb& cdb);
  [[nodiscard]] Decoded unmap(const Cdb& cdb);
  [[nodiscard]] Decoded unmap_list(ByteView list) const;

  /// Establishes a unit attention condition, unless it is there already.
  void raise(const Sense& attention);
  [[nodiscard]] std::expected<MediumExtent, Sense> extent(BlockRange range) const;
  [[nodiscard]] std::expected<MediumExtent, Sense> transfer_extent(const Cdb& cdb) const;
  [[nodiscard]] bool can_discard() const { return medium_ != nullptr && medium_->can_discard() && !write_protected(); }

  const ScsiDiskOptions options_;
  std::unique_ptr<BlockBackend> medium_;
  bool tray_open_ = false;  // ejected by the host; the medium is still in our hands
  bool removal_prevented_ = false;
  ModeParameters mode_;
  std::vector<Sense> attentions_;  // unit attention conditions, oldest first
  std::optional<Sense> held_sense_;
  ScsiCounters counters_;
  std::vector<ScsiTask*> tasks_;
};

}  // namespace periplex::usb::device
