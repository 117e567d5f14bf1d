// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "usb/device/scsi_commands.hpp"

/// What a storage transport talks to: commands in, their outcomes back, wherever they are carried out.
namespace periplex::usb::device {

/// A command's data stage: which way, and how many bytes the target intends to move (SAM-5, data transfer).
enum class DataDirection : std::uint8_t { none, to_host, from_host };
struct DataStage {
  DataDirection direction = DataDirection::none;
  std::uint64_t length = 0;
  friend bool operator==(const DataStage&, const DataStage&) = default;
};

/// Whether a step is over or goes on by itself.
enum class Progress : std::uint8_t { done, pending };

/// One command at a target, in the steps in which a transport lives through it (SAM-5 clause 5). A transport owns one
/// of these per command it can carry, and uses it again and again.
///
///   start(lun, cdb, expected)  the CDB is understood; `data_stage` says what the target intends to move
///   move(spans)                as often as the transport has data or room, in pieces of any size
///   finish()                   the data stage is over; then `status` and `sense_data` are the outcome, once
///
/// Data moves in steps, not as one block, so that a target that has it at hand moves it between its medium and the
/// transport's own spans without a copy in between. A step that is `pending` is reported to the listener once, on the
/// loop, when it is over; no other step may be started before. Whatever has failed, the remaining steps are still legal
/// and do nothing.
class ScsiCommand {
 public:
  class Listener {
   public:
    /// The pending step is over.
    virtual void on_step_done(ScsiCommand& command) = 0;

   protected:
    ~Listener() = default;
  };

  virtual ~ScsiCommand() = default;

  /// Begins the command in `cdb`; a command that was in flight before is aborted. `expected` is what the host has said
  /// about the data stage, if its transport carries that (bulk-only does, UAS does not).
  virtual void start(std::uint8_t lun, ByteView cdb, const std::optional<DataStage>& expected = {}) = 0;
  [[nodiscard]] virtual DataStage data_stage() const = 0;

  /// Moves the data stage on by up to the size of `spans`, which must stay valid until the step is over.
  [[nodiscard]] virtual Progress move(std::span<const MutableByteView> spans) = 0;
  /// How much of the spans the last `move` has moved; less than all means that the data stage is over, well or badly.
  [[nodiscard]] virtual std::size_t moved() const = 0;
  /// Stops a pending `move`: the spans are touched no more. The command lives on, and what was not moved can be moved
  /// by another call.
  virtual void interrupt() = 0;

  [[nodiscard]] virtual Progress finish() = 0;
  [[nodiscard]] virtual bool pending() const = 0;

  /// Forgets the command (SAM-5, "Aborting commands"). What it has asked of the medium may still happen; no data of the
  /// host is touched any more.
  virtual void abort() = 0;

  [[nodiscard]] virtual ScsiStatus status() const = 0;
  /// Sense data as the host gets them, in whatever format; empty if there are none.
  [[nodiscard]] virtual Bytes sense_data() const = 0;
  /// Device-bound bytes that `move` has taken and the target turned out to have no use for.
  [[nodiscard]] virtual std::uint64_t unprocessed() const { return 0; }
  /// For transports without autosense: its sense data are kept for the REQUEST SENSE that will ask for them (SPC-4,
  /// REQUEST SENSE). Any other command for the unit forgets them.
  virtual void hold_sense() = 0;
};

/// Logical units behind one port, and what outlives a single command there. Any number of commands may be in flight.
/// Which of them may overtake which (task attributes) is the transport's business: it starts a command when its turn
/// has come. Commands must be destroyed before their target, unless the target says otherwise.
class ScsiTarget {
 public:
  virtual ~ScsiTarget() = default;

  [[nodiscard]] virtual std::unique_ptr<ScsiCommand> make_command(ScsiCommand::Listener& listener) = 0;
  /// The number of the last logical unit.
  [[nodiscard]] virtual std::uint8_t last_lun() const { return 0; }

  // Of these three the transport has aborted the commands concerned before.
  /// Power on or a bus reset (SAM-5, "Power on").
  virtual void power_on() = 0;
  /// LOGICAL UNIT RESET (SAM-5 clause 7).
  virtual void reset_unit(std::uint8_t lun) = 0;
  /// The host and its transport have lost each other (SAM-5, "I_T nexus loss").
  virtual void nexus_lost() = 0;
};

}  // namespace periplex::usb::device
