// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "usb/device/block_backend.hpp"
#include "usb/device/block_spans.hpp"
#include "usb/device/scsi_action.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/sense.hpp"

namespace periplex::usb::device {

class ScsiDisk;

/// Whether a step is over or goes on by itself.
enum class Progress : std::uint8_t { done, pending };

/// One command in flight, whatever brought it here (SAM-5 clause 5). A transport owns one task per command it can
/// carry.
///
///   start(disk, lun, cdb)   the CDB is understood; `data_stage` says what the disk intends to move
///   move(spans)             as often as the transport has data or room, in pieces of any size
///   finish()                the data stage is over; then `sense()` is the outcome: nothing is GOOD
///
/// A step that is `pending` is reported to the listener once, on the loop, when it is over; no other step may be
/// started before. Whatever has failed, the remaining steps are still legal and do nothing.
class ScsiTask {
 public:
  class Listener {
   public:
    /// The pending step is over.
    virtual void on_step_done(ScsiTask& task) = 0;

   protected:
    ~Listener() = default;
  };

  explicit ScsiTask(Listener& listener) : listener_(listener) {}
  ScsiTask(const ScsiTask&) = delete;
  ScsiTask& operator=(const ScsiTask&) = delete;
  ~ScsiTask();

  /// Begins the command in `cdb`; a command that was in flight before is aborted.
  void start(ScsiDisk& disk, std::uint8_t lun, ByteView cdb);
  [[nodiscard]] DataStage data_stage() const { return data_stage_; }

  /// Moves the data stage on by up to the size of `spans`, which must stay valid until the step is over.
  [[nodiscard]] Progress move(std::span<const MutableByteView> spans);
  /// How much of the spans the last `move` has moved; less than all means that the data stage is over, well or badly.
  [[nodiscard]] std::size_t moved() const { return data_.consumed(); }
  /// Stops a pending `move`: the spans are touched no more. The command lives on, and what was not moved can be moved
  /// by another call.
  void interrupt();

  [[nodiscard]] Progress finish();
  [[nodiscard]] bool pending() const { return claim_ != nullptr; }

  /// Forgets the command. What it has asked of the medium may still happen; no data of the host is touched any more.
  void abort();
  /// The medium is being taken away: whatever the command is doing fails.
  void medium_removed();

  [[nodiscard]] const std::optional<Sense>& sense() const { return sense_; }
  [[nodiscard]] ScsiStatus status() const { return sense_ ? ScsiStatus::check_condition : ScsiStatus::good; }

 private:
  enum class Step : std::uint8_t { idle, moving, finishing };

  Progress run();
  Progress fail(const Sense& sense);
  [[nodiscard]] bool account(const BlockResult& result);
  void on_result(const BlockResult& result);
  [[nodiscard]] Sense sense_of(const BlockFailure& failure) const;

  Listener& listener_;
  ScsiDisk* disk_ = nullptr;
  ScsiActionPtr action_;
  DataStage data_stage_;
  std::optional<Sense> sense_;
  Step step_ = Step::idle;
  SpanCursor data_;
  BlockRequest request_;  // the last one; its spans are not to be looked at
  std::unique_ptr<BlockClaim> claim_;
};

}  // namespace periplex::usb::device
