// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/pci_function.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint32_t kBarSize = 0x4000;
constexpr std::uint32_t kMsixTable = 0x3000;  // page aligned: some monitors double the BAR otherwise
constexpr std::uint32_t kMsixPba = 0x3800;

// Drivers bind by class code. The id is one that no driver's list of exceptions knows anything bad of; see
// docs/decisions/0005-pci-identity.md.
constexpr pci::Identity kIdentity{.vendor_id = 0x1b36,
                                  .device_id = 0x000d,
                                  .revision_id = 1,
                                  .class_code = 0x0c0330,
                                  .subsystem_vendor_id = 0x1b36,
                                  .subsystem_id = 0x1100};

// §5.2.3 and §5.2.4: registers that an xHC has in the device-specific part of configuration space
constexpr Field kSbrn = bits("SBRN", 7, 0, Access::RO);
constexpr Field kFladj = bits("FLADJ", 15, 8, Access::RW);
constexpr Register kReleaseNumber{"SBRN/FLADJ", 0x60, 4, 0x0000'2030, {kSbrn, kFladj}};

// PCI Power Management 1.2 §3.2: D0 and D3hot; No_Soft_Reset, because the state lives in this process. PME_Support is
// 0: no monitor carries PME# from a vfio-user function to its guest. A guest that believed in it would put the idle
// controller to sleep and then never (or, if it polls, late) hear of a device that is plugged in.
constexpr std::uint8_t kCapabilityPowerManagement = 0x01;
constexpr std::uint32_t kPowerManagementSize = 8;
constexpr Register kPmc{"PMC",
                        0x0,
                        4,
                        0x0003'0000,
                        {bits("Capability ID", 7, 0, Access::RO), bits("Next Pointer", 15, 8, Access::RO),
                         bits("Version", 18, 16, Access::RO), bits("PME_Support", 31, 27, Access::RO)}};
constexpr Register kPmcsr{
    "PMCSR", 0x4, 4, 0x0000'0008, {bits("PowerState", 1, 0, Access::RW), bit("No_Soft_Reset", 3, Access::RO)}};

}  // namespace

PciFunction::PciFunction(const Options& options, guest::Memory& memory, guest::Interrupts& interrupts,
                         Scheduler& scheduler)
    : Function(kIdentity, interrupts), controller_(options, memory, *this, scheduler) {
  add_bar({.index = 0, .kind = pci::BarKind::memory64, .size = kBarSize}, controller_);
  const auto power = config().add_capability(kCapabilityPowerManagement, kPmc, kPowerManagementSize);
  config().add_register(kPmcsr, power.offset);
  add_msix(options.interrupters, 0, kMsixTable, kMsixPba);
  config().add_register(kReleaseNumber, 0);
}

}  // namespace periplex::usb::xhci
