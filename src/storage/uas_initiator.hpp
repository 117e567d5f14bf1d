// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>

#include "storage/device_pipes.hpp"
#include "storage/disk_interface.hpp"
#include "storage/transport.hpp"
#include "usb/device/uas_iu.hpp"

namespace periplex::storage {

/// The host side of USB Attached SCSI (T10 UAS-3): several commands at once, with streams or without.
///
/// With streams a command's tag is the number of its stream; its status and data transfers are there before the COMMAND
/// IU is. Without, they follow what the device announces: READ READY and WRITE READY. A command has ended when its
/// SENSE IU is there and its data transfer has come back; where the device leaves that without an answer, it is
/// cancelled.
///
/// A device that answers for a tag that is not in use, or in a form that cannot be, or not at all, needs a port reset;
/// this is also what follows when it does not abort a command when asked to.
class UasInitiator final : public Transport {
 public:
  /// In flight at once on a device without streams, and at most on one with.
  static constexpr std::uint16_t kMaxTags = 32;
  /// A SENSE IU with all the sense data there can be.
  static constexpr std::size_t kStatusRoom = 16 + kMaxSense;

  UasInitiator(DevicePipes& pipes, const DiskInterface& interface, Scheduler& scheduler, Owner& owner);

  [[nodiscard]] std::size_t room() const override;
  void start(CommandId id, Command command, Done done) override;
  void abort(CommandId id) override;
  void reset_unit(std::uint8_t lun, Done done) override;
  void end_all(const Result& result) override;

 private:
  struct Task {
    CommandId id;
    std::uint16_t tag = 0;
    Command command;
    Done done;
    bool data_asked = false;  // the data transfer has been submitted
    std::optional<usb::TransferId> data;
    std::optional<usb::TransferId> status;
    std::uint32_t moved = 0;
    Bytes data_in;
    std::optional<Result> result;  // the device has said how it ended
    bool aborting = false;
  };
  using Tasks = std::list<Task>;
  /// A task management function under way; one at a time.
  struct Management {
    usb::device::UasFunction function{};
    CommandId task;
    Done done;  // of a reset
  };

  void submit_status(std::uint16_t tag);
  void submit_data(Task& task);
  void send(Bytes iu);
  void manage(usb::device::UasFunction function, std::uint16_t task_tag, std::uint8_t lun);

  void on_sent(usb::Status status, std::size_t expected, std::uint32_t actual);
  void on_status(std::uint16_t stream_tag, usb::Status status, const Bytes& data);
  /// False: this cannot be.
  [[nodiscard]] bool take_status_iu(std::uint16_t stream_tag, ByteView iu);
  [[nodiscard]] bool take_sense(Task& task, ByteReader& in);
  [[nodiscard]] bool take_ready(Task& task, DataDirection direction);
  [[nodiscard]] bool take_response(std::uint16_t tag, ByteReader& in);
  void on_data(std::uint16_t tag, CommandId id, usb::Status status, std::uint32_t actual, Bytes data);

  void end_if_over(Tasks::iterator task);
  void abort_next();
  void on_timeout();
  void on_grace_over();
  void broken();
  [[nodiscard]] Tasks::iterator find(std::uint16_t tag);
  [[nodiscard]] std::uint16_t free_tag() const;
  [[nodiscard]] std::uint16_t stream(std::uint16_t tag) const { return streams_ ? tag : std::uint16_t{0}; }

  DevicePipes& pipes_;
  const DiskInterface interface_;
  Owner& owner_;
  const bool streams_;
  const std::uint16_t management_tag_;  // the last one; commands have those below
  std::unique_ptr<Timer> timer_;        // while something is under way and nothing happens
  std::unique_ptr<Timer> data_timer_;   // a status is there and its data are not
  Tasks tasks_;
  std::optional<Management> management_;
  std::uint64_t epoch_ = 0;
};

}  // namespace periplex::storage
