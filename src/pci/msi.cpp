// SPDX-License-Identifier: Apache-2.0
#include "pci/msi.hpp"

namespace periplex::pci {
namespace {

constexpr std::uint8_t kCapabilityMsi = 0x05;   // PCI 3.0 appendix H
constexpr std::uint32_t kCapabilitySize = 0xe;  // figure 6-9

// §6.8.1.3 Message Control for MSI (the high half of the capability's first dword). Multiple Message Capable is 0: one
// vector is asked for.
constexpr Field kEnable = bit("MSI Enable", 16, Access::RW);
constexpr Register kControl{
    "MSI",
    0x0,
    4,
    0x0080'0000,  // 64 bit address capable
    {bits("Capability ID", 7, 0, Access::RO), bits("Next Pointer", 15, 8, Access::RO), kEnable,
     bits("Multiple Message Capable", 19, 17, Access::RO), bits("Multiple Message Enable", 22, 20, Access::RW),
     bit("64 bit address capable", 23, Access::RO)}};
// §6.8.1.4 to §6.8.1.6
constexpr Register kAddress{"MSI Message Address", 0x4, 4, 0, {bits("Message Address", 31, 2, Access::RW)}};
constexpr Register kUpperAddress{
    "MSI Message Upper Address", 0x8, 4, 0, {bits("Message Upper Address", 31, 0, Access::RW)}};
constexpr Register kData{"MSI Message Data", 0xc, 4, 0, {bits("Message Data", 15, 0, Access::RW)}};

}  // namespace

Msi::Msi(ConfigSpace& config) {
  const auto capability = config.add_capability(kCapabilityMsi, kControl, kCapabilitySize);
  control_ = capability.header;
  config.add_register(kAddress, capability.offset);
  config.add_register(kUpperAddress, capability.offset);
  config.add_register(kData, capability.offset);
}

bool Msi::enabled() const {
  return control_->test(kEnable);
}

}  // namespace periplex::pci
