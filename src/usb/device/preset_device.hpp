// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "usb/device.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::usb::device {

/// What is settled about a device before any guest sees it (row B10). What is empty stays the device's own.
struct DevicePreset {
  std::optional<std::uint16_t> vendor;   ///< idVendor
  std::optional<std::uint16_t> product;  ///< idProduct
  // UTF-8; a string descriptor holds 126 UTF-16 units.
  std::string manufacturer;
  std::string product_name;
  std::string serial_number;
  /// How often its interrupt endpoints are to be polled: bInterval, as near below as the speed can say.
  std::optional<Nanoseconds> interval;
  friend bool operator==(const DevicePreset&, const DevicePreset&) = default;
};

/// A device as an administrator wants guests to see it: its descriptors are changed on their way, all else passes.
class PresetDevice final : public Device, private TransferOwner {
 public:
  PresetDevice(std::unique_ptr<Device> device, DevicePreset preset, Scheduler& scheduler);

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
  void on_complete(TransferPtr transfer, Completion completion) override;
  void change_device(Transfer& transfer, std::size_t actual) const;
  void change_configuration(Transfer& transfer, std::size_t actual) const;
  [[nodiscard]] const std::string* string_at(std::uint8_t index) const;
  [[nodiscard]] bool has_strings() const;

  const DevicePreset preset_;
  std::map<TransferId, TransferOwner*> asked_;  // descriptors that are under way
  CompletionQueue answers_;
  std::unique_ptr<Device> device_;  // destroyed first: it still completes what it holds
};

}  // namespace periplex::usb::device
