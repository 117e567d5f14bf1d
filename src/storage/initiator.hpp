// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>

#include "storage/device_pipes.hpp"
#include "storage/device_setup.hpp"
#include "storage/identity.hpp"
#include "storage/transport.hpp"
#include "storage/unit_probe.hpp"

namespace periplex::storage {

struct InitiatorOptions {
  bool uas = true;  ///< drive a disk that has UAS by it; else by bulk-only
};

struct InitiatorCounters {
  std::uint64_t commands = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t failed = 0;  ///< commands with another outcome than GOOD
  std::uint64_t resets = 0;  ///< of the port, because the device was not understood any more
};

/// Drives a real disk that is given as a USB device.
///
/// Commands are carried out in the order in which they were started as far as their attributes ask for it, one at a
/// time by bulk-only, several by UAS. Each ends exactly once: by what the device has said, sense data included, or
/// `aborted`, or – when the device is gone, or does not come back from a port reset – `lost`. Commands that a port
/// reset has ended show the unit attention that says so.
class Initiator final : private Transport::Owner {
 public:
  using Opened = std::move_only_function<void(std::expected<DiskIdentity, InitiatorError>)>;

  /// `device` must stay alive until this is destroyed.
  Initiator(usb::Device& device, Scheduler& scheduler, InitiatorOptions options = {});
  Initiator(const Initiator&) = delete;
  Initiator& operator=(const Initiator&) = delete;
  /// Commands that have not ended do not end any more.
  ~Initiator();

  /// Finds out what the device is. Nothing else may be asked before `opened` was called without an error.
  void open(Opened opened);

  /// `done` is called on the loop, never from inside.
  CommandId start(Command command, Done done);
  /// Asks for a command to end soon. One that has not begun ends from inside this call; one that has, unless it
  /// `only_if_waiting`, is aborted at the device.
  void abort(CommandId id, bool only_if_waiting = false);
  /// Resets logical unit `lun`, after everything that was started before and before everything after.
  CommandId reset_unit(std::uint8_t lun, Done done);

  /// Called once, when the disk has been lost after it was opened.
  void set_on_lost(std::function<void()> on_lost) { on_lost_ = std::move(on_lost); }
  [[nodiscard]] const InitiatorCounters& counters() const { return counters_; }

 private:
  enum class State : std::uint8_t { closed, opening, ready, recovering, lost };
  struct Entry {
    CommandId id;
    bool reset = false;
    Command command;
    Done done;
    [[nodiscard]] bool barrier() const { return reset || command.ordered; }
  };

  void on_room() override { pump(); }
  void on_broken() override;
  void on_lost() override;

  void on_facts(std::expected<DeviceFacts, InitiatorError> facts);
  void on_units(std::vector<UnitFacts> units);
  CommandId enqueue(Entry entry);
  void pump();
  void begin(Entry entry);
  void ended(CommandId id, const Command& shape, Done done, Result result);
  void lose();

  usb::Device& device_;
  Scheduler& scheduler_;
  DevicePipes pipes_;
  DeviceSetup setup_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<UnitProbe> probe_;
  Opened opened_;
  std::function<void()> on_lost_;
  DeviceFacts facts_;

  State state_ = State::closed;
  std::deque<Entry> waiting_;
  std::map<CommandId, bool> active_;  // begun; whether it holds back all younger ones
  std::uint64_t last_id_ = 0;
  unsigned resets_in_a_row_ = 0;
  InitiatorCounters counters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace periplex::storage
