// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "host/evdev_description.hpp"
#include "host/evdev_node.hpp"
#include "usb/device.hpp"

namespace periplex::host {

/// An input device of this computer as a USB keyboard, mouse or tablet of ours, whatever it is really connected to.
class EvdevDevice final : public usb::Device {
 public:
  /// `id` is what its serial number follows from; `gone` is called once, when the input device is not there any more.
  /// The error is a sentence.
  [[nodiscard]] static std::expected<std::unique_ptr<EvdevDevice>, std::string> open(
      EventLoop& loop, const EvdevDescription& description, std::string_view id, bool grab, std::function<void()> gone);

  [[nodiscard]] usb::Speed speed() const override { return device_->speed(); }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override {
    return device_->endpoint_type(endpoint);
  }
  void submit(usb::TransferPtr transfer) override { device_->submit(std::move(transfer)); }
  void cancel(usb::TransferId id) override { device_->cancel(id); }
  void reset() override { device_->reset(); }
  void endpoint_opened(usb::EndpointAddress endpoint) override { device_->endpoint_opened(endpoint); }
  void suspend() override { device_->suspend(); }
  void resume() override { device_->resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_->set_wake_up(std::move(wake_up)); }

 private:
  EvdevDevice(EventLoop& loop, UniqueFd file, EvdevKind kind, std::string_view id, bool grab);

  std::unique_ptr<usb::Device> device_;
  std::unique_ptr<EvdevFeed> feed_;
  EvdevNode node_;  // destroyed first: it talks to the others
};

}  // namespace periplex::host
