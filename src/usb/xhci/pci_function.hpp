// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pci/function.hpp"
#include "usb/xhci/controller.hpp"

namespace periplex::usb::xhci {

/// The xHCI controller as a PCI function (xHCI 1.2 §5.2): class code 0C0330h, one 64-bit memory BAR with the registers
/// and the MSI-X structures, INTA# for firmware that knows no messages.
class PciFunction final : public pci::Function {
 public:
  PciFunction(const Options& options, guest::Memory& memory, guest::Interrupts& interrupts, Scheduler& scheduler);

  [[nodiscard]] Bus& bus() { return controller_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }

 private:
  void reset_model() override { controller_.power_on_reset(); }
  void interrupt_mode_changed() override { controller_.interrupt_mode_changed(); }

  Controller controller_;
};

}  // namespace periplex::usb::xhci
