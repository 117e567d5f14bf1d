// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/time.hpp"
#include "usb/device.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/completion_queue.hpp"
#include "usb/device/sense.hpp"

namespace periplex::usb::device {

/// A disk whose own endpoints are tunnelled, in front of which nothing is written (row B10): what would change it is
/// answered here, as a write-protected disk does (SPC-4, SBC-3: CHECK CONDITION, DATA PROTECT, WRITE PROTECTED), and
/// never reaches the device.
///
/// It lets through what it knows to change nothing, one bulk-only command at a time (USB Mass Storage Class Bulk-Only
/// Transport 1.0): a wrapper of 31 bytes with a command of a list, without device-bound data. Everything else that is
/// device-bound on a bulk endpoint is refused, UAS included, whose alternate settings no driver recognises any more and
/// which cannot be selected; so are vendor requests. MODE SENSE is answered here, with WP set and without pages.
///
/// A host that queues a command's later stages before its wrapper has been taken may wait in vain where the command is
/// refused; the standard has it wait for each stage (§5.3).
class WriteProtectedDisk final : public Device, private TransferOwner {
 public:
  WriteProtectedDisk(std::unique_ptr<Device> device, Scheduler& scheduler);

  [[nodiscard]] Speed speed() const override { return device_->speed(); }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const override {
    return device_->endpoint_type(endpoint);
  }
  void submit(TransferPtr transfer) override;
  void cancel(TransferId id) override { device_->cancel(id); }
  void reset() override;
  void endpoint_opened(EndpointAddress endpoint) override { device_->endpoint_opened(endpoint); }
  void suspend() override { device_->suspend(); }
  void resume() override { device_->resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_->set_wake_up(std::move(wake_up)); }

 private:
  /// A command that is answered here, as far as it has come.
  struct Answer {
    enum class Stage : std::uint8_t { data_out, data_in, status };
    Stage stage = Stage::status;
    std::uint32_t left = 0;  ///< device-bound data that is still to come
    Bytes data;              ///< guest-bound
    CommandStatusWrapper status;
  };

  void on_complete(TransferPtr transfer, Completion completion) override;
  void submit_control(TransferPtr transfer);
  void submit_out(TransferPtr transfer);
  void submit_in(TransferPtr transfer);
  void begin(const CommandBlockWrapper& wrapper, Bytes data, BulkOnlyStatus status);
  [[nodiscard]] bool answered_here(const CommandBlockWrapper& wrapper);
  void finish(TransferPtr transfer, Status status, std::size_t actual);
  void forget();

  std::optional<Answer> answer_;
  std::optional<Sense> sense_;                  // of the command that was refused last
  std::map<TransferId, TransferOwner*> asked_;  // configurations that are under way
  CompletionQueue answers_;
  std::unique_ptr<Device> device_;  // destroyed first: it still completes what it holds
};

}  // namespace periplex::usb::device
