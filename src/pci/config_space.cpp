// SPDX-License-Identifier: Apache-2.0
#include "pci/config_space.hpp"

#include <bit>

#include "base/check.hpp"

namespace periplex::pci {
namespace {

constexpr Access RO = Access::RO;
constexpr Access RW = Access::RW;
constexpr Access RW1C = Access::RW1C;

// PCI 3.0 §6.2.1 Device Identification
constexpr Register kIdentification{"ID", 0x00, 4, 0, {bits("Device ID", 31, 16, RO), bits("Vendor ID", 15, 0, RO)}};

// §6.2.2 Device Control and §6.2.3 Device Status: one dword
constexpr Field kInterruptStatus = bit("Interrupt Status", 19, RO);
constexpr Field kCapabilitiesList = bit("Capabilities List", 20, RO);
constexpr Field kInterruptDisable = bit("Interrupt Disable", 10, RW);
constexpr Field kBusMaster = bit("Bus Master", 2, RW);
constexpr Register kCommandStatus{
    "COMMAND/STATUS",
    0x04,
    4,
    0,
    {bit("I/O Space", 0, RW), bit("Memory Space", 1, RW), kBusMaster, bit("Parity Error Response", 6, RW),
     bit("SERR# Enable", 8, RW), kInterruptDisable, kInterruptStatus, kCapabilitiesList,
     bit("Master Data Parity Error", 24, RW1C), bit("Signaled Target Abort", 27, RW1C),
     bit("Received Target Abort", 28, RW1C), bit("Received Master Abort", 29, RW1C),
     bit("Signaled System Error", 30, RW1C), bit("Detected Parity Error", 31, RW1C)}};

constexpr Register kClass{"CLASS", 0x08, 4, 0, {bits("Class Code", 31, 8, RO), bits("Revision ID", 7, 0, RO)}};
constexpr Field kMultiFunction = bit("Multi-Function", 23, RO);
constexpr Register kHeader{"HEADER", 0x0c, 4, 0, {bits("Cacheline Size", 7, 0, RW), kMultiFunction}};
constexpr Register kBar{"BAR", 0x10, 4, 0, {bits("Base Address", 31, 0, RW)}};
constexpr Register kSubsystem{
    "SUBSYSTEM", 0x2c, 4, 0, {bits("Subsystem ID", 31, 16, RO), bits("Subsystem Vendor ID", 15, 0, RO)}};
constexpr Register kCapabilitiesPointer{"CAPABILITIES", 0x34, 4, 0, {bits("Capabilities Pointer", 7, 0, RO)}};
constexpr Field kInterruptPin = bits("Interrupt Pin", 15, 8, RO);
constexpr Register kInterrupt{"INTERRUPT", 0x3c, 4, 0, {bits("Interrupt Line", 7, 0, RW), kInterruptPin}};

// §6.7 Capabilities List: Capability ID in bits 7:0 of every capability's first dword, then
constexpr Field kNextPointer = bits("Next Pointer", 15, 8, RO);

// §6.2.5.1, figures 6-5 and 6-6: the type bits below the address
constexpr std::uint32_t kIoSpaceIndicator = 0x1;
constexpr std::uint32_t kMemoryType64 = 0x4;

}  // namespace

ConfigSpace::ConfigSpace(const Identity& identity) {
  own(kIdentification, 0, std::uint64_t{identity.device_id} << 16 | identity.vendor_id);
  command_status_ = &own(kCommandStatus, 0, 0);
  own(kClass, 0, std::uint64_t{identity.class_code} << 8 | identity.revision_id);
  own(kHeader, 0, kMultiFunction.set(0, identity.multi_function ? 1 : 0));
  own(kSubsystem, 0, std::uint64_t{identity.subsystem_id} << 16 | identity.subsystem_vendor_id);
  capabilities_pointer_ = &own(kCapabilitiesPointer, 0, 0);
  interrupt_ = &own(kInterrupt, 0, 0);
}

RegisterCell& ConfigSpace::own(const Register& declaration, std::uint32_t base, std::uint64_t reset) {
  RegisterCell& cell = registers_.add(declaration, base, reset);
  cells_.push_back(&cell);
  return cell;
}

void ConfigSpace::add_bar(const Bar& bar) {
  PERIPLEX_CHECK(bar.index < kBars && std::has_single_bit(bar.size) && bar.size >= 16);
  bars_.push_back(bar);
  const std::uint32_t type = bar.kind == BarKind::io         ? kIoSpaceIndicator
                             : bar.kind == BarKind::memory64 ? kMemoryType64
                                                             : 0;
  const std::uint32_t address_bits = ~(bar.size - 1);
  RegisterCell& low = own(kBar, bar.index * 4, type);
  // "Power-up software can determine how much address space the device requires by writing a value of all 1's to the
  // register and then reading the value back": bits below the size are hardwired.
  low.on_write(
      [&low, address_bits, type](const RegisterWrite& write) { low.set((write.value & address_bits) | type); });
  if (bar.kind == BarKind::memory64) own(kBar, bar.index * 4 + 4, 0);
}

void ConfigSpace::add_interrupt_pin() {
  interrupt_->set_reset(kInterruptPin.set(interrupt_->value(), 1));
}

RegisterCell& ConfigSpace::add_register(const Register& declaration, std::uint32_t base) {
  return own(declaration, base, declaration.reset());
}

ConfigSpace::Capability ConfigSpace::add_capability(std::uint8_t id, const Register& header, std::uint32_t size) {
  const std::uint32_t offset = next_capability_;
  next_capability_ += (size + 3) & ~3u;
  PERIPLEX_CHECK(next_capability_ <= kConfigSpaceSize);
  RegisterCell& cell = own(header, offset, header.reset() | id);
  if (last_capability_ == nullptr) {
    capabilities_pointer_->set_reset(offset);
    command_status_->set_reset(kCapabilitiesList.set(command_status_->value(), 1));
  } else {
    last_capability_->set_reset(kNextPointer.set(last_capability_->value(), offset));
  }
  last_capability_ = &cell;
  return {offset, &cell};
}

void ConfigSpace::reset() {
  for (RegisterCell* cell : cells_) cell->reset();
}

bool ConfigSpace::interrupt_disabled() const {
  return command_status_->test(kInterruptDisable);
}
bool ConfigSpace::bus_master() const {
  return command_status_->test(kBusMaster);
}
void ConfigSpace::set_interrupt_status(bool asserted) {
  command_status_->set(kInterruptStatus, asserted ? 1 : 0);
}

}  // namespace periplex::pci
