// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/endpoint.hpp"
#include "usb/setup_packet.hpp"

/// Blocks of a pcapng file with USB traffic, as bytes (sans I/O).
///
/// Container: draft-ietf-opsawg-pcapng §4. Packets: LINKTYPE_USB_LINUX_MMAPPED (220), that is `struct usbmon_packet` of
/// Linux, Documentation/usb/usbmon.rst, "Raw binary format", 64 bytes, then data. All in little-endian order.
namespace periplex::usb::pcapng {

/// usbmon's header before the data of each packet.
inline constexpr std::uint32_t kUsbmonHeaderSize = 64;

/// `type` of a usbmon packet.
enum class Event : std::uint8_t {
  submit = 'S',
  complete = 'C',
  error = 'E',  ///< the transfer did not reach the device
};

/// One isochronous packet of a transfer: `iso_desc`, 16 bytes, between the header and the data.
struct IsochronousRecord {
  static constexpr std::uint32_t kSize = 16;
  /// usbmon writes no more of them (ISODESC_MAX).
  static constexpr std::size_t kMax = 128;

  std::int32_t status = 0;   ///< 0 or a negative errno of Linux
  std::uint32_t offset = 0;  ///< of its bytes in the transfer's data
  std::uint32_t length = 0;  ///< requested (submit) or moved (complete)
};

/// One usbmon packet.
struct Packet {
  std::uint64_t id = 0;  ///< the same in a submission and its completion
  Event event = Event::submit;
  TransferType type = TransferType::control;
  EndpointAddress endpoint;
  Direction direction = Direction::out;
  std::uint8_t device = 0;
  std::uint16_t bus = 0;
  Nanoseconds time{};                                ///< since 1970-01-01 UTC
  std::int32_t status = 0;                           ///< 0 or a negative errno of Linux
  std::uint32_t length = 0;                          ///< requested (submit) or moved (complete)
  std::optional<SetupPacket> setup{};                ///< control transfers, in the submission
  std::span<const IsochronousRecord> isochronous{};  ///< isochronous transfers, all their packets
  bool has_data = false;                             ///< whether this event carries the data, or its opposite does
  std::uint32_t data_length = 0;                     ///< how many bytes of it there are
  ByteView data{};                                   ///< the first of them
};

/// Opens a file: a Section Header Block and the Interface Description Block that all packets belong to. `snap_length`
/// bounds the data of a packet.
[[nodiscard]] Bytes file_header(std::string_view application, std::string_view interface_name,
                                std::uint32_t snap_length);

/// An Enhanced Packet Block.
[[nodiscard]] Bytes packet_block(const Packet& packet);

/// An Interface Statistics Block: how many packets could not be written until `time`.
[[nodiscard]] Bytes statistics_block(Nanoseconds time, std::uint64_t dropped);

}  // namespace periplex::usb::pcapng
