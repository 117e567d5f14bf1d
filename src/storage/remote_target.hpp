// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "storage/message_carrier.hpp"
#include "storage/messages.hpp"
#include "storage/read_ahead.hpp"
#include "storage/write_back.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/storage_device.hpp"

namespace periplex::storage {

class RemoteCommand;

struct RemoteOptions {
  ReadAheadOptions read_ahead;
  WriteBackOptions write_back;
};

/// Why a disk elsewhere cannot be used any more.
enum class RemoteFailure : std::uint8_t {
  broken_message,  ///< the agent has sent what is no message, or not one that may come
  disk_gone,
};

struct RemoteCounters {
  std::uint64_t commands = 0;     ///< of the guest
  std::uint64_t round_trips = 0;  ///< of those, that were sent to the disk and waited for its answer
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t early_writes = 0;  ///< reported done when they were sent
  std::uint64_t failed_early = 0;  ///< of those, failed later
  ReadAheadCounters read_ahead;
};

/// The worker's end: a SCSI target whose units are those of a real disk behind a `TargetServer`.
///
/// A command of the guest with all its data is one message, and its outcome with its data is one: it takes one round
/// trip, whatever stages the guest's transport has. What the disk says – identity, capacity, sense data, unit
/// attentions – goes to the guest as it is. Added are only: the answer to a REQUEST SENSE after a failure, as bulk-only
/// guests ask for it; the unit attention after a reset of the guest's own port; and what `ReadAhead` and `WriteBack`
/// do.
///
/// A unit attention or deferred error that meets a read made ahead is kept for the guest's next command, which ends
/// with it as it would have if nothing had been read ahead.
///
/// What the guest asks beyond `kMaxCommands` and `kMaxCommandBytes`, commands that it has aborted included as long as
/// they have no result, ends with TASK SET FULL here: nothing piles up while there is no connection.
class RemoteTarget final : public usb::device::ScsiTarget, private MessageCarrier::Receiver {
 public:
  /// Unit attentions and deferred errors that wait for one unit's guest; more are not told.
  static constexpr std::size_t kMaxAttentions = 8;

  RemoteTarget(MessageCarrier& carrier, Scheduler& scheduler, const RemoteOptions& options = {});
  ~RemoteTarget() override;

  /// Called once, when the agent has said who the disk is: now a device can be made over this target.
  void set_on_identity(std::function<void(const DiskIdentity&)> on_identity) { on_identity_ = std::move(on_identity); }
  /// Called once, when the agent has sent what is no message, or the disk is gone. All commands fail from then on.
  void set_on_failed(std::function<void(RemoteFailure why)> on_failed) { on_failed_ = std::move(on_failed); }
  /// The agent will not answer any more: all commands fail, now and from now on.
  void lose();

  [[nodiscard]] const std::optional<DiskIdentity>& identity() const { return identity_; }
  [[nodiscard]] RemoteCounters counters() const;

  // ScsiTarget
  [[nodiscard]] std::unique_ptr<usb::device::ScsiCommand> make_command(
      usb::device::ScsiCommand::Listener& listener) override;
  [[nodiscard]] std::uint8_t last_lun() const override;
  void power_on() override;
  void reset_unit(std::uint8_t lun) override;
  void nexus_lost() override;

 private:
  friend class RemoteCommand;
  class Unit;

  /// What a result is for.
  struct Exchange {
    std::uint8_t lun = 0;
    RemoteCommand* command = nullptr;  // which waits for it; null once it does not
    bool may_change = false;           // the medium, so that nothing is read ahead meanwhile
    bool ahead = false;                // a read that was made ahead
    std::uint64_t early_bytes = 0;     // of a write that was reported done
    bool reset = false;                // no command, but the reset of a unit
    std::uint64_t bytes = 0;           // of its data stage
    Cdb cdb;
  };

  // For RemoteCommand.
  /// What the command ends with if nothing need be asked of the disk.
  [[nodiscard]] std::optional<Result> answer_here(std::uint8_t lun, const Cdb& cdb);
  [[nodiscard]] std::uint32_t block_size(std::uint8_t lun) const;
  /// Serves a read from what was read ahead; `later`: it will be served, or told to ask for itself.
  [[nodiscard]] ReadAhead::Found read_ahead(RemoteCommand& command, Bytes& data);
  /// Asks the disk; the command hears the result.
  void ask(RemoteCommand& command);
  /// Sends a write whose end the guest does not wait for; false: it must.
  [[nodiscard]] bool write_early(RemoteCommand& command);
  void give_up(RemoteCommand& command);
  void hold_sense(std::uint8_t lun, Bytes sense);
  void count_moved(const Command& command, const Result& result);

  void on_message(ByteView message) override;
  void on_identity(const DiskIdentity& identity);
  void on_result(ResultMessage message);
  void on_answered(Exchange& exchange, Result& result);
  void fail(RemoteFailure why, std::string_view what);
  /// Whether a command with so many bytes keeps to the bounds.
  [[nodiscard]] bool fits(std::uint64_t bytes) const;

  std::uint64_t send(Exchange exchange, const Command& command);
  [[nodiscard]] Unit* find(std::uint8_t lun) const;

  MessageCarrier& carrier_;
  Scheduler& scheduler_;
  const RemoteOptions options_;
  std::function<void(const DiskIdentity&)> on_identity_;
  std::function<void(RemoteFailure)> on_failed_;
  std::optional<DiskIdentity> identity_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::map<std::uint64_t, Exchange> exchanges_;  // by tag
  std::uint64_t bytes_ = 0;                      // of the data stages of all exchanges
  std::uint64_t last_tag_ = 0;
  bool lost_ = false;
  RemoteCounters counters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// How the guest's own storage device shows the real disk on its bus: by the real one's ids and strings. A disk with
/// several units is bulk-only for its guest, as UAS here reaches one.
[[nodiscard]] usb::device::StorageIdentity device_identity(const DiskIdentity& disk);
[[nodiscard]] usb::device::StorageTransport device_transport(const DiskIdentity& disk);

}  // namespace periplex::storage
