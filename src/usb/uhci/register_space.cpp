// SPDX-License-Identifier: Apache-2.0
// The controller's register space: which registers exist, where, and what hangs on them.
#include "usb/uhci/controller.hpp"

namespace periplex::usb::uhci {

void Controller::add_register_hooks() {
  command_status_->on_write([this](const RegisterWrite& write) {
    touched_ = scheduler_.now();
    if (const RegisterWrite status = usbsts_.part_of(write); status.lanes != 0) on_usbsts_write(status);
    if (const RegisterWrite command = usbcmd_.part_of(write); command.lanes != 0) on_usbcmd_write(command);
  });
  interrupt_frame_->on_write([this](const RegisterWrite& write) {
    if (running()) frnum_.set(frnum_.part_of(write).old);  // "must be written … only when HCHalted"
    update_pin();
  });
  interrupt_frame_->on_read([this] {
    if (running() && begin_due_frames()) plan_next_round();
    return interrupt_frame_->value();
  });
}

void Controller::add_ports() {
  for (unsigned number = 1; number <= options_.ports; number += 2) {
    const bool pair = number < options_.ports;
    const std::uint32_t base = portsc::kOffset + (number - 1) * 2;
    RegisterCell& cell = registers_.add(pair ? portsc::kPair : portsc::kOne, base);
    Port* first = add_port(number, {cell, Half::lower});
    Port* second = pair ? add_port(number + 1, {cell, Half::upper}) : nullptr;
    cell.on_write([this, first, second](const RegisterWrite& write) {
      touched_ = scheduler_.now();
      first->on_write(write);
      if (second != nullptr) second->on_write(write);
    });
  }
}

Port* Controller::add_port(unsigned number, HalfRegister portsc) {
  ports_.push_back(std::make_unique<Port>(number, portsc, static_cast<PortHost&>(*this)));
  return ports_.back().get();
}

void Controller::on_usbcmd_write(const RegisterWrite& write) {
  const auto rose = [&](const Field& field) { return !field.test(write.old) && field.test(write.value); };
  const auto fell = [&](const Field& field) { return field.test(write.old) && !field.test(write.value); };
  if (rose(usbcmd::GRESET)) {
    // "sends the global reset signal on the USB and then resets all its logic"; software ends it.
    power_on_reset();
    return usbcmd_.set(usbcmd::GRESET, 1);
  }
  if (usbcmd::HCRESET.test(write.value)) {
    reset_registers();
    for (const auto& port : ports_) port->reset_registers();
    return;
  }
  if (rose(usbcmd::EGSM)) {
    for (const auto& port : ports_) port->suspend_bus();
  }
  if (fell(usbcmd::EGSM)) {
    for (const auto& port : ports_) port->resume_bus();
  }
  const bool runs =
      usbcmd::RS.test(write.value) && !usbcmd::EGSM.test(write.value) && !usbcmd::GRESET.test(write.value);
  if (runs && !running()) run();
  if (!runs && running()) halt();
}

void Controller::on_usbsts_write(const RegisterWrite& write) {
  if (write.wrote_one(usbsts::USBINT)) interrupt_on_complete_ = short_packet_ = false;
  interrupts_.set_pin(false);  // of the causes that are left the guest is told again
  update_pin();
}

void Controller::update_pin() {
  const bool transaction =
      (interrupt_on_complete_ && usbintr_.test(usbintr::IOC)) || (short_packet_ && usbintr_.test(usbintr::ShortPacket));
  const bool error = usbsts_.test(usbsts::ERROR) && usbintr_.test(usbintr::TimeoutCrc);
  const bool resume = usbsts_.test(usbsts::RD) && usbintr_.test(usbintr::Resume);
  // 2.1.3: "fatal errors … cannot be disabled".
  interrupts_.set_pin(transaction || error || resume || usbsts_.test(usbsts::HSE) || usbsts_.test(usbsts::HCPE));
}

void Controller::reset_registers() {
  if (running()) halt();
  interrupt_on_complete_ = short_packet_ = false;
  for (RegisterCell* cell : {command_status_, interrupt_frame_, frbaseadd_, sofmod_}) cell->reset();
  update_pin();
}

void Controller::power_on_reset() {
  reset_registers();
  for (const auto& port : ports_) port->reset();
}

}  // namespace periplex::usb::uhci
