// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pci/function.hpp"
#include "usb/ehci/controller.hpp"

namespace periplex::usb::ehci {

/// The EHCI controller as a PCI function (EHCI 1.0 §2.1, §5.1): class code 0C0320h, one 32-bit memory BAR, INTA# or
/// MSI, and the handover from a BIOS to an operating system.
///
/// `companions` are the ports of UHCI functions of the same machine, which outlive this one.
class PciFunction final : public pci::Function {
 public:
  PciFunction(const Options& options, const std::vector<CompanionPort>& companions, guest::Memory& memory,
              guest::Interrupts& interrupts, Scheduler& scheduler);

  [[nodiscard]] Bus& bus() { return controller_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }

 private:
  void reset_model() override { controller_.reset(); }

  Controller controller_;
};

}  // namespace periplex::usb::ehci
