// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/pci_function.hpp"

namespace periplex::usb::ehci {
namespace {

// An Intel ICH9's second EHCI controller. Drivers bind by class code; what they know of this id is that it needs no
// watchdog for lost interrupts.
constexpr pci::Identity kIdentity{.vendor_id = 0x8086,
                                  .device_id = 0x293a,
                                  .revision_id = 3,
                                  .class_code = 0x0c0320,
                                  .subsystem_vendor_id = 0x1b36,
                                  .subsystem_id = 0x1100};

// §2.1.4 to §2.1.6. PORTWAKECAP is 0: there is no PME# to wake with (docs/decisions/0006-no-pme.md).
constexpr Field kSbrn = bits("SBRN", 7, 0, Access::RO);
constexpr Field kFladj = bits("FLADJ", 13, 8, Access::RW);
constexpr Field kPortwakecap = bits("PORTWAKECAP", 31, 16, Access::RO);
constexpr Register kReleaseNumber{"SBRN/FLADJ/PORTWAKECAP", 0x60, 4, 0x0000'2020, {kSbrn, kFladj, kPortwakecap}};

// §2.1.7 USB Legacy Support Extended Capability: nobody but the guest's software writes the semaphores, and no SMI
// comes of it.
constexpr Register kUsblegsup{
    "USBLEGSUP",
    Controller::kExtendedCapabilities,
    4,
    0x0000'0001,
    {bits("Capability ID", 7, 0, Access::RO), bits("Next EHCI Extended Capability Pointer", 15, 8, Access::RO),
     bit("HC BIOS Owned Semaphore", 16, Access::RW), bit("HC OS Owned Semaphore", 24, Access::RW)}};
// §2.1.8 USB Legacy Support Control/Status
constexpr Register kUsblegctlsts{"USBLEGCTLSTS",
                                 Controller::kExtendedCapabilities + 4,
                                 4,
                                 0,
                                 {bits("SMI Enables", 5, 0, Access::RW), bits("SMI Enables 2", 15, 13, Access::RW),
                                  bits("SMI Status", 21, 16, Access::RO), bits("SMI Status 2", 31, 29, Access::RW1C)}};

// PCI Power Management 1.2 §3.2: D0 and D3hot, no PME#; as the xHCI function has it, and why.
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

constexpr std::uint32_t kBarSize = Controller::kRegisterSpace;

}  // namespace

PciFunction::PciFunction(const Options& options, const std::vector<CompanionPort>& companions, guest::Memory& memory,
                         guest::Interrupts& interrupts, Scheduler& scheduler)
    : Function(kIdentity, interrupts), controller_(options, companions, memory, *this, scheduler) {
  add_bar({.index = 0, .kind = pci::BarKind::memory32, .size = kBarSize}, controller_);
  const auto power = config().add_capability(kCapabilityPowerManagement, kPmc, kPowerManagementSize);
  config().add_register(kPmcsr, power.offset);
  // The ICH9's part has none, and no driver minds: a pin costs the monitor an unmasking message for each interrupt.
  add_msi();
  config().add_register(kReleaseNumber, 0);
  config().add_register(kUsblegsup, 0);
  config().add_register(kUsblegctlsts, 0);
}

}  // namespace periplex::usb::ehci
