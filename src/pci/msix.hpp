// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/interrupts.hpp"
#include "pci/config_space.hpp"

namespace periplex::pci {

/// MSI-X (PCI 3.0 §6.8.2): the capability, the table and the Pending Bit Array.
///
/// The machine's monitor keeps the live table and tells us only where each vector's message goes, so the table here is
/// storage that reads back what was written. Pending bits are the interrupt line's.
class Msix {
 public:
  static constexpr std::uint32_t kEntrySize = 16;

  /// `table_offset` and `pba_offset` lie in BAR `bar`; both are multiples of 8.
  Msix(ConfigSpace& config, const guest::Interrupts& interrupts, unsigned vectors, unsigned bar,
       std::uint32_t table_offset, std::uint32_t pba_offset);

  [[nodiscard]] unsigned vectors() const { return vectors_; }
  /// MSI-X Enable of Message Control (§6.8.2.3).
  [[nodiscard]] bool enabled() const;

  /// Whether `offset` of BAR `bar` lies in the table or the Pending Bit Array.
  [[nodiscard]] bool covers(unsigned bar, std::uint64_t offset) const;
  void read(std::uint64_t offset, MutableByteView out) const;
  void write(std::uint64_t offset, ByteView in);
  void reset();

 private:
  const guest::Interrupts& interrupts_;
  unsigned vectors_;
  unsigned bar_;
  std::uint32_t table_offset_;
  std::uint32_t pba_offset_;
  RegisterCell* control_ = nullptr;
  Bytes table_;
};

}  // namespace periplex::pci
