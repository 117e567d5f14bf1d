// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/register.hpp"
#include "guest/memory.hpp"

/// EHCI 1.0 chapter 3: the data structures in guest memory, copied from there as values. Addresses are 32 bits wide
/// (HCCPARAMS.64-bit Addressing Capability is 0).
namespace periplex::usb::ehci {

/// A pointer to the next structure of a schedule (§3.1, table 3-1).
namespace link {
inline constexpr Field T = bit("T", 0, Access::RO);
inline constexpr Field Typ = bits("Typ", 2, 1, Access::RO);
inline constexpr Field Pointer = bits("Link Pointer", 31, 5, Access::RO);
}  // namespace link

/// Table 3-1, Typ
enum class LinkType : std::uint8_t { itd = 0, qh = 1, sitd = 2, fstn = 3 };

struct Link {
  std::uint32_t raw = 0;

  [[nodiscard]] bool terminate() const { return link::T.test(raw); }
  [[nodiscard]] LinkType type() const { return static_cast<LinkType>(link::Typ.get(raw)); }
  [[nodiscard]] std::uint32_t address() const { return raw & static_cast<std::uint32_t>(link::Pointer.mask()); }
};

/// The qTD Token (§3.5.3), in a qTD and in a queue head's overlay
namespace token {
inline constexpr Field PingState = bit("Ping State", 0, Access::RW);
inline constexpr Field SplitXstate = bit("SplitXstate", 1, Access::RW);
inline constexpr Field MissedMicroFrame = bit("Missed Micro-Frame", 2, Access::RW);
inline constexpr Field XactErr = bit("XactErr", 3, Access::RW);
inline constexpr Field BabbleDetected = bit("Babble Detected", 4, Access::RW);
inline constexpr Field DataBufferError = bit("Data Buffer Error", 5, Access::RW);
inline constexpr Field Halted = bit("Halted", 6, Access::RW);
inline constexpr Field Active = bit("Active", 7, Access::RW);
inline constexpr Field PIDCode = bits("PID Code", 9, 8, Access::RW);
inline constexpr Field CERR = bits("CERR", 11, 10, Access::RW);
inline constexpr Field C_Page = bits("C_Page", 14, 12, Access::RW);
inline constexpr Field ioc = bit("ioc", 15, Access::RW);
inline constexpr Field TotalBytes = bits("Total Bytes to Transfer", 30, 16, Access::RW);
inline constexpr Field dt = bit("dt", 31, Access::RW);
}  // namespace token

inline constexpr std::uint32_t kPageSize = 4096;
inline constexpr std::uint32_t kPageOffset = kPageSize - 1;

/// A Queue Element Transfer Descriptor (§3.5). A queue head's overlay has the same layout.
struct TransferDescriptor {
  static constexpr std::size_t kPages = 5;
  static constexpr std::uint64_t kTokenOffset = 8;
  static constexpr std::uint64_t kBufferOffset = 12;

  Link next;
  Link alternate;
  std::uint32_t token = 0;
  std::array<std::uint32_t, kPages> buffers{};

  /// Reads the one at `address`, its token first: it passes ownership.
  [[nodiscard]] static std::expected<TransferDescriptor, guest::Fault> read(const guest::Memory& memory,
                                                                            std::uint32_t address);

  [[nodiscard]] bool active() const { return token::Active.test(token); }
  [[nodiscard]] bool halted() const { return token::Halted.test(token); }
  [[nodiscard]] std::uint32_t get(const Field& field) const { return static_cast<std::uint32_t>(field.get(token)); }
  void set(const Field& field, std::uint64_t value) { token = static_cast<std::uint32_t>(field.set(token, value)); }
  /// Bytes between Current Offset and the end of the last page.
  [[nodiscard]] std::uint32_t room() const;
  /// Moves Current Offset and C_Page on (§4.10.6), and Total Bytes to Transfer down.
  void advance(std::uint32_t bytes);
};

/// A Queue Head (§3.6)
struct QueueHead {
  static constexpr std::uint64_t kCurrentOffset = 12;  // of Current qTD Pointer; the overlay follows it

  static constexpr Field DeviceAddress = bits("Device Address", 6, 0, Access::RO);                 // dword 1
  static constexpr Field EndPt = bits("Endpt", 11, 8, Access::RO);                                 // dword 1
  static constexpr Field DTC = bit("DTC", 14, Access::RO);                                         // dword 1
  static constexpr Field H = bit("H", 15, Access::RO);                                             // dword 1
  static constexpr Field MaximumPacketLength = bits("Maximum Packet Length", 26, 16, Access::RO);  // dword 1
  static constexpr Field RL = bits("RL", 31, 28, Access::RO);                                      // dword 1
  static constexpr Field SMask = bits("uFrame S-mask", 7, 0, Access::RO);                          // dword 2

  Link horizontal;
  std::uint32_t characteristics = 0;
  std::uint32_t capabilities = 0;
  std::uint32_t current = 0;
  TransferDescriptor overlay;

  [[nodiscard]] static std::expected<QueueHead, guest::Fault> read(const guest::Memory& memory, std::uint32_t address);

  [[nodiscard]] unsigned device_address() const { return static_cast<unsigned>(DeviceAddress.get(characteristics)); }
  [[nodiscard]] unsigned endpoint() const { return static_cast<unsigned>(EndPt.get(characteristics)); }
  [[nodiscard]] std::uint32_t packet_size() const {
    return static_cast<std::uint32_t>(MaximumPacketLength.get(characteristics));
  }
  [[nodiscard]] bool interrupt_scheduled() const { return SMask.test(capabilities); }
};

}  // namespace periplex::usb::ehci
