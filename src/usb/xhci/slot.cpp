// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/slot.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/xhci/countdown.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint8_t kRequestTypeDeviceOut = 0x00;

}  // namespace

Slot::~Slot() {
  if (on_addressed_) services_.in_flight().forget(address_transfer_);
}

Device* Slot::device() const {
  const bool reachable = port_ != nullptr && port_->enabled() && port_->attachment() == attachment_;
  return reachable ? port_->device() : nullptr;
}

void Slot::assign(Port& port, const SlotContext& slot, const EndpointContext& control, DeviceContext output) {
  port_ = &port;
  attachment_ = port.attachment();
  context_ = slot;
  context_.set_state(state_);
  context_.set_address(0);
  output_ = output;
  endpoints_[kControlDci].reset();
  open(kControlDci, control);
}

void Slot::send_set_address(Addressed addressed) {
  Device* target = device();
  if (target == nullptr) return addressed(Status::disconnected);
  on_addressed_ = std::move(addressed);
  address_transfer_ = services_.in_flight().enter(*this);
  auto transfer = std::make_unique<Transfer>(services_.in_flight(), address_transfer_, EndpointAddress(0),
                                             Direction::out, TransferData());
  // No hub lies between us and the device, so the slot's number serves as the address.
  transfer->setup = SetupPacket{.request_type = kRequestTypeDeviceOut,
                                .request = static_cast<std::uint8_t>(StandardRequest::set_address),
                                .value = id_.value};
  target->submit(std::move(transfer));
}

void Slot::abort_set_address() {
  if (Device* target = device(); target != nullptr && on_addressed_) target->cancel(address_transfer_);
}

void Slot::on_transfer_complete(Transfer&, Completion completion) {
  std::exchange(on_addressed_, {})(completion.status);
}

void Slot::device_left(unsigned number) {
  if (port_ == nullptr || port_->number() != number) return;
  for (const auto& endpoint : endpoints_) {
    if (endpoint) endpoint->cancel_all();
  }
  abort_set_address();
}

void Slot::open(unsigned dci, const EndpointContext& context) {
  PERIPLEX_CHECK(output_ && endpoints_[dci] == nullptr);
  endpoints_[dci] = std::make_unique<Endpoint>(services_, id_, dci, context, *output_, [this] { return device(); });
  if (Device* target = device(); target != nullptr && dci != kControlDci)
    target->endpoint_opened(endpoint_address(dci));
}

void Slot::close(unsigned dci) {
  if (endpoints_[dci] == nullptr) return;
  endpoints_[dci].reset();
  if (output_ && !output_->write_endpoint(dci, EndpointContext{})) services_.host_system_error("device context");
}

void Slot::quiesce(std::uint32_t dcis, Done done) {
  const Countdown countdown(std::move(done));
  for (unsigned dci = kControlDci; dci < kContexts; ++dci) {
    if ((dcis >> dci & 1) != 0 && endpoints_[dci] != nullptr) endpoints_[dci]->quiesce(countdown.one());
  }
}

void Slot::quiesce_to_close(std::uint32_t dcis, Done done) {
  for (unsigned dci = kControlDci; dci < kContexts; ++dci) {
    if ((dcis >> dci & 1) != 0 && endpoints_[dci] != nullptr) endpoints_[dci]->begin_close();
  }
  quiesce(dcis, std::move(done));
}

void Slot::enter(SlotState state) {
  trace::line("usb/xhci", "slot {} state {} -> {}", id_.value, static_cast<unsigned>(state_),
              static_cast<unsigned>(state));
  state_ = state;
  context_.set_state(state);
}

void Slot::set_max_exit_latency_and_target(const SlotContext& input) {
  context_.set(1, SlotContext::MaxExitLatency, input.get(1, SlotContext::MaxExitLatency));
  context_.set(2, SlotContext::InterrupterTarget, input.get(2, SlotContext::InterrupterTarget));
}

void Slot::publish() {
  if (output_ && !output_->write_slot(context_)) services_.host_system_error("device context");
}

}  // namespace periplex::usb::xhci
