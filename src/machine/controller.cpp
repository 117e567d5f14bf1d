// SPDX-License-Identifier: Apache-2.0
#include "machine/controller.hpp"

namespace periplex::machine {

Controller::Controller(EventLoop& loop, std::string name, std::string kind, FunctionSocket socket)
    : loop_(loop),
      name_(std::move(name)),
      kind_(std::move(kind)),
      socket_(std::move(socket.path)),
      server_(loop, std::move(socket.listening)),
      interrupts_(server_.interrupts()) {}

bool Controller::runs(usb::Speed speed) const {
  if (usb::is_usb3(speed)) return ports_.usb3 > 0;
  return ports_.usb2 > 0 || (ports_.usb1 > 0 && speed != usb::Speed::high);
}

ControllerView Controller::view() const {
  return {.name = name_,
          .kind = kind_,
          .socket = socket_,
          .companion_of = companion_of_,
          .ports = ports_,
          .client = {server_.connected(), server_.statistics().mapped_bytes}};
}

ControllerStatistics Controller::statistics() const {
  const vfio_user::Server::Statistics counted = server_.statistics();
  return {.name = name_,
          .clients = counted.clients,
          .messages = counted.messages,
          .received_bytes = counted.received_bytes,
          .sent_bytes = counted.sent_bytes,
          .interrupts = interrupts_.count(),
          .mapped_bytes = counted.mapped_bytes};
}

void Controller::CountedInterrupts::send_message(unsigned vector) {
  ++count_;
  to_.send_message(vector);
}

void Controller::CountedInterrupts::set_pin(bool asserted) {
  if (asserted && !pin_) ++count_;
  pin_ = asserted;
  to_.set_pin(asserted);
}

}  // namespace periplex::machine
