// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/urb.hpp"

namespace periplex::remote::usbip {
namespace {

constexpr std::size_t kUnlinkPadding = 24;
constexpr std::size_t kReturnPadding = 8;

/// usbip_header_basic.
void encode_basic(ByteWriter& out, Command command, std::uint32_t sequence, std::uint32_t device_id = 0,
                  std::uint32_t direction = 0, std::uint32_t endpoint = 0) {
  out.be32(static_cast<std::uint32_t>(command)).be32(sequence).be32(device_id).be32(direction).be32(endpoint);
}

}  // namespace

void encode(ByteWriter& out, const Submit& message) {
  encode_basic(out, Command::submit, message.sequence, message.device_id, static_cast<std::uint32_t>(message.direction),
               message.endpoint);
  out.be32(message.flags).be32(message.length).be32(message.start_frame).be32(message.packets).be32(message.interval);
  out.le64(message.setup);
}

void encode(ByteWriter& out, const Unlink& message) {
  encode_basic(out, Command::unlink, message.sequence, message.device_id);
  out.be32(message.target).zeros(kUnlinkPadding);
}

void encode(ByteWriter& out, const SubmitReturn& message) {
  encode_basic(out, Command::return_submit, message.sequence);
  out.be32(static_cast<std::uint32_t>(message.status)).be32(message.actual).be32(message.start_frame);
  out.be32(message.packets).be32(message.error_count).zeros(kReturnPadding);
}

void encode(ByteWriter& out, const UnlinkReturn& message) {
  encode_basic(out, Command::return_unlink, message.sequence);
  out.be32(static_cast<std::uint32_t>(message.status)).zeros(kUnlinkPadding);
}

void encode(ByteWriter& out, const PacketDescriptor& packet) {
  out.be32(packet.offset).be32(packet.length).be32(packet.actual).be32(static_cast<std::uint32_t>(packet.status));
}

std::optional<Message> parse_header(ByteView bytes) {
  ByteReader in(bytes);
  const std::uint32_t command = in.be32();
  const std::uint32_t sequence = in.be32();
  const std::uint32_t device_id = in.be32();
  const std::uint32_t direction = in.be32();
  const std::uint32_t endpoint = in.be32();
  const std::uint32_t first = in.be32();
  const std::uint32_t second = in.be32();
  const std::uint32_t start_frame = in.be32();
  const std::uint32_t packets = in.be32();
  const std::uint32_t last = in.be32();
  const std::uint64_t setup = in.le64();
  if (!in.ok()) return std::nullopt;
  switch (static_cast<Command>(command)) {
    case Command::submit:
      return Submit{.sequence = sequence,
                    .device_id = device_id,
                    .direction = direction == 0 ? usb::Direction::out : usb::Direction::in,
                    .endpoint = endpoint,
                    .flags = first,
                    .length = second,
                    .start_frame = start_frame,
                    .packets = packets,
                    .interval = last,
                    .setup = setup};
    case Command::unlink:
      return Unlink{.sequence = sequence, .device_id = device_id, .target = first};
    case Command::return_submit:
      return SubmitReturn{.sequence = sequence,
                          .status = static_cast<std::int32_t>(first),
                          .actual = second,
                          .start_frame = start_frame,
                          .packets = packets,
                          .error_count = last};
    case Command::return_unlink:
      return UnlinkReturn{.sequence = sequence, .status = static_cast<std::int32_t>(first)};
  }
  return std::nullopt;
}

PacketDescriptor read_packet_descriptor(ByteReader& in) {
  PacketDescriptor packet;
  packet.offset = in.be32();
  packet.length = in.be32();
  packet.actual = in.be32();
  packet.status = static_cast<std::int32_t>(in.be32());
  return packet;
}

usb::Status status_of(std::int32_t wire) {
  switch (wire) {
    case kOk:
    case kShort:  // a guest's own controller sees by itself that less came
      return usb::Status::ok;
    case kPipeStalled:
      return usb::Status::stall;
    case kOverflow:
      return usb::Status::babble;
    case kNotThere:
    case kConnectionReset:
      return usb::Status::cancelled;
    default:
      return usb::Status::error;
  }
}

std::int32_t wire_status(usb::Status status) {
  switch (status) {
    case usb::Status::ok:
      return kOk;
    case usb::Status::stall:
      return kPipeStalled;
    case usb::Status::babble:
      return kOverflow;
    case usb::Status::error:
      return kProtocolError;
    case usb::Status::cancelled:
      return kConnectionReset;
    case usb::Status::disconnected:
      return kShutDown;
  }
  return kProtocolError;
}

}  // namespace periplex::remote::usbip
