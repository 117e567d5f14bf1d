// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "usb/device.hpp"
#include "usb/transfer_relay.hpp"

namespace periplex::attachment {

/// What the agent asks of a device: each request has its own completion handler, which is not called any more once this
/// is gone or was told to forget. The device may answer later than that.
class Requests {
 public:
  /// The transfer ends with this call. Comes from the loop.
  using Handler = std::move_only_function<void(usb::Transfer& transfer, usb::Completion completion)>;

  struct Request {
    usb::EndpointAddress endpoint;
    usb::Direction direction = usb::Direction::out;
    usb::TransferData data;
    std::optional<usb::SetupPacket> setup = {};
    std::uint16_t stream = 0;
    std::vector<usb::IsochronousPacket> packets = {};
  };

  explicit Requests(usb::Device& device);
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;
  ~Requests();

  /// Ids count up. `handler` is never called from inside.
  usb::TransferId submit(Request request, Handler handler);
  void cancel(usb::TransferId id);
  /// Cancels it, and its handler is not called any more.
  void drop(usb::TransferId id);
  /// No handler is called any more. With `cancel_all` the device is asked to end what it holds, from the newest on.
  void forget_all(bool cancel_all);
  /// Port reset: the device ends everything, also what others have asked of it.
  void reset();
  [[nodiscard]] usb::Speed speed() const;
  /// The device must not be called any more: nothing is submitted.
  void device_gone();

 private:
  usb::Device* device_;
  std::map<usb::TransferId, Handler> handlers_;
  std::shared_ptr<usb::TransferRelay> relay_;
  std::uint64_t last_id_ = 0;
};

}  // namespace periplex::attachment
