// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "usb/device/block_spans.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::device {

/// The device side of USB Mass Storage Class Bulk-Only Transport 1.0: one command at a time, in the three stages of
/// figure 1 – Command, Data-Out or Data-In, Status.
///
/// Transfers wait at the two pipes until the stage that needs them; the host may queue data and status ahead, and may
/// split the data stage into transfers of any size. Data moves between the medium and the transfer's own spans.
///
/// Where the standard leaves a choice, this device does what no host can stumble over (§6.7.2, §6.7.3): it pads a data
/// stage it has less for, and takes and drops what it has no use for, so that a failing command never halts an
/// endpoint. It halts one where host and device disagree (the cases that end in a phase error) and both after a CBW
/// that is not valid.
class BulkOnly final : private ScsiCommand::Listener {
 public:
  /// The bulk pipes, as far as the transport needs them.
  class Pipes {
   public:
    /// Takes the oldest transfer that waits; null if there is none. It is to be given to `finish`.
    [[nodiscard]] virtual TransferPtr take(Direction direction) = 0;
    virtual void finish(TransferPtr transfer, Completion completion) = 0;
    /// Halts the pipe: what waits and what comes is answered STALL until the host clears the condition.
    virtual void halt(Direction direction) = 0;

   protected:
    ~Pipes() = default;
  };

  BulkOnly(ScsiTarget& target, Pipes& pipes) : pipes_(pipes), command_(target.make_command(*this)) {}
  /// Finishes the transfer it holds with `disconnected`.
  ~BulkOnly();

  /// A transfer waits now.
  void on_transfer() { run(); }
  /// Ends the transfer with this id if it is the one being worked on; the command lives on.
  void cancel(TransferId id);
  void on_halt_cleared(Direction direction);
  /// Bulk-Only Mass Storage Reset (§3.1): "shall ready the device for the next CBW", halts and toggles stay.
  void reset_recovery();
  /// Port reset or a new configuration: as new. What is being worked on ends with `status`.
  void reset(Status status);

 private:
  enum class Stage : std::uint8_t {
    command,
    data_out,
    data_in,
    status,
    awaiting_reset,  // §6.6.1: after a CBW that was not valid
  };
  /// Why `run` is to look again, or not.
  enum class Turn : std::uint8_t { again, wait };

  void run();
  Turn turn();
  Turn take_command();
  Turn move_data(Direction direction);
  void data_moved();
  Turn send_status();

  void begin(const CommandBlockWrapper& cbw);
  /// Nothing more is understood until the host has reset us (§6.6.1).
  void refuse();
  void phase_error();
  void enter(Stage stage);
  void enter_status();
  void pad(std::size_t from, std::size_t to);
  /// "The difference between the amount of data expected … and the actual amount" that meant something (§5.2).
  [[nodiscard]] std::uint32_t residue() const;
  void finish_active(Completion completion);
  void on_step_done(ScsiCommand& command) override;

  Pipes& pipes_;
  std::unique_ptr<ScsiCommand> command_;

  Stage stage_ = Stage::command;
  CommandBlockWrapper cbw_;
  std::uint32_t stage_left_ = 0;  // of dCBWDataTransferLength
  std::uint32_t processed_ = 0;   // bytes of it that meant something to the command
  bool phase_error_ = false;
  bool finished_ = false;  // the command: status can be given

  TransferPtr active_;  // the data transfer that is being worked on
  SpanCursor data_;     // over its spans, which the command uses while it is pending
};

}  // namespace periplex::usb::device
