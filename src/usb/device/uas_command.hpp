// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "usb/device/block_spans.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/uas_iu.hpp"
#include "usb/device/uas_pipes.hpp"

namespace periplex::usb::device {

/// One command of USB Attached SCSI on its way from COMMAND IU to SENSE IU, with its data stage.
///
/// Data moves between the medium and the spans of the transfers that wait for it at its data pipe: of its own stream,
/// or of the whole pipe once the device has announced that this is its turn (READ READY, WRITE READY). A COMMAND IU
/// does not say how much data the host expects: the CDB alone does. So a guest-bound data stage ends with its last
/// byte or with what fails, by a short transfer; a device-bound one takes all the bytes the command asks for, and drops
/// those that a failed command has no use for. What waits in the command's stream when it ends, ends with it: no host
/// is left waiting for a transfer that the device knows nothing to do with.
class UasCommand final : private ScsiCommand::Listener {
 public:
  class Listener {
   public:
    /// The command has an outcome: `sense_iu` is to be given. Called from any step.
    virtual void on_ended(UasCommand& command) = 0;
    /// A step that took time is over; called last, on the loop.
    virtual void on_progress() = 0;

   protected:
    ~Listener() = default;
  };

  UasCommand(Listener& listener, ScsiTarget& target, UasPipes& pipes, const UasLink& link)
      : listener_(listener), pipes_(pipes), link_(link), command_(target.make_command(*this)) {}

  /// Begins a new command, which waits for `enable` (SAM-5, "dormant command state").
  void accept(const UasCommandIu& iu);
  void enable();
  /// It is this command's turn at its data pipe, and the host is being told.
  void announce();
  /// The host has been told.
  void announced();
  /// A transfer may wait now.
  void move_data();
  /// Ends the data transfer with this id if it is the one being worked on; the command lives on. Whether it was.
  [[nodiscard]] bool cancel(TransferId id);
  /// Ends the command without an outcome (SAM-5, "Aborting commands").
  void abort();
  /// Forgets the command; a data transfer that is being worked on ends with `status`.
  void reset(Status status);

  [[nodiscard]] std::uint16_t tag() const { return iu_.tag; }
  [[nodiscard]] std::uint8_t lun() const { return iu_.lun; }
  [[nodiscard]] UasTaskAttribute attribute() const { return iu_.attribute; }
  [[nodiscard]] bool dormant() const { return stage_ == Stage::dormant; }
  [[nodiscard]] bool ended() const { return stage_ == Stage::ended; }
  /// Without streams: it waits for its turn at the data pipe of this direction.
  [[nodiscard]] bool wants_pipe(Direction direction) const {
    return stage_ == Stage::waiting_turn && direction_ == direction;
  }
  /// Without streams: it has its turn there.
  [[nodiscard]] bool has_pipe(Direction direction) const {
    return (stage_ == Stage::announcing || stage_ == Stage::data) && direction_ == direction;
  }
  [[nodiscard]] bool announcing() const { return stage_ == Stage::announcing; }
  /// The outcome, once it has ended.
  [[nodiscard]] Bytes sense_iu() const;

 private:
  enum class Stage : std::uint8_t { idle, dormant, waiting_turn, announcing, data, finishing, ended };

  void data_moved();
  void finish();
  void end();
  void end_waiting_data();
  void enter(Stage stage);
  void finish_active(Completion completion);
  [[nodiscard]] UasPipe data_pipe() const { return direction_ == Direction::in ? UasPipe::data_in : UasPipe::data_out; }
  void on_step_done(ScsiCommand& command) override;

  Listener& listener_;
  UasPipes& pipes_;
  const UasLink link_;
  std::unique_ptr<ScsiCommand> command_;

  Stage stage_ = Stage::idle;
  UasCommandIu iu_;
  Direction direction_ = Direction::in;  // of the data stage
  std::uint64_t left_ = 0;               // bytes of the data stage
  bool cut_short_ = false;               // the host has sent less than the command needs

  TransferPtr active_;  // the data transfer that is being worked on
  SpanCursor data_;     // over its spans, which the command uses while it is pending
};

}  // namespace periplex::usb::device
