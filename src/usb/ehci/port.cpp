// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/port.hpp"

#include "base/trace.hpp"
#include "usb/ehci/registers.hpp"

namespace periplex::usb::ehci {
namespace {

/// Whether the access covered `field`; then what the guest wrote there counts.
bool covers(const RegisterWrite& write, const Field& field) {
  return (write.lanes & field.mask()) != 0;
}

}  // namespace

Port::Port(unsigned number, RegisterFile& registers, std::uint32_t base, std::optional<CompanionPort> companion,
           Scheduler& scheduler, PortHost& host)
    : number_(number),
      portsc_(registers.add(portsc::reg, base)),
      companion_(companion),
      scheduler_(scheduler),
      host_(host),
      owner_(default_owner()) {
  portsc_.on_write([this](const RegisterWrite& write) { on_portsc_write(write); });
  show_connection(false);
}

Port::~Port() {
  if (device_ == nullptr) return;
  if (owner_ == Owner::companion) {
    disconnect_from_companion();
  } else {
    device_->set_wake_up({});
  }
}

bool Port::connected() const {
  return portsc_.test(portsc::CurrentConnectStatus);
}

bool Port::suspended() const {
  return portsc_.test(portsc::Suspend);
}

/// "This bit unconditionally goes to a 0b when the Configured bit in the CONFIGFLAG register makes a 0b to 1b
/// transition. This bit unconditionally goes to 1b whenever the Configured bit is zero." Without companion controllers
/// "port-ownership hand-off is not supported" (§2.2.3).
Port::Owner Port::default_owner() const {
  return companion_ && !configured_ ? Owner::companion : Owner::ehci;
}

// --- what is plugged in
// -------------------------------------------------------------------------------------------------

void Port::attach(Device& device) {
  device_ = &device;
  connect();
}

void Port::detach() {
  disconnect();
  device_ = nullptr;
  // Figure 4-3: when a device is gone, the port returns to its default owner.
  owner_ = default_owner();
  portsc_.set(portsc::PortOwner, owner_ == Owner::companion ? 1 : 0);
}

void Port::connect() {
  if (owner_ == Owner::companion) return connect_to_companion();
  device_->set_wake_up([this] { wake_up(); });
  show_connection(true);
  change(portsc::ConnectStatusChange);
}

void Port::disconnect() {
  if (owner_ == Owner::companion) return disconnect_from_companion();
  host_.device_disabled(*device_);
  device_->set_wake_up({});
  show_connection(false);
  change(portsc::ConnectStatusChange);
}

void Port::connect_to_companion() {
  at_companion_ = device_;
  if (device_->speed() == Speed::high) at_companion_ = &full_speed_.emplace(*device_, Speed::full, scheduler_);
  companion_->controller->attach_at(companion_->port, *at_companion_);
}

void Port::disconnect_from_companion() {
  companion_->controller->detach(*at_companion_);
  at_companion_ = nullptr;
  full_speed_.reset();
}

void Port::for_each_endpoint_at_companion(const VisitEndpoint& visit) const {
  if (at_companion_ != nullptr) companion_->controller->for_each_endpoint(*at_companion_, visit);
}

/// What PORTSC shows of the present connection; change bits and what the guest has set stay.
void Port::show_connection(bool connected) {
  std::uint64_t value = portsc_.value() & (portsc::reg.mask(Access::RW1C) | portsc::reg.mask(Access::RW));
  value = portsc::PortPower.set(value, 1);
  value = portsc::PortOwner.set(value, owner_ == Owner::companion ? 1 : 0);
  if (connected) {
    value = portsc::CurrentConnectStatus.set(value, 1);
    value = portsc::LineStatus.set(value, device_->speed() == Speed::low ? portsc::kLineKState : portsc::kLineJState);
  }
  portsc_.set(value);
}

void Port::change(const Field& bit) {
  portsc_.set(bit, 1);
  host_.port_changed();
}

// --- routing (§4.2)
// -----------------------------------------------------------------------------------------------------

void Port::set_configured(bool configured) {
  if (configured_ == configured) return;
  configured_ = configured;
  set_owner(default_owner());
}

void Port::set_owner(Owner owner) {
  if (owner == owner_) return;
  trace::line("usb/ehci", "port {} goes to {}", number_, owner == Owner::ehci ? "EHCI" : "its companion");
  if (device_ != nullptr) disconnect();
  owner_ = owner;
  portsc_.set(portsc::PortOwner, owner == Owner::companion ? 1 : 0);
  if (device_ != nullptr) connect();
}

void Port::reset() {
  configured_ = false;
  const bool stays = owner_ == Owner::companion;  // a companion is not reset with us
  if (device_ != nullptr && !stays) disconnect();
  owner_ = default_owner();
  portsc_.reset();
  show_connection(false);
  if (device_ != nullptr && !stays) connect();
}

// --- commands
// -----------------------------------------------------------------------------------------------------------

void Port::on_portsc_write(const RegisterWrite& write) {
  const bool may_change_owner = companion_ && configured_;
  if (may_change_owner && covers(write, portsc::PortOwner)) {
    set_owner(portsc::PortOwner.test(write.written) ? Owner::companion : Owner::ehci);
  }
  if (!connected()) return;
  if (covers(write, portsc::PortReset)) {
    const bool asked = portsc::PortReset.test(write.written);
    const bool resetting = portsc_.test(portsc::PortReset);
    if (asked && !resetting) return begin_reset();
    if (!asked && resetting) return end_reset();
  }
  if (covers(write, portsc::PortEnabled) && !portsc::PortEnabled.test(write.written)) disable();
  if (!covers(write, portsc::Suspend) || !portsc_.test(portsc::PortEnabled)) return;
  const bool resuming = portsc_.test(portsc::ForcePortResume);
  if (portsc::ForcePortResume.test(write.written)) {
    if (suspended()) portsc_.set(portsc::ForcePortResume, 1);
  } else if (resuming) {
    end_resume();  // "Software must … write a zero to this bit"; Suspend as it was read is no new command
  } else if (portsc::Suspend.test(write.written) && !suspended()) {
    suspend();
  }
}

void Port::disable() {
  if (!portsc_.test(portsc::PortEnabled)) return;
  host_.device_disabled(*device_);
  show_connection(true);
}

/// "When software writes a one to this bit (from a zero), the bus reset sequence … is started."
void Port::begin_reset() {
  host_.device_disabled(*device_);
  device_->reset();
  show_connection(true);
  portsc_.set(portsc::LineStatus, portsc::kLineSe0);
  portsc_.set(portsc::PortReset, 1);
}

/// "Software writes a zero to this bit to terminate the bus reset sequence. … If the port is in high-speed mode after
/// reset is complete, the host controller will automatically enable this port."
void Port::end_reset() {
  show_connection(true);
  if (device_->speed() != Speed::high) return;
  portsc_.set(portsc::PortEnabled, 1);
  portsc_.set(portsc::LineStatus, portsc::kLineSe0);
  host_.device_enabled(*device_);
}

void Port::suspend() {
  portsc_.set(portsc::Suspend, 1);
  device_->suspend();
}

void Port::end_resume() {
  portsc_.set(portsc::ForcePortResume, 0);
  portsc_.set(portsc::Suspend, 0);
  device_->resume();
  host_.port_resumed();
}

/// §4.3.1: "the port will … set the Force Port Resume bit to a one", and Port Change Detect.
void Port::wake_up() {
  if (!suspended() || portsc_.test(portsc::ForcePortResume)) return;
  portsc_.set(portsc::ForcePortResume, 1);
  host_.port_changed();
}

}  // namespace periplex::usb::ehci
