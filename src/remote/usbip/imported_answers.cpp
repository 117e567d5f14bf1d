// SPDX-License-Identifier: Apache-2.0
// What comes back from a USB/IP server for the requests that `ImportedDevice` has made.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "remote/usbip/imported_device.hpp"
#include "usb/without_streams.hpp"

namespace periplex::remote::usbip {
namespace {

using usb::Direction;
using usb::Status;
using usb::TransferPtr;

constexpr std::uint8_t kFromDevice = 0x80;

/// wTotalLength of a configuration, or of its beginning; 0 if that is too short.
std::uint16_t total_length(ByteView configuration) {
  ByteReader in(configuration);
  in.skip(2);
  return in.le16();
}

/// Descriptors of packets that follow an answer. Some servers send none when an URB has failed as a whole.
std::uint32_t packets_that_follow(const SubmitReturn& returned) {
  return returned.packets == kNotIsochronousToo ? 0 : returned.packets;
}

}  // namespace

bool ImportedDevice::asks_for_configuration(const usb::SetupPacket& setup) {
  return setup.is(usb::StandardRequest::get_descriptor, kFromDevice) &&
         setup.value >> 8 == static_cast<std::uint8_t>(usb::DescriptorType::configuration);
}

std::expected<std::size_t, std::string> ImportedDevice::payload_size(const SubmitReturn& returned) const {
  const auto found = requests_.find(returned.sequence);
  if (found == requests_.end()) {
    return std::unexpected(fmt::format("the server has answered request {}, which was not made", returned.sequence));
  }
  const Request& request = found->second;
  if (request.guest_bound && returned.actual > request.room) {
    return std::unexpected(
        fmt::format("the server has sent {} bytes where {} were asked for", returned.actual, request.room));
  }
  std::size_t size = request.guest_bound ? returned.actual : 0;
  if (request.packets > 0) {
    const std::uint32_t packets = packets_that_follow(returned);
    if (packets > request.packets) {
      return std::unexpected(
          fmt::format("the server has answered {} packets where there were {}", packets, request.packets));
    }
    size += packets * PacketDescriptor::kSize;
  }
  return size;
}

void ImportedDevice::on_return(const SubmitReturn& returned, ByteView payload) {
  const auto found = requests_.find(returned.sequence);
  if (found == requests_.end()) return;
  Request request = std::move(found->second);
  requests_.erase(found);
  if (request.of_pipe) {
    const auto pipe = pipes_.find(request.endpoint);
    if (pipe != pipes_.end()) pipe->second.on_answer(returned.sequence, payload, status_of(returned.status));
  } else if (request.transfer) {
    complete(std::move(request), returned, payload);
  }
}

void ImportedDevice::on_return(const UnlinkReturn& returned) {
  const auto unlink = unlinks_.find(returned.sequence);
  if (unlink == unlinks_.end()) return;
  const std::uint32_t target = unlink->second;
  unlinks_.erase(unlink);
  const auto found = requests_.find(target);
  if (found == requests_.end()) return;  // its answer has crossed the unlink
  // "UnLink" with status 0 means that the answer has been sent already; from a server that sends it after all, it
  // must still be understood.
  if (returned.status == kOk) return;
  const Request request = std::move(found->second);
  requests_.erase(found);
  if (!request.of_pipe) return;
  const auto pipe = pipes_.find(request.endpoint);
  if (pipe != pipes_.end()) pipe->second.on_answer(target, {}, Status::cancelled);
}

void ImportedDevice::complete(Request request, const SubmitReturn& returned, ByteView payload) {
  // Nobody here has withdrawn it: see InboundPipe on usbipd-win.
  Status status = status_of(returned.status);
  if (status == Status::cancelled) status = Status::error;
  if (request.packets > 0) return complete_isochronous(std::move(request), returned, payload);
  if (request.transfer->setup) return complete_control(std::move(request), status, payload);
  // A server that reports more than it was given counts as one that took all.
  finish(std::move(request.transfer), {status, std::min(returned.actual, request.room)});
}

/// A configuration that is longer than the usual; whether it was asked for again.
bool ImportedDevice::ask_for_the_rest(Request& request, ByteView configuration) {
  const std::uint16_t total = total_length(configuration);
  const bool cut =
      configuration.size() == request.room && request.room == kUsualConfiguration && total > configuration.size();
  const usb::SetupPacket& asked = *request.transfer->setup;
  if (!cut || (asked.length <= request.room && !usb::is_usb3(speed_))) return false;
  usb::SetupPacket setup = asked;
  setup.length = total;
  send_control(setup, std::move(request.transfer));
  return true;
}

void ImportedDevice::tell_of_streams(ByteView configuration) {
  const auto parsed = usb::parse_configuration(configuration);
  if (!parsed || !usb::needs_streams(*parsed) || std::exchange(told_of_streams_, true)) return;
  log::warning("remote", fmt::format("{} needs streams, which USB/IP cannot carry: a guest's driver will refuse it",
                                     options_.bus_id));
}

void ImportedDevice::complete_control(Request request, Status status, ByteView data) {
  const usb::SetupPacket setup = *request.transfer->setup;
  if (status == Status::ok && asks_for_configuration(setup) && ask_for_the_rest(request, data)) return;
  TransferPtr transfer = std::move(request.transfer);
  auto moved = static_cast<std::uint32_t>(transfer->data.size());
  if (status != Status::ok) {
    moved = 0;
  } else if (setup.direction() == Direction::in) {
    Bytes answer(data.begin(), data.end());
    if (asks_for_configuration(setup)) {
      if (usb::is_usb3(speed_)) {
        tell_of_streams(answer);
        answer = usb::without_streams(answer);
      }
      endpoints_.learn(answer);
    }
    const std::size_t wanted = std::min<std::size_t>(answer.size(), setup.length);
    moved = static_cast<std::uint32_t>(transfer->data.write(0, ByteView(answer).first(wanted)));
  }
  if (status == Status::ok) after_request(setup);
  for (auto& [endpoint, pipe] : pipes_) pipe.resume();
  finish(std::move(transfer), {status, moved});
}

void ImportedDevice::complete_isochronous(Request request, const SubmitReturn& returned, ByteView payload) {
  usb::Transfer& transfer = *request.transfer;
  const std::size_t data_size = request.guest_bound ? returned.actual : 0;
  const ByteView data = payload.first(data_size);
  ByteReader in(payload.subspan(data_size));
  std::uint32_t total = 0;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < transfer.packets.size(); ++i) {
    usb::IsochronousPacket& packet = transfer.packets[i];
    const bool answered = i < packets_that_follow(returned);
    const PacketDescriptor descriptor = answered ? read_packet_descriptor(in) : PacketDescriptor{};
    packet.status = answered ? status_of(descriptor.status) : Status::error;
    packet.actual = std::min(descriptor.actual, packet.length);
    if (request.guest_bound) {
      // "the padding between each ISO packets is not transmitted"
      const std::size_t there = std::min<std::size_t>(descriptor.actual, data.size() - taken);
      packet.actual = std::min(packet.actual, static_cast<std::uint32_t>(there));
      (void)transfer.data.write(packet.offset, data.subspan(taken, packet.actual));
      taken += there;
    }
    total += packet.actual;
  }
  finish(std::move(request.transfer), {Status::ok, total});
}

}  // namespace periplex::remote::usbip
