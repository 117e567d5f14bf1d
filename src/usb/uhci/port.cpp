// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/port.hpp"

#include "base/trace.hpp"

namespace periplex::usb::uhci {

Port::Port(unsigned number, HalfRegister portsc, PortHost& host) : number_(number), portsc_(portsc), host_(host) {}

bool Port::passes() const {
  return enabled() && !portsc_.test(portsc::Suspend) && !bus_suspended_;
}

void Port::show_connection() {
  std::uint64_t value = portsc::kReset;
  if (device_ != nullptr) {
    // Line status is what an idle device shows: the speed by which line it pulls up.
    const bool low = device_->speed() == Speed::low;
    value = portsc::CCS.set(value, 1);
    value = portsc::LSDA.set(value, low ? 1 : 0);
    value = portsc::DPlus.set(value, low ? 0 : 1);
    value = portsc::DMinus.set(value, low ? 1 : 0);
  }
  portsc_.set(value);
}

void Port::attach(Device& device) {
  device_ = &device;
  device_->set_wake_up([this] { wake_up(); });
  show_connection();
  portsc_.set(portsc::CSC, 1);
  host_.resume_signalled();
}

void Port::detach() {
  const bool was_enabled = enabled();
  host_.device_left(*device_);
  device_->set_wake_up({});
  device_ = nullptr;
  show_connection();
  portsc_.set(portsc::CSC, 1);
  // "this bit gets set only when a port is disabled due to disconnect on that port"
  portsc_.set(portsc::PEC, was_enabled ? 1 : 0);
  host_.resume_signalled();
}

void Port::reset_registers() {
  if (enabled()) disable();
  bus_suspended_ = false;
  show_connection();
  portsc_.set(portsc::CSC, device_ != nullptr ? 1 : 0);
}

void Port::reset() {
  reset_registers();
  if (device_ != nullptr) device_->reset();
}

void Port::suspend_bus() {
  if (device_ != nullptr && passes()) device_->suspend();
  bus_suspended_ = true;
}

void Port::resume_bus() {
  bus_suspended_ = false;
  if (device_ != nullptr && passes()) device_->resume();
}

void Port::on_write(const RegisterWrite& dword_write) {
  const RegisterWrite write = portsc_.part_of(dword_write);
  if (write.lanes == 0) return;
  const auto rose = [&](const Field& field) { return !field.test(write.old) && field.test(write.value); };
  const auto fell = [&](const Field& field) { return field.test(write.old) && !field.test(write.value); };
  const bool was_enabled = portsc::PE.test(write.old);

  if (rose(portsc::PR)) return begin_reset();
  // "Ports can be enabled only if a device is attached", and not while the reset goes on.
  const bool may_enable = device_ != nullptr && !portsc::PR.test(write.value);
  if (rose(portsc::PE)) {
    portsc_.set(portsc::PE, 0);
    if (may_enable) enable();
  }
  if (fell(portsc::PE)) disable();
  if (!enabled()) {
    // A disabled port is neither suspended nor does it carry resume signalling.
    portsc_.set(portsc::RD, 0);
    portsc_.set(portsc::Suspend, 0);
    return;
  }
  if (!was_enabled || bus_suspended_) return;
  if (rose(portsc::Suspend)) device_->suspend();
  if (fell(portsc::Suspend)) {
    portsc_.set(portsc::RD, 0);
    device_->resume();
  }
  if (rose(portsc::RD) && !portsc_.test(portsc::Suspend)) portsc_.set(portsc::RD, 0);
}

void Port::begin_reset() {
  trace::line("usb/uhci", "port {} reset", number_);
  if (enabled()) disable();
  // Reset "takes precedence" over resume signalling and suspension.
  for (const Field& field : {portsc::PE, portsc::Suspend, portsc::RD}) portsc_.set(field, 0);
  if (device_ == nullptr) return;
  host_.device_disabled(*device_);
  device_->reset();
}

void Port::enable() {
  portsc_.set(portsc::PE, 1);
  host_.device_enabled(*device_);
}

void Port::disable() {
  portsc_.set(portsc::PE, 0);
  if (device_ != nullptr) host_.device_disabled(*device_);
}

void Port::wake_up() {
  // "a J-to-K transition is detected while the port is in the Suspend state": the guest ends it after 20 ms.
  if (enabled() && portsc_.test(portsc::Suspend)) portsc_.set(portsc::RD, 1);
  if (bus_suspended_) host_.resume_signalled();
}

}  // namespace periplex::usb::uhci
