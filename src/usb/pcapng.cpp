// SPDX-License-Identifier: Apache-2.0
#include "usb/pcapng.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::usb::pcapng {
namespace {

// Block types (§4.1 – §4.6 of the draft) and option codes.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kInterfaceStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kUserApplication = 4;      // shb_userappl
constexpr std::uint16_t kInterfaceName = 2;        // if_name
constexpr std::uint16_t kTimestampResolution = 9;  // if_tsresol
constexpr std::uint16_t kDropped = 5;              // isb_ifdrop
constexpr std::uint16_t kLinkTypeUsbmon = 220;
constexpr std::uint8_t kNanosecondsResolution = 9;  // 10^-9 s

std::size_t padding(std::size_t size) {
  return (4 - size % 4) % 4;
}

void option(ByteWriter& out, std::uint16_t code, ByteView value) {
  out.le16(code).le16(static_cast<std::uint16_t>(value.size())).bytes(value).zeros(padding(value.size()));
}

void end_of_options(ByteWriter& out) {
  out.le16(kEndOfOptions).le16(0);
}

/// §3.1: type, total length, body, total length again.
void block(ByteWriter& out, std::uint32_t type, ByteView body) {
  const auto length = static_cast<std::uint32_t>(12 + body.size() + padding(body.size()));
  out.le32(type).le32(length).bytes(body).zeros(padding(body.size())).le32(length);
}

void timestamp(ByteWriter& out, Nanoseconds time) {
  const auto ticks = static_cast<std::uint64_t>(time.count());
  out.le32(static_cast<std::uint32_t>(ticks >> 32)).le32(static_cast<std::uint32_t>(ticks));
}

/// `xfer_type` of usbmon, which is not bmAttributes' order.
std::uint8_t usbmon_type(TransferType type) {
  switch (type) {
    case TransferType::isochronous:
      return 0;
    case TransferType::interrupt:
      return 1;
    case TransferType::control:
      return 2;
    case TransferType::bulk:
      return 3;
  }
  return 3;
}

/// Those of a packet's isochronous records that are written.
std::span<const IsochronousRecord> written_records(const Packet& packet) {
  return packet.isochronous.first(std::min(packet.isochronous.size(), IsochronousRecord::kMax));
}

std::uint32_t records_size(const Packet& packet) {
  return static_cast<std::uint32_t>(written_records(packet).size() * IsochronousRecord::kSize);
}

/// The 8 bytes that are a Setup packet, or `error_count` and `numdesc` of an isochronous transfer.
void setup_or_counts(ByteWriter& out, const Packet& packet) {
  if (packet.isochronous.empty()) {
    out.le64(packet.setup ? packet.setup->encode() : 0);
    return;
  }
  const auto failed =
      packet.event == Event::submit
          ? 0
          : std::ranges::count_if(packet.isochronous, [](const auto& each) { return each.status != 0; });
  out.le32(static_cast<std::uint32_t>(failed)).le32(static_cast<std::uint32_t>(packet.isochronous.size()));
}

void usbmon_header(ByteWriter& out, const Packet& packet) {
  const auto number = static_cast<std::uint8_t>(packet.endpoint.number());
  const auto direction = static_cast<std::uint8_t>(packet.direction == Direction::in ? 0x80 : 0);
  // flag_data says why there is no data: an IN submission has none yet, an OUT completion had it before.
  const char no_data = packet.direction == Direction::in ? '<' : '>';
  const auto seconds = std::chrono::floor<std::chrono::seconds>(packet.time);
  const auto rest = std::chrono::duration_cast<Microseconds>(packet.time - seconds);
  out.le64(packet.id).u8(static_cast<std::uint8_t>(packet.event)).u8(usbmon_type(packet.type));
  out.u8(number | direction).u8(packet.device).le16(packet.bus);
  out.u8(packet.setup ? 0 : static_cast<std::uint8_t>('-'));
  out.u8(packet.has_data ? 0 : static_cast<std::uint8_t>(no_data));
  out.le64(static_cast<std::uint64_t>(seconds.count())).le32(static_cast<std::uint32_t>(rest.count()));
  out.le32(static_cast<std::uint32_t>(packet.status));
  // len_cap counts the isochronous records as captured data.
  out.le32(packet.length).le32(records_size(packet) + static_cast<std::uint32_t>(packet.data.size()));
  setup_or_counts(out, packet);
  out.le32(0).le32(0).le32(0);  // interval, start_frame, xfer_flags: not known here
  out.le32(static_cast<std::uint32_t>(written_records(packet).size()));
}

}  // namespace

Bytes file_header(std::string_view application, std::string_view interface_name, std::uint32_t snap_length) {
  ByteWriter section;
  section.le32(kByteOrderMagic).le16(1).le16(0).le64(~std::uint64_t{0});  // version 1.0, length not known
  option(section, kUserApplication, as_bytes(application));
  end_of_options(section);

  ByteWriter interface;
  interface.le16(kLinkTypeUsbmon).le16(0).le32(kUsbmonHeaderSize + snap_length);
  option(interface, kInterfaceName, as_bytes(interface_name));
  option(interface, kTimestampResolution, ByteWriter().u8(kNanosecondsResolution).view());
  end_of_options(interface);

  ByteWriter out;
  block(out, kSectionHeader, section.view());
  block(out, kInterfaceDescription, interface.view());
  return out.take();
}

Bytes packet_block(const Packet& packet) {
  const std::uint32_t head = kUsbmonHeaderSize + records_size(packet);
  const std::uint32_t captured = head + static_cast<std::uint32_t>(packet.data.size());
  const std::uint32_t original = head + (packet.has_data ? packet.data_length : 0);
  ByteWriter body;
  body.le32(0);  // interface
  timestamp(body, packet.time);
  body.le32(captured).le32(original);
  const std::size_t start = body.size();
  usbmon_header(body, packet);
  PERIPLEX_CHECK(body.size() - start == kUsbmonHeaderSize);
  for (const IsochronousRecord& record : written_records(packet)) {
    body.le32(static_cast<std::uint32_t>(record.status)).le32(record.offset).le32(record.length).le32(0);
  }
  body.bytes(packet.data);

  ByteWriter out;
  block(out, kEnhancedPacket, body.view());
  return out.take();
}

Bytes statistics_block(Nanoseconds time, std::uint64_t dropped) {
  ByteWriter body;
  body.le32(0);  // interface
  timestamp(body, time);
  option(body, kDropped, ByteWriter().le64(dropped).view());
  end_of_options(body);
  ByteWriter out;
  block(out, kInterfaceStatistics, body.view());
  return out.take();
}

}  // namespace periplex::usb::pcapng
