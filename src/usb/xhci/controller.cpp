// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/controller.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/xhci/countdown.hpp"
#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {

Controller::Controller(const Options& options, guest::Memory& memory, pci::InterruptSink& interrupts,
                       Scheduler& scheduler)
    : options_(options), memory_(memory), interrupts_(interrupts), scheduler_(scheduler) {
  add_capability_registers();
  add_operational_registers();
  add_ports();
  slots_ = std::make_unique<SlotCommands>(static_cast<Services&>(*this), options_.slots, *dcbaap_, *config_,
                                          [this](unsigned number) { return port(number); });
  command_ring_ = std::make_unique<CommandRing>(static_cast<Services&>(*this), *slots_, registers_, kOperationalBase);
  microframe_index_ = std::make_unique<MicroframeIndex>(registers_, kRuntimeBase, scheduler_,
                                                        [this] { post_event(0, mfindex_wrap_event(), false); });
  for (unsigned i = 0; i < options_.interrupters; ++i) {
    const std::uint32_t base = kRuntimeBase + kInterrupterOffset + i * kInterrupterStride;
    interrupters_.push_back(
        std::make_unique<Interrupter>(i, registers_, base, memory_, scheduler_, static_cast<InterrupterHost&>(*this)));
  }
  add_doorbells();
}

Controller::~Controller() {
  *alive_ = false;
  for (const auto& port : ports_) {
    if (port->device() != nullptr) port->device()->set_wake_up({});
  }
}

void Controller::enter(RunState state) {
  trace::line("usb/xhci", "controller {} -> {}", static_cast<unsigned>(state_), static_cast<unsigned>(state));
  state_ = state;
  usbsts_->set(usbsts::HCH, state == RunState::halted || state == RunState::resetting ? 1 : 0);
  usbsts_->set(usbsts::CNR, state == RunState::resetting ? 1 : 0);
}

void Controller::on_usbcmd_write(const RegisterWrite& write) {
  if (write.wrote_one(usbcmd::HCRST)) return begin_reset();
  save_or_restore(write);
  microframe_index_->enable_wrap_event(usbcmd::EWE.test(write.value));
  if (usbcmd::RS.test(write.value) && state_ == RunState::halted) run();
  if (!usbcmd::RS.test(write.value) && state_ == RunState::running) halt();
  for (unsigned i = 0; i < interrupters_.size(); ++i) interrupt_management_changed(i);
}

/// §4.23.2: the state lives in this process, so saving is done at once; it is lost only by a reset in between.
void Controller::save_or_restore(const RegisterWrite& write) {
  if (write.wrote_one(usbcmd::CSS)) state_saved_ = true;
  if (write.wrote_one(usbcmd::CRS)) {
    if (!state_saved_) usbsts_->set(usbsts::SRE, 1);
    for (const auto& interrupter : interrupters_) interrupter->restore();
  }
  usbcmd_->set(usbcmd::CSS, 0);  // both strobes read as zero
  usbcmd_->set(usbcmd::CRS, 0);
}

void Controller::run() {
  enter(RunState::running);
  microframe_index_->start();
  advance_all();
}

/// "When this bit is cleared to 0, the xHC completes the current and any actively pipelined transactions … and then
/// halts": what devices hold goes back to the rings, from where it goes on after R/S is set again.
void Controller::halt() {
  enter(RunState::halting);
  microframe_index_->stop();
  command_ring_->halt();
  quiesce_all([this] {
    if (state_ != RunState::halting) return;
    enter(RunState::halted);
    if (usbcmd_->test(usbcmd::RS)) run();  // the guest did not wait
  });
}

void Controller::begin_reset() {
  if (state_ == RunState::resetting) return;
  enter(RunState::resetting);
  quiesce_all([this] { finish_reset(); });
}

void Controller::finish_reset() {
  slots_->clear();
  command_ring_->reset();
  for (const auto& interrupter : interrupters_) interrupter->reset();
  for (RegisterCell* cell : {usbcmd_, usbsts_, dnctrl_, dcbaap_, config_}) cell->reset();
  microframe_index_->reset();
  state_saved_ = false;
  enter(RunState::halted);
  for (const auto& port : ports_) port->reset();
  update_pin();
}

void Controller::power_on_reset() {
  finish_reset();
}

void Controller::quiesce_all(std::move_only_function<void()> done) {
  const Countdown countdown(std::move(done));
  slots_->for_each_slot([&](Slot& slot) { slot.quiesce(Slot::kAllEndpoints, countdown.one()); });
}

void Controller::host_system_error(std::string_view what) {
  trace::line("usb/xhci", "host system error: {}", what);
  usbsts_->set(usbsts::HSE, 1);
  usbcmd_->set(usbcmd::RS, 0);
  if (state_ == RunState::running) halt();
}

