// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "usb/device.hpp"

namespace periplex::usb {

/// Which device an observer hears of.
struct DeviceLabel {
  std::uint16_t bus = 1;
  std::uint8_t number = 1;
};

/// Hears of every transfer of a device, at both ends of its life. Must not change it.
class TransferObserver {
 public:
  /// `type` is that of the endpoint at the time of the submission, at both ends.
  virtual void on_submitted(const DeviceLabel& device, TransferType type, const Transfer& transfer) = 0;
  /// Guest-bound data lies in the first `completion.actual` bytes; in an isochronous transfer where its packets say.
  virtual void on_completed(const DeviceLabel& device, TransferType type, const Transfer& transfer,
                            const Completion& completion) = 0;

 protected:
  ~TransferObserver() = default;
};

/// A device that lets others watch its transfers (statistics, captures) while it is plugged in.
///
/// It stands in front of the device for as long as that is attached, so that watching can begin and end at any time.
/// While nobody watches, transfers pass untouched; otherwise each costs one entry in a list, and no copy.
class ObservedDevice final : public Device, private TransferOwner {
 public:
  ObservedDevice(std::unique_ptr<Device> device, const DeviceLabel& label)
      : label_(label), device_(std::move(device)) {}

  /// `observer` must stay alive until `ignore`, or until this is destroyed. Its first submission comes before its first
  /// completion: transfers that are under way already are not reported.
  void observe(TransferObserver& observer);
  void ignore(TransferObserver& observer);
  [[nodiscard]] bool observed() const { return !observers_.empty(); }

  [[nodiscard]] const DeviceLabel& label() const { return label_; }

  [[nodiscard]] Speed speed() const override { return device_->speed(); }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const override {
    return device_->endpoint_type(endpoint);
  }
  void submit(TransferPtr transfer) override;
  void cancel(TransferId id) override { device_->cancel(id); }
  void reset() override { device_->reset(); }
  void endpoint_opened(EndpointAddress endpoint) override { device_->endpoint_opened(endpoint); }
  void suspend() override { device_->suspend(); }
  void resume() override { device_->resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_->set_wake_up(std::move(wake_up)); }

 private:
  struct Observer {
    TransferObserver* observer;
    std::uint64_t first;  // serial number of the first submission it heard of
  };
  struct Pending {
    TransferId id;
    TransferOwner* owner;
    std::uint64_t serial;
    TransferType type;
  };

  void on_complete(TransferPtr transfer, Completion completion) override;
  [[nodiscard]] std::vector<Pending>& pending(EndpointAddress endpoint);
  [[nodiscard]] TransferType type_of(const Transfer& transfer) const;

  DeviceLabel label_;
  std::vector<Observer> observers_;
  std::uint64_t submissions_ = 0;
  std::array<std::vector<Pending>, 32> pending_;  // by endpoint number and direction, in order of submission
  std::unique_ptr<Device> device_;                // destroyed first: it still completes what it holds
};

}  // namespace periplex::usb
