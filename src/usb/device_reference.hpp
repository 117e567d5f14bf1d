// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "usb/device.hpp"

namespace periplex::usb {

/// A device that belongs to somebody else, where one has to be owned. It must outlive this, or be a part of `owner`,
/// which this keeps.
class DeviceReference final : public Device {
 public:
  explicit DeviceReference(Device& device, std::shared_ptr<void> owner = {})
      : owner_(std::move(owner)), device_(device) {}

  [[nodiscard]] Speed speed() const override { return device_.speed(); }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const override {
    return device_.endpoint_type(endpoint);
  }
  void submit(TransferPtr transfer) override { device_.submit(std::move(transfer)); }
  void cancel(TransferId id) override { device_.cancel(id); }
  void reset() override { device_.reset(); }
  void endpoint_opened(EndpointAddress endpoint) override { device_.endpoint_opened(endpoint); }
  void suspend() override { device_.suspend(); }
  void resume() override { device_.resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_.set_wake_up(std::move(wake_up)); }

 private:
  const std::shared_ptr<void> owner_;
  Device& device_;
};

}  // namespace periplex::usb
