// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "usb/xhci/context.hpp"
#include "usb/xhci/endpoint.hpp"
#include "usb/xhci/port.hpp"
#include "usb/xhci/services.hpp"

namespace periplex::usb::xhci {

/// One device slot (xHCI 1.2 §4.5): its state (figure 4-2), its contexts, its endpoints, and the port it belongs to.
class Slot final : private TransferReceiver {
 public:
  using Done = std::move_only_function<void()>;
  /// Called with how SET_ADDRESS went.
  using Addressed = std::move_only_function<void(Status)>;

  Slot(Services& services, SlotId id) : services_(services), id_(id) {}
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  [[nodiscard]] SlotId id() const { return id_; }
  [[nodiscard]] SlotState state() const { return state_; }
  [[nodiscard]] Endpoint* endpoint(unsigned dci) const { return endpoints_[dci].get(); }
  /// The device that was addressed, as long as it can be reached.
  [[nodiscard]] Device* device() const;

  /// Address Device, first half (§4.6.5): takes the slot context and the default control endpoint over into the output
  /// device context.
  void assign(Port& port, const SlotContext& slot, const EndpointContext& control, DeviceContext output);
  /// Its second half: sends SET_ADDRESS to the device.
  void send_set_address(Addressed addressed);
  /// Command abort: ends a SET_ADDRESS that the device does not answer.
  void abort_set_address();

  /// The device behind root hub port `number` is leaving the bus: what it holds is cancelled, and fails.
  void device_left(unsigned number);

  void open(unsigned dci, const EndpointContext& context);
  /// Ends an endpoint's life; it must be quiet. Its output context becomes Disabled.
  void close(unsigned dci);
  /// Quiesces the endpoints whose bits are set in `dcis`, then calls `done`.
  void quiesce(std::uint32_t dcis, Done done);
  /// As `quiesce`, for endpoints that will be closed then: nothing starts them again meanwhile.
  void quiesce_to_close(std::uint32_t dcis, Done done);

  void enter(SlotState state);
  void set_address(std::uint8_t address) { context_.set_address(address); }
  void set_max_exit_latency_and_target(const SlotContext& input);
  void set_context_entries(std::uint32_t entries) { context_.set(0, SlotContext::ContextEntries, entries); }
  /// Writes the slot context to the guest.
  void publish();

  static constexpr std::uint32_t kAllEndpoints = ~1u;
  static constexpr std::uint32_t kAllButControl = ~3u;

 private:
  void on_transfer_complete(Transfer& transfer, Completion completion) override;

  Services& services_;
  SlotId id_;
  SlotState state_ = SlotState::disabled_enabled;
  SlotContext context_;
  std::optional<DeviceContext> output_;
  Port* port_ = nullptr;
  std::uint64_t attachment_ = 0;  // of the port, when the slot was assigned to it
  std::array<std::unique_ptr<Endpoint>, kContexts> endpoints_;
  TransferId address_transfer_{};
  Addressed on_addressed_;
};

}  // namespace periplex::usb::xhci
