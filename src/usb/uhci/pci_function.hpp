// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pci/function.hpp"
#include "usb/uhci/controller.hpp"

namespace periplex::usb::uhci {

/// The UHCI controller as a PCI function (UHCI Design Guide 1.1 chapter 5): class code 0C0300h, 32 I/O ports behind
/// BAR 4, INTA# or MSI.
class PciFunction final : public pci::Function {
 public:
  PciFunction(const Options& options, guest::Memory& memory, guest::Interrupts& interrupts, Scheduler& scheduler);

  [[nodiscard]] Bus& bus() { return controller_; }
  /// For the EHCI controller that this one is a companion of.
  [[nodiscard]] CompanionPorts& companion_ports() { return controller_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }

 private:
  void reset_model() override { controller_.power_on_reset(); }

  Controller controller_;
};

}  // namespace periplex::usb::uhci
