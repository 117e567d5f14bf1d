// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "host/usb/active_interfaces.hpp"
#include "host/usb/connection.hpp"
#include "host/usb/control_pipe.hpp"
#include "host/usb/endpoint_queue.hpp"
#include "host/usb/interface_claims.hpp"
#include "host/usb/memory.hpp"
#include "usb/device.hpp"

namespace periplex::host {

/// A USB device of this computer, taken from its kernel's drivers for as long as this lives.
///
/// Transfers go to the device as they are. What concerns the bus between this computer and the device is kept from it,
/// because its host controller has seen to that (USB 2.0 §9.4.6, USB 3.2 §9.4): SET_ADDRESS, SET_SEL, SET_ISOCH_DELAY,
/// and the features U1, U2 and LTM are answered here; test modes are refused. SET_CONFIGURATION, SET_INTERFACE and
/// CLEAR_FEATURE(ENDPOINT_HALT) become the calls that tell the kernel, too. A port reset is one of the device, unless
/// nothing has been done since the last one that it would undo.
///
/// Not passed on: suspend and remote wake-up. The device stays awake while it is taken.
class UsbDevice final : public usb::Device, private ControlPipe::Function, private GoneListener {
 public:
  /// So many streams an endpoint gets at most.
  static constexpr std::uint32_t kMostStreams = 256;

  /// `connection` is that of the device `description` tells of, and `claims` has its interfaces. Both are this one's
  /// from here on. `memory` and `scheduler` must outlive it.
  UsbDevice(const UsbDescription& description, std::shared_ptr<UsbConnection> connection,
            std::shared_ptr<InterfaceClaims> claims, UsbfsMemory& memory, Scheduler& scheduler);
  UsbDevice(const UsbDevice&) = delete;
  UsbDevice& operator=(const UsbDevice&) = delete;
  /// Completes what it holds with `disconnected`. The kernel's drivers get the device back as soon as the call thread
  /// has done so.
  ~UsbDevice() override;

  /// Called on the loop, once, when the device turns out not to be there any more.
  void set_on_gone(std::function<void()> on_gone) { on_gone_ = std::move(on_gone); }

  [[nodiscard]] usb::Speed speed() const override { return speed_; }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override;
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override;
  // `endpoint_opened` needs nothing: usbfs has no call for a toggle alone, and drivers send CLEAR_FEATURE beside it.

 private:
  enum class Streams : std::uint8_t { none, asked_for, ready, refused };
  struct InterfaceStreams {
    Streams state = Streams::none;
    std::uint32_t count = 0;
  };

  [[nodiscard]] ControlPipe::Answer answer(usb::Transfer& transfer) override;
  [[nodiscard]] ControlPipe::Answer set_configuration(std::uint8_t value);
  [[nodiscard]] ControlPipe::Answer set_interface(std::uint8_t interface, std::uint8_t alternate_setting);
  [[nodiscard]] ControlPipe::Answer clear_halt(std::uint8_t endpoint);
  void on_device_gone() override;

  void submit_data(usb::TransferPtr transfer);
  [[nodiscard]] bool prepare_stream(const ActiveInterfaces::Endpoint& endpoint, std::uint16_t stream);
  [[nodiscard]] EndpointQueue& queue(usb::EndpointAddress address, std::uint16_t stream);
  void cancel_endpoint(usb::EndpointAddress address);
  void pump();

  const usb::Speed speed_;
  Scheduler& scheduler_;
  UsbfsMemory& memory_;
  std::shared_ptr<UsbConnection> connection_;
  std::shared_ptr<InterfaceClaims> claims_;
  ActiveInterfaces interfaces_;
  std::uint8_t configuration_ = 0;  // as the guest sees it
  std::uint64_t resets_ = 0;
  bool touched_ = true;  // since the last reset, by the guest or by the kernel's drivers
  bool gone_ = false;
  std::function<void()> on_gone_;
  std::shared_ptr<bool> alive_;  // expires with this
  std::map<std::uint8_t, InterfaceStreams> streams_;
  usb::device::CompletionQueue completions_;
  ControlPipe control_;
  std::map<std::pair<usb::EndpointAddress, std::uint16_t>, EndpointQueue> queues_;
};

}  // namespace periplex::host
