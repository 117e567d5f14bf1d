// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/port.hpp"

#include "base/trace.hpp"
#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {
namespace {

/// Default Speed IDs (table 7-13); PSIC is 0, so these are the ones a guest expects.
std::uint64_t port_speed(Speed speed) {
  switch (speed) {
    case Speed::full:
      return 1;
    case Speed::low:
      return 2;
    case Speed::high:
      return 3;
    case Speed::super:
      return 4;
    case Speed::super_plus:
      return 5;
  }
  return 0;
}

}  // namespace

Port::Port(unsigned number, PortProtocol protocol, RegisterFile& registers, std::uint32_t base, PortHost& host)
    : number_(number),
      protocol_(protocol),
      host_(host),
      portsc_(registers.add(portsc::reg, base)),
      portpmsc_(registers.add(kPortpmsc, base)),
      portli_(registers.add(kPortli, base)),
      porthlpmc_(registers.add(kPorthlpmc, base)) {
  portsc_.on_write([this](const RegisterWrite& write) { on_portsc_write(write); });
  show_connection();
}

bool Port::enabled() const {
  return portsc_.test(portsc::PED);
}

LinkState Port::link_state() const {
  return static_cast<LinkState>(portsc_.get(portsc::PLS));
}

void Port::enter(LinkState state) {
  trace::line("usb/xhci", "port {} link state {} -> {}", number_, portsc_.get(portsc::PLS),
              static_cast<unsigned>(state));
  portsc_.set(portsc::PLS, static_cast<std::uint64_t>(state));
}

/// What PORTSC shows of the present connection; change bits and what the guest has set stay.
void Port::show_connection() {
  std::uint64_t value = portsc_.value() & (portsc::kChangeBits | portsc::reg.mask(Access::RW));
  value = portsc::PP.set(value, 1);
  if (device_ != nullptr) {
    value = portsc::CCS.set(value, 1);
    value = portsc::PortSpeed.set(value, port_speed(device_->speed()));
    // A USB3 port trains its link by itself and is enabled then; a USB2 port waits for a reset (§4.19.1).
    value = portsc::PED.set(value, protocol_ == PortProtocol::usb3 ? 1 : 0);
  }
  portsc_.set(value);
  enter(device_ == nullptr                ? LinkState::rx_detect
        : protocol_ == PortProtocol::usb3 ? LinkState::u0
                                          : LinkState::polling);
}

void Port::change(const Field& bit) {
  const bool told = (portsc_.value() & portsc::kChangeBits) != 0;
  portsc_.set(bit, 1);
  if (!told) host_.port_status_changed(number_);
}

void Port::attach(Device& device) {
  device_ = &device;
  ++attachment_;
  device_->set_wake_up([this] { wake_up(); });
  show_connection();
  change(portsc::CSC);
}

void Port::detach() {
  host_.device_left(number_);  // while it can still be asked to cancel
  device_->set_wake_up({});
  device_ = nullptr;
  show_connection();
  change(portsc::CSC);
}

void Port::reset() {
  for (RegisterCell* cell : {&portsc_, &portpmsc_, &portli_, &porthlpmc_}) cell->reset();
  show_connection();
  if (device_ != nullptr) {
    device_->reset();
    portsc_.set(portsc::CSC, 1);
  }
}

void Port::on_portsc_write(const RegisterWrite& write) {
  // PED is RW1CS: writing 1 disables the port.
  if (write.wrote_one(portsc::PED) && enabled()) disable();
  if (write.wrote_one(portsc::WPR) && protocol_ == PortProtocol::usb3) return reset_port(true);
  if (write.wrote_one(portsc::PR)) return reset_port(false);
  if (write.wrote_one(portsc::LWS)) set_link_state(static_cast<LinkState>(portsc::PLS.get(write.written)));
}

void Port::disable() {
  host_.device_left(number_);  // while slots can still ask it to cancel
  portsc_.set(portsc::PED, 0);
  enter(protocol_ == PortProtocol::usb3 ? LinkState::disabled : LinkState::polling);
}

void Port::reset_port(bool warm) {
  if (device_ == nullptr) return;
  device_->reset();
  portsc_.set(portsc::PED, 1);
  enter(LinkState::u0);
  if (warm) change(portsc::WRC);
  change(portsc::PRC);
}

void Port::set_link_state(LinkState requested) {
  if (device_ == nullptr) return;
  switch (requested) {
    case LinkState::u3:
      if (!enabled() || link_state() != LinkState::u0) return;
      enter(LinkState::u3);
      return device_->suspend();
    case LinkState::resume:
      // USB2: the guest times the resume signalling itself and then writes U0 (§4.15.2.2).
      if (link_state() == LinkState::u3 && protocol_ == PortProtocol::usb2) enter(LinkState::resume);
      return;
    case LinkState::u0:
      if (!enabled() || (link_state() != LinkState::u3 && link_state() != LinkState::resume)) return;
      enter(LinkState::u0);
      device_->resume();
      return change(portsc::PLC);
    case LinkState::disabled:
      if (protocol_ == PortProtocol::usb3) disable();
      return;
    case LinkState::rx_detect:
      // From Disabled the link trains again (§4.19.1.2.1); with a device there it comes up at once.
      if (protocol_ != PortProtocol::usb3 || link_state() != LinkState::disabled) return;
      portsc_.set(portsc::PED, 1);
      enter(LinkState::u0);
      return change(portsc::PLC);
    case LinkState::polling:
      return;
  }
}

void Port::wake_up() {
  if (link_state() != LinkState::u3) return;
  // §4.15.2.3: the port stays in Resume until the guest writes U0.
  enter(LinkState::resume);
  change(portsc::PLC);
}

}  // namespace periplex::usb::xhci
