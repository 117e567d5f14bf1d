// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "usb/endpoint.hpp"
#include "usb/setup_packet.hpp"
#include "usb/transfer.hpp"

/// The messages of the USB redirection protocol 0.7 (usb-redirection-protocol.md of the usbredir project) as values.
///
/// The *usb-guest* is where a virtual machine uses the device, the *usb-host* where the device is. Names are those of
/// the document, shortened.
namespace periplex::remote::usbredir {

/// The protocol has no port of its own; this is that of usbredirserver, and of the documents' examples.
inline constexpr std::uint16_t kDefaultPort = 4000;

/// Answers belong to requests by this number, which the usb-guest chooses.
using MessageId = std::uint64_t;

/// What a status field says.
enum class Result : std::uint8_t { success, cancelled, invalid, io_error, stall, timeout, babble };

/// What a transfer that ended so tells the guest's controller; numbers not known are errors.
[[nodiscard]] usb::Status status_of(Result result);
/// What the far end is told of a transfer that ended so.
[[nodiscard]] Result result_of(usb::Status status);

/// Endpoints 0 to 15 OUT, then 0 to 15 IN: the order of all tables and bit masks of the protocol.
inline constexpr std::size_t kEndpoints = 32;
inline constexpr std::size_t kInterfaces = 32;
[[nodiscard]] constexpr std::size_t index_of(usb::EndpointAddress endpoint) {
  return endpoint.number() | (endpoint.direction() == usb::Direction::in ? 16u : 0u);
}
[[nodiscard]] constexpr usb::EndpointAddress endpoint_at(std::size_t index) {
  return usb::EndpointAddress(static_cast<std::uint8_t>((index & 0xf) | ((index & 0x10) << 3)));
}

/// What a side can do beyond version 0.3.
struct Capabilities {
  bool bulk_streams = false;
  bool device_version = false;
  bool filter = false;
  bool disconnect_ack = false;
  bool max_packet_size = false;
  bool ids_64_bits = false;
  bool bulk_lengths_32_bits = false;
  bool bulk_receiving = false;

  [[nodiscard]] static Capabilities all() { return {true, true, true, true, true, true, true, true}; }
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Hello {
  std::string version;  ///< for people
  Capabilities capabilities;
};

/// usb_redir_device_connect.speed.
enum class WireSpeed : std::uint8_t { low, full, high, super, unknown = 255 };
struct DeviceConnect {
  WireSpeed speed = WireSpeed::unknown;
  std::uint8_t device_class = 0;
  std::uint8_t device_subclass = 0;
  std::uint8_t device_protocol = 0;
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t device_version = 0;
};
struct DeviceDisconnect {};
struct Reset {};

struct InterfaceInfo {
  struct Entry {
    std::uint8_t number = 0;
    std::uint8_t interface_class = 0;
    std::uint8_t subclass = 0;
    std::uint8_t protocol = 0;
  };
  std::uint32_t count = 0;  ///< at most kInterfaces
  std::array<Entry, kInterfaces> entries{};
};

/// usb_redir_ep_info.type: those of USB, and `invalid` where there is no endpoint.
inline constexpr std::uint8_t kNoEndpoint = 255;
struct EndpointInfo {
  struct Entry {
    std::uint8_t type = kNoEndpoint;
    std::uint8_t interval = 0;  ///< bInterval
    std::uint8_t interface = 0;
    std::uint16_t max_packet_size = 0;  ///< bytes, of one service interval where the endpoint is isochronous
    std::uint32_t max_streams = 0;

    [[nodiscard]] bool is(usb::TransferType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::array<Entry, kEndpoints> entries{};
};

struct SetConfiguration {
  std::uint8_t configuration = 0;
};
struct GetConfiguration {};
struct ConfigurationStatus {
  Result result = Result::success;
  std::uint8_t configuration = 0;
};
struct SetAlternate {
  std::uint8_t interface = 0;
  std::uint8_t alternate = 0;
};
struct GetAlternate {
  std::uint8_t interface = 0;
};
struct AlternateStatus {
  Result result = Result::success;
  std::uint8_t interface = 0;
  std::uint8_t alternate = 0;
};

/// What the usb-host is to pump by itself: `start_iso_stream`, `start_interrupt_receiving`, `start_bulk_receiving`.
enum class PumpKind : std::uint8_t { isochronous, interrupt, bulk };
struct StartPump {
  PumpKind kind = PumpKind::interrupt;
  usb::EndpointAddress endpoint;
  std::uint8_t packets_per_urb = 1;      ///< isochronous
  std::uint8_t urbs = 1;                 ///< isochronous and bulk
  std::uint32_t bytes_per_transfer = 0;  ///< bulk
  std::uint32_t stream = 0;              ///< bulk
};
struct StopPump {
  PumpKind kind = PumpKind::interrupt;
  usb::EndpointAddress endpoint;
  std::uint32_t stream = 0;  ///< bulk
};
/// The answer to both, and what tells that it stopped by itself: then with `stall`.
struct PumpStatus {
  PumpKind kind = PumpKind::interrupt;
  usb::EndpointAddress endpoint;
  Result result = Result::success;
  std::uint32_t stream = 0;  ///< bulk
};

struct AllocateStreams {
  std::uint32_t endpoints = 0;  ///< one bit per endpoint
  std::uint32_t count = 0;
};
struct FreeStreams {
  std::uint32_t endpoints = 0;
};
struct StreamsStatus {
  std::uint32_t endpoints = 0;
  std::uint32_t count = 0;
  Result result = Result::success;
};

struct CancelData {};
struct FilterReject {};
struct DisconnectAck {};

/// The data packets. A request has `length` and, device-bound, data; an answer has what was moved and, guest-bound,
/// data.
struct ControlData {
  usb::SetupPacket setup;  ///< `setup.length` is the packet's length
  Result result = Result::success;
  Bytes data;
};
struct BulkData {
  usb::EndpointAddress endpoint;
  Result result = Result::success;
  std::uint32_t length = 0;
  std::uint32_t stream = 0;
  Bytes data;
};
struct IsochronousData {
  usb::EndpointAddress endpoint;
  Result result = Result::success;
  std::uint16_t length = 0;
  Bytes data;
};
struct InterruptData {
  usb::EndpointAddress endpoint;
  Result result = Result::success;
  std::uint16_t length = 0;
  Bytes data;
};
/// Bulk data that the usb-host has received by itself.
struct BufferedBulkData {
  usb::EndpointAddress endpoint;
  Result result = Result::success;
  std::uint32_t stream = 0;
  Bytes data;
};

using Message =
    std::variant<Hello, DeviceConnect, DeviceDisconnect, Reset, InterfaceInfo, EndpointInfo, SetConfiguration,
                 GetConfiguration, ConfigurationStatus, SetAlternate, GetAlternate, AlternateStatus, StartPump,
                 StopPump, PumpStatus, AllocateStreams, FreeStreams, StreamsStatus, CancelData, FilterReject,
                 DisconnectAck, ControlData, BulkData, IsochronousData, InterruptData, BufferedBulkData>;

}  // namespace periplex::remote::usbredir
