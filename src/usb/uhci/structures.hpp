// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <expected>
#include <optional>

#include "base/register.hpp"
#include "guest/memory.hpp"
#include "usb/batching/descriptor.hpp"

/// UHCI Design Guide 1.1, chapter 3: the structures in guest memory, and only what the manual says.
namespace periplex::usb::uhci {

using guest::GuestAddress;

/// Any link of a schedule: frame list entry (3.1), TD link (3.2.1), QH link and QH element link (3.3).
class LinkPointer {
 public:
  constexpr LinkPointer() = default;
  constexpr explicit LinkPointer(std::uint32_t dword) : dword_(dword) {}

  /// T: nothing follows.
  [[nodiscard]] bool terminates() const { return (dword_ & 1) != 0; }
  /// Q: it points to a queue head; else to a transfer descriptor.
  [[nodiscard]] bool to_queue_head() const { return (dword_ & 2) != 0; }
  [[nodiscard]] GuestAddress address() const { return GuestAddress(dword_ & ~std::uint32_t{0xf}); }
  [[nodiscard]] std::uint32_t dword() const { return dword_; }

 private:
  std::uint32_t dword_ = 1;
};

// 3.2.2 TD Control and Status
namespace td_status {
inline constexpr Field ActLen = bits("ActLen", 10, 0, Access::RW);
inline constexpr Field CrcTimeout = bit("CRC/Time Out Error", 18, Access::RW);
inline constexpr Field Nak = bit("NAK Received", 19, Access::RW);
inline constexpr Field Babble = bit("Babble Detected", 20, Access::RW);
inline constexpr Field DataBufferError = bit("Data Buffer Error", 21, Access::RW);
inline constexpr Field Stalled = bit("Stalled", 22, Access::RW);
inline constexpr Field Active = bit("Active", 23, Access::RW);
inline constexpr Field Status = bits("Status", 23, 16, Access::RW);
inline constexpr Field IOC = bit("IOC", 24, Access::RW);
inline constexpr Field IOS = bit("IOS", 25, Access::RW);
inline constexpr Field LS = bit("LS", 26, Access::RW);
inline constexpr Field CErr = bits("C_ERR", 28, 27, Access::RW);
inline constexpr Field SPD = bit("SPD", 29, Access::RW);
}  // namespace td_status

// 3.2.3 TD Token
namespace td_token {
inline constexpr Field Pid = bits("PID", 7, 0, Access::RW);
inline constexpr Field DeviceAddress = bits("Device Address", 14, 8, Access::RW);
inline constexpr Field EndPt = bits("EndPt", 18, 15, Access::RW);
inline constexpr Field D = bit("D", 19, Access::RW);
inline constexpr Field MaxLen = bits("MaxLen", 31, 21, Access::RW);
}  // namespace td_token

/// "The value encoded is n-1": 7FFh is no byte at all.
[[nodiscard]] constexpr std::uint32_t encode_length(std::uint32_t bytes) {
  return (bytes - 1) & 0x7ff;
}
[[nodiscard]] constexpr std::uint32_t decode_length(std::uint64_t coded) {
  return static_cast<std::uint32_t>((coded + 1) & 0x7ff);
}

/// A transfer descriptor (3.2), as read just now.
struct TransferDescriptor {
  static constexpr std::size_t kSize = 16;               ///< the four dwords that belong to the controller
  static constexpr std::uint32_t kLongestPacket = 1280;  ///< "the maximum packet size … 4FFh"
  static constexpr std::uint64_t kStatusOffset = 4;

  GuestAddress address;
  LinkPointer link;
  std::uint32_t status = 0;
  std::uint32_t token = 0;
  GuestAddress buffer;

  [[nodiscard]] bool active() const { return td_status::Active.test(status); }
  [[nodiscard]] bool interrupts_on_complete() const { return td_status::IOC.test(status); }
  [[nodiscard]] bool isochronous() const { return td_status::IOS.test(status); }
  [[nodiscard]] bool detects_short_packets() const { return td_status::SPD.test(status); }
  [[nodiscard]] std::uint32_t length() const { return decode_length(td_token::MaxLen.get(token)); }
  [[nodiscard]] unsigned device() const { return static_cast<unsigned>(td_token::DeviceAddress.get(token)); }
  [[nodiscard]] unsigned endpoint_number() const { return static_cast<unsigned>(td_token::EndPt.get(token)); }
  /// Nothing: not one of the three that a host sends.
  [[nodiscard]] std::optional<batching::Pid> pid() const;
  [[nodiscard]] EndpointAddress endpoint() const;
  /// What fails "the Host Controller's consistency check": an unknown PID, or MaxLen beyond the longest packet.
  [[nodiscard]] bool consistent() const { return pid() && length() <= kLongestPacket; }

  /// In the words of transfer batching; it must be consistent.
  [[nodiscard]] batching::Descriptor descriptor() const;
  /// The status dword that gives it back with `outcome`.
  [[nodiscard]] std::uint32_t retired(const batching::Outcome& outcome) const;
};

[[nodiscard]] std::expected<TransferDescriptor, guest::Fault> read_transfer_descriptor(const guest::Memory& memory,
                                                                                       GuestAddress address);

/// A queue head (3.3), as read just now.
struct QueueHead {
  static constexpr std::uint64_t kElementOffset = 4;

  LinkPointer link;     ///< to the next queue
  LinkPointer element;  ///< to the first of its own
};

[[nodiscard]] std::expected<QueueHead, guest::Fault> read_queue_head(const guest::Memory& memory, GuestAddress address);

}  // namespace periplex::usb::uhci
