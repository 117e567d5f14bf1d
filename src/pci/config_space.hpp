// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/register_file.hpp"

/// PCI Local Bus Specification 3.0, chapter 6: the configuration space of one function.
namespace periplex::pci {

inline constexpr std::uint32_t kConfigSpaceSize = 256;
inline constexpr unsigned kBars = 6;

/// What a driver matches on (6.2.1, 6.2.4).
struct Identity {
  std::uint16_t vendor_id = 0;
  std::uint16_t device_id = 0;
  std::uint8_t revision_id = 0;
  std::uint32_t class_code = 0;  ///< base class, sub-class, programming interface: 0x0c0330 is xHCI
  std::uint16_t subsystem_vendor_id = 0;
  std::uint16_t subsystem_id = 0;
  bool multi_function = false;
};

enum class BarKind : std::uint8_t { memory32, memory64, io };

/// One Base Address register (6.2.5.1). `size` is a power of two.
struct Bar {
  unsigned index = 0;
  BarKind kind = BarKind::memory32;
  std::uint32_t size = 0;
};

/// The 256 bytes of configuration space, with BAR sizing and a capability list.
///
/// Guest errors (writes to read-only bits, odd widths) follow from the register declarations.
class ConfigSpace {
 public:
  explicit ConfigSpace(const Identity& identity);

  /// Adds a Base Address register. A 64-bit one takes `index` and the next.
  void add_bar(const Bar& bar);
  /// Interrupt Pin INTA# (6.2.4).
  void add_interrupt_pin();
  /// A register in the device-specific part or inside a capability.
  RegisterCell& add_register(const Register& declaration, std::uint32_t base);
  /// Reserves `size` bytes for a capability, links it into the list and returns its offset. Its first dword (ID, next
  /// pointer, and 16 bits of its own) is `header`, whose low 16 bits this fills in.
  struct Capability {
    std::uint32_t offset;
    RegisterCell* header;
  };
  Capability add_capability(std::uint8_t id, const Register& header, std::uint32_t size);

  void read(std::uint32_t offset, MutableByteView out) const { registers_.read(offset, out); }
  void write(std::uint32_t offset, ByteView in) { registers_.write(offset, in); }
  /// All registers as after power-on.
  void reset();

  [[nodiscard]] const std::vector<Bar>& bars() const { return bars_; }
  /// Command register (6.2.2).
  [[nodiscard]] bool interrupt_disabled() const;
  [[nodiscard]] bool bus_master() const;
  /// Status register's Interrupt Status (6.2.3).
  void set_interrupt_status(bool asserted);

 private:
  RegisterCell& own(const Register& declaration, std::uint32_t base, std::uint64_t reset);

  RegisterFile registers_{"pci", kConfigSpaceSize};
  std::vector<RegisterCell*> cells_;
  std::vector<Bar> bars_;
  RegisterCell* command_status_ = nullptr;
  RegisterCell* capabilities_pointer_ = nullptr;
  RegisterCell* interrupt_ = nullptr;
  RegisterCell* last_capability_ = nullptr;
  std::uint32_t next_capability_ = 0x40;
};

}  // namespace periplex::pci
