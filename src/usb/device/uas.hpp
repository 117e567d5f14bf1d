// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>

#include "usb/device/scsi_target.hpp"
#include "usb/device/uas_answers.hpp"
#include "usb/device/uas_command.hpp"
#include "usb/device/uas_iu.hpp"
#include "usb/device/uas_pipes.hpp"

namespace periplex::usb::device {

/// The device side of USB Attached SCSI (T10 UAS-3, USB-IF UASP 1.0): many commands at once over four pipes.
///
/// Commands come in on the command pipe; each is carried out as soon as its task attribute lets it, whatever the others
/// do, and its SENSE IU is given on the status pipe when it has ended – in any order. With streams (SuperSpeed) a tag
/// is the number of the stream that its data and status take; without, the device announces on the status pipe whose
/// data it moves next, one command for each direction at a time.
///
/// A tag is in use from its IU on until the host has fetched the answer. What uses it again before is refused with
/// OVERLAPPED TAG, and what had it is aborted, so that afterwards neither is there. What cannot be answered – too short
/// to have a tag, or with one that has no stream – halts the command pipe. While the host leaves too many answers
/// unfetched, the command pipe is not read.
///
/// Not there: ACA, priorities, bidirectional commands, asynchronous event reports.
class Uas final : private UasCommand::Listener {
 public:
  /// In flight at once. With streams there are no more tags than streams; beyond this the host gets TASK SET FULL.
  static constexpr std::size_t kMaxCommands = 64;
  static constexpr std::size_t kMaxAnswers = 2 * kMaxCommands;

  Uas(ScsiTarget& target, UasPipes& pipes, const UasLink& link)
      : target_(target), pipes_(pipes), link_(link), answers_(pipes, link) {}
  Uas(const Uas&) = delete;
  Uas& operator=(const Uas&) = delete;
  /// Finishes the transfers it holds with `disconnected`.
  ~Uas();

  /// A transfer waits at `pipe` now.
  void on_transfer(UasPipe pipe);
  /// Ends the transfer with this id if it is one being worked on; its command lives on.
  void cancel(TransferId id);
  /// Port reset, a new configuration or alternate setting: as new. What is being worked on ends with `status`.
  void reset(Status status);

 private:
  using Commands = std::list<UasCommand>;  // a list, so that commands stay where they are

  void work();
  [[nodiscard]] bool take_iu();
  /// False: nobody can be told what became of it.
  [[nodiscard]] bool receive(const std::expected<UasIu, UasIuError>& iu);
  void accept(const UasCommandIu& iu);
  void enable_commands();
  void announce_data();
  [[nodiscard]] bool deliver_answers();

  [[nodiscard]] UasResponse manage(const UasTaskManagementIu& iu);
  void abort_task_set();
  void abort(Commands::iterator command);
  void retire(Commands::iterator command);
  [[nodiscard]] Commands::iterator find(std::uint16_t tag);
  void respond(std::uint16_t tag, UasResponse response) { answers_.push(tag, encode_response_iu(tag, response)); }

  void on_ended(UasCommand& command) override { answers_.push(command.tag(), command.sense_iu()); }
  void on_progress() override { work(); }

  ScsiTarget& target_;
  UasPipes& pipes_;
  const UasLink link_;
  UasAnswers answers_;
  Commands commands_;  // by age, those with HEAD OF QUEUE before all others; unanswered
  Commands spare_;
};

}  // namespace periplex::usb::device
