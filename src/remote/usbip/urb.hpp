// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.hpp"
#include "usb/setup_packet.hpp"
#include "usb/transfer.hpp"

/// What goes over a USB/IP connection once a device is imported (Linux, Documentation/usb/usbip_protocol.rst,
/// "usbip_header_basic" and after). All numbers are big-endian; every header has 48 bytes.
namespace periplex::remote::usbip {

inline constexpr std::size_t kHeaderSize = 48;

enum class Command : std::uint32_t { submit = 1, unlink = 2, return_submit = 3, return_unlink = 4 };

/// URB flags (Linux, include/uapi/linux/usbip.h).
inline constexpr std::uint32_t kShortNotOk = 0x0001;
inline constexpr std::uint32_t kIsochronousAsap = 0x0002;
inline constexpr std::uint32_t kZeroPacket = 0x0040;
inline constexpr std::uint32_t kDirectionIn = 0x0200;

/// Statuses are negative error numbers of Linux, whatever system is at the far end.
inline constexpr std::int32_t kOk = 0;
inline constexpr std::int32_t kNotThere = -2;           // ENOENT
inline constexpr std::int32_t kPipeStalled = -32;       // EPIPE
inline constexpr std::int32_t kProtocolError = -71;     // EPROTO
inline constexpr std::int32_t kOverflow = -75;          // EOVERFLOW
inline constexpr std::int32_t kConnectionReset = -104;  // ECONNRESET: unlinked
inline constexpr std::int32_t kShutDown = -108;         // ESHUTDOWN
inline constexpr std::int32_t kShort = -121;            // EREMOTEIO: less than asked for, with URB_SHORT_NOT_OK

/// number_of_packets of an URB that is not isochronous. The protocol's text says 0xffffffff; Linux sends 0, its older
/// servers allocate by it, and usbipd-win ignores it.
inline constexpr std::uint32_t kNotIsochronous = 0;
inline constexpr std::uint32_t kNotIsochronousToo = 0xffffffff;

/// USBIP_CMD_SUBMIT.
struct Submit {
  std::uint32_t sequence = 0;
  std::uint32_t device_id = 0;
  usb::Direction direction = usb::Direction::out;
  std::uint32_t endpoint = 0;
  std::uint32_t flags = 0;
  std::uint32_t length = 0;  ///< of the buffer; device-bound data of that length follows
  std::uint32_t start_frame = 0;
  std::uint32_t packets = kNotIsochronous;  ///< as many descriptors follow after the data
  std::uint32_t interval = 0;               ///< in (micro)frames; usbipd-win tells interrupt from bulk by it
  std::uint64_t setup = 0;                  ///< as `usb::SetupPacket::parse` takes it

  friend bool operator==(const Submit&, const Submit&) = default;
};
/// USBIP_CMD_UNLINK.
struct Unlink {
  std::uint32_t sequence = 0;
  std::uint32_t device_id = 0;
  std::uint32_t target = 0;  ///< sequence number of the submission
  friend bool operator==(const Unlink&, const Unlink&) = default;
};
/// USBIP_RET_SUBMIT. Guest-bound data of `actual` bytes follows, then descriptors; it does not say which direction.
struct SubmitReturn {
  std::uint32_t sequence = 0;
  std::int32_t status = 0;
  std::uint32_t actual = 0;
  std::uint32_t start_frame = 0;
  std::uint32_t packets = kNotIsochronous;
  std::uint32_t error_count = 0;
  friend bool operator==(const SubmitReturn&, const SubmitReturn&) = default;
};
/// USBIP_RET_UNLINK.
struct UnlinkReturn {
  std::uint32_t sequence = 0;
  std::int32_t status = 0;
  friend bool operator==(const UnlinkReturn&, const UnlinkReturn&) = default;
};
using Message = std::variant<Submit, Unlink, SubmitReturn, UnlinkReturn>;

/// iso_packet_descriptor.
struct PacketDescriptor {
  static constexpr std::size_t kSize = 16;

  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t actual = 0;
  std::int32_t status = 0;
  friend bool operator==(const PacketDescriptor&, const PacketDescriptor&) = default;
};

void encode(ByteWriter& out, const Submit& message);
void encode(ByteWriter& out, const Unlink& message);
void encode(ByteWriter& out, const SubmitReturn& message);
void encode(ByteWriter& out, const UnlinkReturn& message);
void encode(ByteWriter& out, const PacketDescriptor& packet);

/// Takes `kHeaderSize` bytes; empty for a command that does not exist.
[[nodiscard]] std::optional<Message> parse_header(ByteView bytes);
[[nodiscard]] PacketDescriptor read_packet_descriptor(ByteReader& in);

[[nodiscard]] usb::Status status_of(std::int32_t wire);
[[nodiscard]] std::int32_t wire_status(usb::Status status);

}  // namespace periplex::remote::usbip
