// SPDX-License-Identifier: Apache-2.0
// URBs of a USB/IP client on their way to an exported device, and back.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "remote/usbip/endpoint_table.hpp"
#include "remote/usbip/exporter.hpp"
#include "usb/without_streams.hpp"

namespace periplex::remote::usbip {
namespace {

using usb::Direction;
using usb::SetupPacket;
using usb::StandardRequest;
using usb::Status;
using usb::TransferData;

constexpr std::uint8_t kFromDevice = 0x80;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kToPort = 0x23;  // USB 2.0 table 11-15
constexpr std::uint16_t kPortReset = 4;
constexpr std::uint16_t kWholeConfiguration = 4096;  // more is not kept for a client's sake
constexpr std::uint32_t kMostIntervals = 1u << 15;

bool asks_for_configuration(const SetupPacket& setup) {
  return setup.is(StandardRequest::get_descriptor, kFromDevice) &&
         setup.value >> 8 == static_cast<std::uint8_t>(usb::DescriptorType::configuration);
}

/// The data of isochronous packets without what lies between them; empty: a packet is not inside the buffer.
std::optional<Bytes> gathered(ByteView data, const std::vector<PacketDescriptor>& packets) {
  Bytes out;
  for (const PacketDescriptor& packet : packets) {
    if (packet.offset > data.size() || packet.length > data.size() - packet.offset) return std::nullopt;
    const ByteView part = data.subspan(packet.offset, packet.length);
    out.insert(out.end(), part.begin(), part.end());
    if (out.size() > Exporter::kMostData) return std::nullopt;
  }
  return out;
}

}  // namespace

void Exporter::on_submit(const Submit& submit, ByteView data, ByteView packets) {
  Request request{.submit = submit, .packets = {}, .transfer = {}, .id = {}, .held = submit.length};
  ByteReader in(packets);
  while (in.remaining() > 0) request.packets.push_back(read_packet_descriptor(in));
  if (submit.endpoint == 0) return submit_control(std::move(request), data);
  if (!request.packets.empty()) return submit_isochronous(std::move(request), data);
  submit_data(std::move(request), data);
}

void Exporter::submit_control(Request request, ByteView data) {
  request.packets.clear();  // that came with it for no reason
  request.submit.packets = kNotIsochronous;
  SetupPacket setup = SetupPacket::parse(request.submit.setup);
  if (setup.is(StandardRequest::set_address, kToDevice)) return answer_control_here(request.submit);
  if (setup.is(StandardRequest::set_feature, kToPort) && setup.value == kPortReset) {
    reset_device();
    return answer_control_here(request.submit);
  }
  const bool guest_bound = setup.direction() == Direction::in;
  std::uint32_t room = std::min<std::uint32_t>(setup.length, request.submit.length);
  if (usb::is_usb3(imported_->device->speed()) && asks_for_configuration(setup)) {
    room = setup.length = kWholeConfiguration;  // only a whole one can be freed of its streams
  }
  auto transfer =
      make_transfer(request, setup.direction(),
                    guest_bound ? TransferData::room(room) : TransferData::owned({data.begin(), data.end()}));
  transfer->setup = setup;
  start(std::move(request), std::move(transfer));
}

void Exporter::submit_data(Request request, ByteView data) {
  const bool guest_bound = request.submit.direction == Direction::in;
  auto transfer = make_transfer(
      request, request.submit.direction,
      guest_bound ? TransferData::room(request.submit.length) : TransferData::owned({data.begin(), data.end()}));
  start(std::move(request), std::move(transfer));
}

void Exporter::submit_isochronous(Request request, ByteView data) {
  const bool guest_bound = request.submit.direction == Direction::in;
  std::size_t room = 0;
  for (const PacketDescriptor& packet : request.packets) room += packet.length;
  auto gathered_data = guest_bound ? std::optional(Bytes{}) : gathered(data, request.packets);
  if (room > request.submit.length || !gathered_data) {
    (void)fail("an isochronous URB's packets lie outside of its buffer");
    return;
  }
  auto transfer =
      make_transfer(request, request.submit.direction,
                    guest_bound ? TransferData::room(room) : TransferData::owned(std::move(*gathered_data)));
  std::uint32_t offset = 0;
  for (const PacketDescriptor& packet : request.packets) {
    transfer->packets.push_back({.offset = offset, .length = packet.length});
    offset += packet.length;
  }
  const std::uint32_t interval = std::clamp(request.submit.interval, 1u, kMostIntervals);
  const auto count = static_cast<std::int64_t>(request.packets.size());
  const Nanoseconds duration = frame_time(imported_->device->speed()) * interval * count;
  const std::uint32_t sequence = request.submit.sequence;
  request.transfer = std::move(transfer);
  const usb::EndpointAddress endpoint = request.transfer->endpoint();
  held_ += request.held;
  requests_.emplace(sequence, std::move(request));
  clock_.add(endpoint, sequence, duration);
}

usb::TransferPtr Exporter::make_transfer(Request& request, Direction direction, TransferData data) {
  request.id = usb::TransferId(++last_id_);
  const usb::EndpointAddress endpoint(request.submit.endpoint, request.submit.direction);
  return std::make_unique<usb::Transfer>(*relay_, request.id, endpoint, direction, std::move(data));
}

void Exporter::start(Request request, usb::TransferPtr transfer) {
  held_ += request.held;
  submitted_.emplace(request.id, request.submit.sequence);
  requests_.emplace(request.submit.sequence, std::move(request));
  relay_->sent();
  imported_->device->submit(std::move(transfer));
}

void Exporter::on_complete(usb::Transfer& transfer, usb::Completion completion) {
  const auto submitted = submitted_.find(transfer.id());
  if (submitted == submitted_.end()) return;  // a request of our own
  const auto found = requests_.find(submitted->second);
  submitted_.erase(submitted);
  if (found == requests_.end()) return;
  const Request request = std::move(found->second);
  requests_.erase(found);
  held_ -= request.held;
  if (failed_) return;
  // What was unlinked too late is answered as if it had not been; then the unlink has found nothing.
  const bool was_cancelled = completion.status == Status::cancelled;
  if (request.unlinked_by == 0 || !was_cancelled) answer(request, transfer, completion);
  if (request.unlinked_by == 0) return;
  ByteWriter out;
  encode(out, UnlinkReturn{.sequence = request.unlinked_by, .status = was_cancelled ? kConnectionReset : kOk});
  host_.send(out.take());
}

void Exporter::answer(const Request& request, const usb::Transfer& transfer, usb::Completion completion) {
  const Submit& submit = request.submit;
  SubmitReturn returned{.status = wire_status(completion.status), .actual = completion.actual};
  Bytes data;
  ByteWriter packets;
  if (submit.direction == Direction::in && request.packets.empty()) {
    data = transfer.data.copy(completion.actual);
    if (transfer.setup && completion.status == Status::ok && asks_for_configuration(*transfer.setup) &&
        usb::is_usb3(imported_->device->speed())) {
      data = usb::without_streams(data);
    }
    data.resize(std::min<std::size_t>(data.size(), submit.length));
    returned.actual = static_cast<std::uint32_t>(data.size());
    const bool ended_short = completion.status == Status::ok && returned.actual < submit.length;
    if (ended_short && (submit.flags & kShortNotOk) != 0) returned.status = kShort;
  }
  for (std::size_t i = 0; i < request.packets.size(); ++i) {
    const usb::IsochronousPacket& packet = transfer.packets[i];
    if (submit.direction == Direction::in) {
      Bytes part(packet.actual);
      part.resize(transfer.data.read(packet.offset, part));
      data.insert(data.end(), part.begin(), part.end());
    }
    if (packet.status != Status::ok) ++returned.error_count;
    encode(packets, PacketDescriptor{.offset = request.packets[i].offset,
                                     .length = request.packets[i].length,
                                     .actual = packet.actual,
                                     .status = wire_status(packet.status)});
  }
  if (transfer.setup && completion.status == Status::ok) note_request(*transfer.setup);
  send_return(submit, returned, data, packets.view());
}

void Exporter::note_request(const SetupPacket& setup) {
  if (setup.is(StandardRequest::set_configuration, kToDevice)) configuration_ = static_cast<std::uint8_t>(setup.value);
}

void Exporter::answer_control_here(const Submit& submit) {
  send_return(submit, {.actual = submit.direction == Direction::out ? submit.length : 0}, {}, {});
}

void Exporter::send_return(const Submit& submit, SubmitReturn returned, ByteView data, ByteView packets) {
  returned.sequence = submit.sequence;
  returned.packets = submit.packets;
  returned.start_frame = submit.start_frame;
  ByteWriter out;
  encode(out, returned);
  out.bytes(data).bytes(packets);
  host_.send(out.take());
}

}  // namespace periplex::remote::usbip