void Controller::ring_doorbell(unsigned slot, std::uint64_t value) {
  if (!running()) return;
  if (slot == 0) {
    if (doorbell::Target.get(value) == 0) command_ring_->ring_doorbell();
    return;
  }
  const SlotId id(static_cast<std::uint8_t>(slot));
  if (Endpoint* endpoint = slots_->endpoint(id, static_cast<unsigned>(doorbell::Target.get(value)))) {
    endpoint->ring_doorbell(static_cast<std::uint16_t>(doorbell::StreamId.get(value)));
  }
}

void Controller::advance_all() {
  command_ring_->advance();
  slots_->for_each_slot([](Slot& slot) {
    for (unsigned dci = 1; dci < kContexts; ++dci) {
      if (Endpoint* endpoint = slot.endpoint(dci)) endpoint->advance();
    }
  });
}

void Controller::advance_later(SlotId slot, unsigned dci) {
  scheduler_.defer([this, alive = alive_, slot, dci] {
    if (!*alive) return;
    if (slot == SlotId(0)) return command_ring_->advance_again();
    if (Endpoint* endpoint = slots_->endpoint(slot, dci)) endpoint->advance_again();
  });
}

// --- events and interrupts
// ----------------------------------------------------------------------------------------------

void Controller::post_event(unsigned interrupter, const Trb& event, bool block_interrupt) {
  // §4.17: without messages only interrupter 0 can interrupt; "all events are targeted at" it.
  const bool exists = interrupter < interrupters_.size() && interrupts_.message_signalled();
  interrupters_[exists ? interrupter : 0]->post(event, block_interrupt);
}

bool Controller::may_fetch() const {
  return std::ranges::none_of(interrupters_, [](const auto& interrupter) { return interrupter->full(); });
}

void Controller::event_ring_has_room() {
  scheduler_.defer([this, alive = alive_] {
    if (*alive && running()) advance_all();
  });
}

void Controller::interrupt_pending(unsigned index) {
  usbsts_->set(usbsts::EINT, 1);
  deliver_interrupt(*interrupters_[index], index);
}

void Controller::interrupt_management_changed(unsigned index) {
  deliver_interrupt(*interrupters_[index], index);
}

void Controller::deliver_interrupt(Interrupter& interrupter, unsigned index) {
  const bool asserted = interrupter.pending() && interrupter.enabled() && usbcmd_->test(usbcmd::INTE);
  if (!interrupts_.message_signalled()) return update_pin();
  if (!asserted) return;
  interrupter.clear_pending();
  interrupts_.send_message(index);
}

void Controller::update_pin() {
  const bool asserted = usbcmd_->test(usbcmd::INTE) && std::ranges::any_of(interrupters_, [](const auto& interrupter) {
                          return interrupter->pending() && interrupter->enabled();
                        });
  interrupts_.set_pin(asserted);
}

void Controller::interrupt_mode_changed() {
  for (unsigned i = 0; i < interrupters_.size(); ++i) interrupt_management_changed(i);
}

// --- ports
// --------------------------------------------------------------------------------------------------------------

Port* Controller::port(unsigned number) const {
  return number >= 1 && number <= ports_.size() ? ports_[number - 1].get() : nullptr;
}

Port* Controller::port_of(const Device& device) const {
  const auto found = std::ranges::find_if(ports_, [&](const auto& port) { return port->device() == &device; });
  return found == ports_.end() ? nullptr : found->get();
}

std::expected<PortNumber, AttachError> Controller::attach(Device& device) {
  const PortProtocol protocol = is_usb3(device.speed()) ? PortProtocol::usb3 : PortProtocol::usb2;
  bool runs_speed = false;
  for (const auto& port : ports_) {
    if (port->protocol() != protocol) continue;
    runs_speed = true;
    if (port->device() != nullptr) continue;
    port->attach(device);
    return PortNumber(port->number());
  }
  return std::unexpected(runs_speed ? AttachError::no_free_port : AttachError::speed_unsupported);
}

void Controller::detach(Device& device) {
  Port* port = port_of(device);
  PERIPLEX_CHECK(port != nullptr);
  port->detach();
}

void Controller::device_left(unsigned number) {
  slots_->for_each_slot([number](Slot& slot) { slot.device_left(number); });
}

void Controller::port_status_changed(unsigned number) {
  usbsts_->set(usbsts::PCD, 1);
  if (running()) post_event(0, port_status_change_event(number), false);
}

void Controller::for_each_endpoint(const Device& device, const VisitEndpoint& visit) const {
  slots_->for_each_slot([&](Slot& slot) {
    if (slot.device() != &device) return;
    for (unsigned dci = 1; dci < kContexts; ++dci) {
      if (const Endpoint* endpoint = slot.endpoint(dci))
        visit(endpoint->address(), endpoint->type(), endpoint->counters());
    }
  });
}

}  // namespace periplex::usb::xhci
