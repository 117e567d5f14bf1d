// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "usb/device.hpp"
#include "usb/device/completion_queue.hpp"
#include "usb/device/control_endpoint.hpp"
#include "usb/device/descriptor_set.hpp"
#include "usb/device/device_description.hpp"

namespace periplex::usb::device {

/// A device that we play ourselves: everything but its function (USB 2.0 §9, USB 3.2 §9).
///
/// It answers the standard requests, keeps a first-in first-out queue of pending transfers and a halt condition per
/// endpoint, and brings every transfer back exactly once, on the loop. A function derives from it and overrides what
/// it needs. It works like this:
///
///   on_transfer(endpoint)                 something waits now: take it, or leave it until there is an answer
///   TransferPtr t = take_pending(endpoint)   the function owes `finish` from here on
///   finish(std::move(t), {Status::ok, n})    may be called at once, even inside `on_transfer`
///
/// `cancel` and `reset` finish what waits in the queues by themselves. For a transfer that the function has taken they
/// call `on_cancel` or `on_reset`: the function finishes it then, or as soon as it no longer touches its data. The
/// destructor of a function finishes what it has taken with `disconnected`; the rest is done here.
///
/// Isochronous endpoints have neither queue nor halt condition: the function is asked packet by packet, at once, and
/// this brings the transfer back.
class EmulatedDevice : public Device, private ControlEndpoint::Function {
 public:
  EmulatedDevice(DeviceDescription description, Speed speed, Scheduler& scheduler);
  EmulatedDevice(const EmulatedDevice&) = delete;
  EmulatedDevice& operator=(const EmulatedDevice&) = delete;
  ~EmulatedDevice() override;

  [[nodiscard]] Speed speed() const final { return speed_; }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const final;
  void submit(TransferPtr transfer) final;
  void cancel(TransferId id) final;
  void reset() final;
  void suspend() final;
  void resume() final;
  void set_wake_up(std::function<void()> wake_up) final { wake_up_ = std::move(wake_up); }

  [[nodiscard]] const DeviceDescription& description() const { return description_; }
  /// Whether the guest has chosen the configuration: some driver uses the device.
  [[nodiscard]] bool configured() const { return control_.configuration() != 0; }
  [[nodiscard]] bool suspended() const { return suspended_; }

 protected:
  /// A request of a class or a vendor. `data` is the device-bound data stage, at most wLength bytes, perhaps fewer.
  /// Guest-bound answers are cut to wLength. For a request to an interface, the interface exists.
  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override;
  /// A descriptor that only the class knows (GET_DESCRIPTOR to an interface); empty: there is none.
  [[nodiscard]] std::optional<Bytes> class_descriptor(const SetupPacket& setup) const override;
  /// A transfer has been added to the queue of `endpoint`. Never called for a halted endpoint.
  virtual void on_transfer(EndpointAddress endpoint) { (void)endpoint; }
  /// One service interval of an isochronous endpoint that is set up: the host has sent `data`, perhaps nothing.
  virtual void on_isochronous_out(EndpointAddress endpoint, ByteView data) { (void)endpoint, (void)data; }
  /// The host has `room`: the function fills it from the start and returns how many bytes, perhaps none.
  [[nodiscard]] virtual std::size_t on_isochronous_in(EndpointAddress endpoint, MutableByteView room) {
    return (void)endpoint, (void)room, 0;
  }
  /// Transfer `id` is in no queue: if the function has taken it, it is to finish it soon, with `cancelled`. Ids that
  /// the function does not know are to be ignored.
  virtual void on_cancel(TransferId id) { (void)id; }
  /// The guest has chosen configuration `value`, perhaps again; 0 is none. All queues are empty.
  virtual void on_configured(std::uint8_t value) { (void)value; }
  /// SET_INTERFACE, perhaps to the setting it had. The interface's queues are empty.
  virtual void on_interface_reset(std::uint8_t interface, std::uint8_t alternate_setting) {
    (void)interface, (void)alternate_setting;
  }
  /// CLEAR_FEATURE(ENDPOINT_HALT), whether it was halted or not; the data toggle starts afresh.
  virtual void on_endpoint_halt_cleared(EndpointAddress endpoint) { (void)endpoint; }
  /// Port reset. All queues are empty; what the function has taken is to be finished with `cancelled`.
  virtual void on_reset() {}
  /// The port carries no traffic from now on.
  virtual void on_suspend() {}
  /// The port carries traffic again.
  virtual void on_resume() {}

  /// The oldest transfer waiting at `endpoint`, without taking it; null if there is none. It may be cancelled, and is
  /// gone then, whenever control returns to the loop.
  [[nodiscard]] Transfer* peek_pending(EndpointAddress endpoint);
  [[nodiscard]] std::size_t pending_count(EndpointAddress endpoint) const;
  /// Takes the oldest transfer waiting at `endpoint`; null if there is none. The function owes its `finish`.
  [[nodiscard]] TransferPtr take_pending(EndpointAddress endpoint);
  /// The same for one stream of `endpoint`.
  [[nodiscard]] TransferPtr take_pending(EndpointAddress endpoint, std::uint16_t stream);
  /// Gives `transfer` back, on the loop, in the order of the calls.
  void finish(TransferPtr transfer, Completion completion) { completions_.push(std::move(transfer), completion); }
  /// Copies `data` into guest-bound `transfer`, as much as there is room for, and finishes it. More than fits is
  /// `babble`, as on the wire.
  void finish_with(TransferPtr transfer, ByteView data);
  /// Halts `endpoint`: all that waits and all that comes is answered STALL until the guest clears the condition.
  void halt(EndpointAddress endpoint) { (void)set_halted(endpoint, true); }
  [[nodiscard]] bool is_halted(EndpointAddress endpoint) const { return halted(endpoint).value_or(false); }
  /// Asks for remote wake-up if the port is suspended and the guest has allowed it.
  void request_wake_up();
  [[nodiscard]] Scheduler& scheduler() const { return scheduler_; }

 private:
  struct Endpoint {
    EndpointAddress address;
    TransferType type = TransferType::bulk;
    std::uint8_t interface = 0;
    bool halted = false;
    std::deque<TransferPtr> pending;
  };

  void set_configuration(std::uint8_t value) final;
  void set_interface(std::uint8_t number, std::uint8_t alternate_setting) final;
  [[nodiscard]] std::optional<bool> halted(EndpointAddress endpoint) const final;
  [[nodiscard]] bool set_halted(EndpointAddress endpoint, bool halted) final;

  void submit_control(TransferPtr transfer);
  void serve_isochronous(TransferPtr transfer);
  void open_endpoints(std::uint8_t interface, std::uint8_t alternate_setting);
  void finish_pending(Endpoint& endpoint, Status status);
  [[nodiscard]] Endpoint* find(EndpointAddress address);
  [[nodiscard]] const Endpoint* find(EndpointAddress address) const;

  const DeviceDescription description_;
  const Speed speed_;
  Scheduler& scheduler_;
  const DescriptorSet descriptors_;
  ControlEndpoint control_;
  CompletionQueue completions_;
  Bytes packet_;                    // isochronous: the one that is being moved
  std::deque<Endpoint> endpoints_;  // of the current configuration; endpoint 0 is not among them
  bool suspended_ = false;
  std::function<void()> wake_up_;
};

}  // namespace periplex::usb::device
