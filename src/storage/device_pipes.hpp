// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "usb/device.hpp"

namespace periplex::storage {

/// The host's end of a device's endpoints: a transfer goes in, and a function hears how it ended.
///
/// What is still under way when this is destroyed is cancelled, and nobody hears of it any more. The device must be
/// alive until then.
class DevicePipes final {
 public:
  /// `data` is what arrived; empty for what went out. Called on the loop, never from inside the submission.
  using Ended = std::move_only_function<void(usb::Status status, std::uint32_t actual, Bytes data)>;

  explicit DevicePipes(usb::Device& device);
  DevicePipes(const DevicePipes&) = delete;
  DevicePipes& operator=(const DevicePipes&) = delete;
  ~DevicePipes();

  usb::TransferId control(const usb::SetupPacket& setup, Ended ended);
  usb::TransferId in(usb::EndpointAddress endpoint, std::size_t room, Ended ended, std::uint16_t stream = 0);
  usb::TransferId out(usb::EndpointAddress endpoint, Bytes data, Ended ended, std::uint16_t stream = 0);
  void cancel(usb::TransferId id) { device_.cancel(id); }
  /// Cancels everything, and nobody hears of it.
  void abandon();

 private:
  class Core;

  usb::TransferId submit(usb::EndpointAddress endpoint, usb::Direction direction, usb::TransferData data,
                         std::uint16_t stream, const usb::SetupPacket* setup, Ended ended);

  usb::Device& device_;
  std::shared_ptr<Core> core_;  // lives on until its last transfer has come back
};

}  // namespace periplex::storage
