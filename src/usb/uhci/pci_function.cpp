// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/pci_function.hpp"

namespace periplex::usb::uhci {
namespace {

constexpr unsigned kRegistersBar = 4;  // 5.1: USBBASE at 20h

// Windows binds by these ids, others by class code. Both are Intel's, whose parts no driver works around: over-current
// is never reported, no vendor's reset or wake-up quirk applies. Alone: the PIIX3 of every old PC (82371SB). Beside
// EHCI: the first one of the ICH9 (82801I), whose EHCI that is.
constexpr std::uint16_t kIntel = 0x8086;
constexpr std::uint16_t kPiix3 = 0x7020;
constexpr std::uint16_t kIch9 = 0x2934;

constexpr pci::Identity identity(bool companion) {
  return {.vendor_id = kIntel,
          .device_id = companion ? kIch9 : kPiix3,
          .revision_id = static_cast<std::uint8_t>(companion ? 0x03 : 0x01),
          .class_code = 0x0c0300,
          .subsystem_vendor_id = 0x1b36,
          .subsystem_id = 0x1100};
}

}  // namespace

PciFunction::PciFunction(const Options& options, guest::Memory& memory, guest::Interrupts& interrupts,
                         Scheduler& scheduler)
    : Function(identity(options.companion), interrupts), controller_(options, memory, *this, scheduler) {
  add_bar({.index = kRegistersBar, .kind = pci::BarKind::io, .size = kRegisterSpace}, controller_);
  add_msi();  // as EHCI has it, and why
  config().add_register(kSerialBusRelease, 0);
  // No keyboard controller is behind it, so nothing is ever trapped. USBPIRQDEN is kept, but does not switch the pin
  // off: firmware leaves it cleared, and not every driver sets it.
  config().add_register(legsup::reg, 0);
}

}  // namespace periplex::usb::uhci
