// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/setup_packet.hpp"
#include "usb/speed.hpp"
#include "usb/transfer.hpp"

/// What travels over a `MessageStream` (docs/attachment-protocol.md): each message as a value, its encoding, and a
/// parser that gives nothing where the bytes are not one. `encode` writes the type too; `parse` takes what follows it.
/// Views in parsed values point into the bytes.
namespace periplex::attachment {

/// The first byte of a message.
enum class MessageType : std::uint8_t {
  // from the worker
  submit = 0x01,
  cancel = 0x02,
  reset = 0x03,
  endpoint_opened = 0x04,
  suspend = 0x05,
  resume = 0x06,
  poll = 0x07,
  stop_polling = 0x08,
  isochronous_out = 0x09,
  // from the agent
  describe = 0x20,
  complete = 0x21,
  report = 0x22,
  wake_up = 0x23,
  gone = 0x24,
  isochronous_in = 0x25,
  reset_done = 0x26,
};
/// An extension's: opaque here.
inline constexpr std::uint8_t kFirstExtensionType = 0x40;
inline constexpr std::uint8_t kLastExtensionType = 0x7f;
[[nodiscard]] constexpr bool is_extension(std::byte type) {
  return type >= std::byte{kFirstExtensionType} && type <= std::byte{kLastExtensionType};
}

/// A message without fields.
[[nodiscard]] Bytes encode_plain(MessageType type);

/// A transfer for an endpoint that is not polled.
struct Submit {
  std::uint64_t id = 0;  ///< counts up
  usb::EndpointAddress endpoint;
  usb::Direction direction = usb::Direction::out;
  usb::TransferType type = usb::TransferType::bulk;  ///< control, bulk or interrupt
  std::uint16_t stream = 0;
  std::optional<usb::SetupPacket> setup;  ///< control transfers only
  std::uint32_t length = 0;               ///< of the data, in either direction
  ByteView data;                          ///< device-bound: `length` bytes; else empty

  [[nodiscard]] static std::optional<Submit> parse(ByteView body);
};
/// `data` replaces the message's own: it is copied once, into the message.
[[nodiscard]] Bytes encode(const Submit& message, const usb::TransferData& data);

struct Complete {
  std::uint64_t id = 0;
  usb::Status status = usb::Status::ok;
  std::uint32_t actual = 0;
  ByteView data;  ///< guest-bound: `actual` bytes; else empty

  [[nodiscard]] static std::optional<Complete> parse(ByteView body);
};
/// `data`: guest-bound data whose first `actual` bytes go with it, or null.
[[nodiscard]] Bytes encode(const Complete& message, const usb::TransferData* data);

struct Cancel {
  std::uint64_t id = 0;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Cancel> parse(ByteView body);
};

/// Resets are counted, so that what was sent before one and arrives after it is recognised.
struct Reset {
  std::uint32_t count = 0;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Reset> parse(ByteView body);
};
/// What became of the descriptors.
enum class AfterReset : std::uint8_t {
  unchanged = 0,
  described = 1,  ///< they have changed: a DESCRIBE came before this
  unknown = 2,    ///< the device did not say
};
struct ResetDone {
  std::uint32_t count = 0;
  AfterReset descriptors = AfterReset::unknown;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<ResetDone> parse(ByteView body);
};

struct EndpointOpened {
  usb::EndpointAddress endpoint;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<EndpointOpened> parse(ByteView body);
};

/// The guest asks on an interrupt or isochronous IN endpoint: the agent asks the device by itself from now on.
struct Poll {
  usb::EndpointAddress endpoint;
  usb::TransferType type = usb::TransferType::interrupt;  ///< or isochronous
  std::uint32_t generation = 0;                           ///< counts up where what came before is of no use any more
  std::uint32_t packet_bytes = 0;                         ///< of one packet, or of one interval if isochronous
  Microseconds interval{};                                ///< isochronous only
  std::uint32_t limit = 0;  ///< interrupt only: how many reports may be pushed in this generation
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Poll> parse(ByteView body);
};
struct StopPolling {
  usb::EndpointAddress endpoint;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<StopPolling> parse(ByteView body);
};
/// One packet of an interrupt endpoint. After one that is not `ok` the agent does not ask any more, until the next
/// POLL.
struct Report {
  usb::EndpointAddress endpoint;
  usb::Status status = usb::Status::ok;
  std::uint32_t generation = 0;
  ByteView data;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Report> parse(ByteView body);
};

/// Packets that an isochronous endpoint has sent, in order.
struct IsochronousIn {
  struct Packet {
    usb::Status status = usb::Status::ok;
    ByteView data;
  };
  usb::EndpointAddress endpoint;
  std::uint32_t generation = 0;
  std::vector<Packet> packets;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<IsochronousIn> parse(ByteView body);
};
/// Packets for an isochronous endpoint, one an interval.
struct IsochronousOut {
  usb::EndpointAddress endpoint;
  Microseconds interval{};
  std::vector<ByteView> packets;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<IsochronousOut> parse(ByteView body);
};

/// An answer to GET_DESCRIPTOR, recipient device.
struct KnownDescriptor {
  std::uint16_t value = 0;     ///< wValue: type and index
  std::uint16_t index = 0;     ///< wIndex: language
  std::optional<Bytes> bytes;  ///< empty: the device answers STALL
  friend bool operator==(const KnownDescriptor&, const KnownDescriptor&) = default;
};
/// What a peripheral is.
struct Describe {
  std::string unique_id;
  usb::Speed speed = usb::Speed::full;
  std::vector<KnownDescriptor> descriptors;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Describe> parse(ByteView body);
  friend bool operator==(const Describe&, const Describe&) = default;
};
/// The peripheral is not there any more.
struct Gone {
  std::string reason;  ///< for a person
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static std::optional<Gone> parse(ByteView body);
};

}  // namespace periplex::attachment
