// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "storage/remote_target.hpp"
#include "usb/device/block_spans.hpp"

namespace periplex::storage {

/// One command of the guest at a `RemoteTarget`.
///
/// Without data from the host it is on its way as soon as it is started, so that the far end works while the guest's
/// transport is still at its data stage; data from the host are gathered first, and go with it.
class RemoteCommand final : public usb::device::ScsiCommand, private ReadAhead::Reader {
 public:
  RemoteCommand(RemoteTarget& target, Listener& listener)
      : target_(target), target_alive_(target.alive_), listener_(listener) {}
  RemoteCommand(const RemoteCommand&) = delete;
  RemoteCommand& operator=(const RemoteCommand&) = delete;
  ~RemoteCommand() override;

  void start(std::uint8_t lun, ByteView cdb, const std::optional<DataStage>& expected) override;
  [[nodiscard]] DataStage data_stage() const override { return command_.data; }
  [[nodiscard]] usb::device::Progress move(std::span<const MutableByteView> spans) override;
  [[nodiscard]] std::size_t moved() const override { return data_.consumed(); }
  void interrupt() override;
  [[nodiscard]] usb::device::Progress finish() override;
  [[nodiscard]] bool pending() const override { return step_ != Step::idle; }
  void abort() override;
  [[nodiscard]] ScsiStatus status() const override { return result_ ? result_->status : ScsiStatus::good; }
  [[nodiscard]] Bytes sense_data() const override { return result_ ? result_->sense : Bytes{}; }
  [[nodiscard]] std::uint64_t unprocessed() const override;
  void hold_sense() override;

 private:
  friend class RemoteTarget;
  enum class Step : std::uint8_t { idle, moving, finishing };
  enum class Asked : std::uint8_t { nobody, read_ahead, disk };

  void begin(ByteView cdb, const std::optional<DataStage>& expected);
  void give();
  void on_result(Result result);
  void on_prefetched(Bytes data) override { on_result({.data_in = std::move(data)}); }
  void on_not_prefetched() override;

  RemoteTarget& target_;
  const std::shared_ptr<bool> target_alive_;  // it may be gone first, when everything goes
  Listener& listener_;

  Command command_;
  Cdb cdb_;
  Step step_ = Step::idle;
  Asked asked_ = Asked::nobody;
  std::uint64_t tag_ = 0;         // where the disk was asked
  std::optional<Result> result_;  // the outcome is known
  std::size_t given_ = 0;         // bytes of its data
  usb::device::SpanCursor data_;  // over the spans of the present move
};

}  // namespace periplex::storage
