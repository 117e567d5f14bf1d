// SPDX-License-Identifier: Apache-2.0
#include "pci/msix.hpp"

#include <algorithm>

namespace periplex::pci {
namespace {

constexpr std::uint8_t kCapabilityMsix = 0x11;  // PCI 3.0 appendix H
constexpr std::uint32_t kCapabilitySize = 12;

// §6.8.2.3 Message Control for MSI-X (the high half of the capability's first dword)
constexpr Field kTableSize = bits("Table Size", 26, 16, Access::RO);
constexpr Field kFunctionMask = bit("Function Mask", 30, Access::RW);
constexpr Field kEnable = bit("MSI-X Enable", 31, Access::RW);
constexpr Register kControl{"MSI-X",
                            0x0,
                            4,
                            0,
                            {bits("Capability ID", 7, 0, Access::RO), bits("Next Pointer", 15, 8, Access::RO),
                             kTableSize, kFunctionMask, kEnable}};
// §6.8.2.4 and §6.8.2.5: offset in bits 31:3, BAR indicator (BIR) in bits 2:0
constexpr Register kTable{
    "MSI-X Table", 0x4, 4, 0, {bits("Table Offset", 31, 3, Access::RO), bits("BIR", 2, 0, Access::RO)}};
constexpr Register kPba{"MSI-X PBA", 0x8, 4, 0, {bits("PBA Offset", 31, 3, Access::RO), bits("BIR", 2, 0, Access::RO)}};
// §6.8.2.9 Vector Control: "After reset, the state of this bit is 1 (masked)"
constexpr std::size_t kVectorControl = 12;

}  // namespace

Msix::Msix(ConfigSpace& config, const guest::Interrupts& interrupts, unsigned vectors, unsigned bar,
           std::uint32_t table_offset, std::uint32_t pba_offset)
    : interrupts_(interrupts),
      vectors_(vectors),
      bar_(bar),
      table_offset_(table_offset),
      pba_offset_(pba_offset),
      table_(std::size_t{vectors} * kEntrySize) {
  const auto capability = config.add_capability(kCapabilityMsix, kControl, kCapabilitySize);
  control_ = capability.header;
  control_->set_reset(kTableSize.set(control_->value(), vectors - 1));
  config.add_register(kTable, capability.offset).set_reset(table_offset | bar);
  config.add_register(kPba, capability.offset).set_reset(pba_offset | bar);
  reset();
}

bool Msix::enabled() const {
  return control_->test(kEnable);
}

bool Msix::covers(unsigned bar, std::uint64_t offset) const {
  const std::uint64_t pba_size = (vectors_ + 63) / 64 * 8;
  return bar == bar_ && (offset - table_offset_ < table_.size() || offset - pba_offset_ < pba_size);
}

void Msix::read(std::uint64_t offset, MutableByteView out) const {
  std::ranges::fill(out, std::byte{0});
  if (offset - table_offset_ < table_.size()) {
    const ByteView from = ByteView(table_).subspan(offset - table_offset_);
    std::ranges::copy(from.first(std::min(from.size(), out.size())), out.begin());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::uint64_t vector = (offset - pba_offset_ + i) * 8 + bit;
      if (vector < vectors_ && interrupts_.message_pending(static_cast<unsigned>(vector)))
        out[i] |= std::byte(1u << bit);
    }
  }
}

void Msix::write(std::uint64_t offset, ByteView in) {
  if (offset - table_offset_ >= table_.size()) return;  // the Pending Bit Array is read only
  const MutableByteView to = MutableByteView(table_).subspan(offset - table_offset_);
  std::ranges::copy(in.first(std::min(in.size(), to.size())), to.begin());
}

void Msix::reset() {
  std::ranges::fill(table_, std::byte{0});
  for (unsigned vector = 0; vector < vectors_; ++vector) {
    table_[std::size_t{vector} * kEntrySize + kVectorControl] = std::byte{1};
  }
}

}  // namespace periplex::pci
