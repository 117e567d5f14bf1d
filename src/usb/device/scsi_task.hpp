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
#include "usb/device/scsi_target.hpp"
#include "usb/device/sense.hpp"

namespace periplex::usb::device {

class ScsiDisk;

/// One command in flight on a disk of ours.
class ScsiTask final : public ScsiCommand {
 public:
  ScsiTask(ScsiDisk& disk, Listener& listener) : listener_(listener), disk_(disk) {}
  ScsiTask(const ScsiTask&) = delete;
  ScsiTask& operator=(const ScsiTask&) = delete;
  ~ScsiTask() override;

  /// The disk knows by itself what it intends; whether that is what the host expects is for the transport to say.
  void start(std::uint8_t lun, ByteView cdb, const std::optional<DataStage>& expected = {}) override;
  [[nodiscard]] DataStage data_stage() const override { return data_stage_; }
  [[nodiscard]] Progress move(std::span<const MutableByteView> spans) override;
  [[nodiscard]] std::size_t moved() const override { return data_.consumed(); }
  void interrupt() override;
  [[nodiscard]] Progress finish() override;
  [[nodiscard]] bool pending() const override { return claim_ != nullptr; }
  void abort() override;
  /// The medium is being taken away: whatever the command is doing fails.
  void medium_removed();

  [[nodiscard]] const std::optional<Sense>& sense() const { return sense_; }
  [[nodiscard]] ScsiStatus status() const override { return sense_ ? ScsiStatus::check_condition : ScsiStatus::good; }
  [[nodiscard]] Bytes sense_data() const override { return sense_ ? sense_->fixed_format() : Bytes{}; }
  void hold_sense() override;

 private:
  enum class Step : std::uint8_t { idle, moving, finishing };

  Progress run();
  Progress fail(const Sense& sense);
  [[nodiscard]] bool account(const BlockResult& result);
  void on_result(const BlockResult& result);
  [[nodiscard]] Sense sense_of(const BlockFailure& failure) const;

  Listener& listener_;
  ScsiDisk& disk_;
  bool enlisted_ = false;  // at the disk, which outlives it then
  std::uint8_t lun_ = 0;
  ScsiActionPtr action_;
  DataStage data_stage_;
  std::optional<Sense> sense_;
  Step step_ = Step::idle;
  SpanCursor data_;
  BlockRequest request_;  // the last one; its spans are not to be looked at
  std::unique_ptr<BlockClaim> claim_;
};

}  // namespace periplex::usb::device
