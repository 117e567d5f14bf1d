// SPDX-License-Identifier: Apache-2.0
#include "usb/capture.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "usb/pcapng.hpp"

namespace periplex::usb {
namespace {

/// What Linux reports for a URB that ended so (Documentation/driver-api/usb/error-codes.rst).
std::int32_t linux_status(Status status) {
  switch (status) {
    case Status::ok:
      return 0;
    case Status::stall:
      return -EPIPE;
    case Status::babble:
      return -EOVERFLOW;
    case Status::error:
      return -EPROTO;
    case Status::cancelled:
      return -ECONNRESET;
    case Status::disconnected:
      return -ESHUTDOWN;
  }
  return -EPROTO;
}

pcapng::Packet describe(const DeviceLabel& device, TransferType type, const Transfer& transfer) {
  return {.id = transfer.id().value,
          .type = type,
          .endpoint = transfer.endpoint(),
          .direction = transfer.direction(),
          .device = device.number,
          .bus = device.bus};
}

/// What becomes of each packet. In the submission nothing has: Linux writes EXDEV there, and how much is wanted.
std::vector<pcapng::IsochronousRecord> isochronous_records(const Transfer& transfer, pcapng::Event event) {
  const bool submission = event == pcapng::Event::submit;
  std::vector<pcapng::IsochronousRecord> records;
  records.reserve(transfer.packets.size());
  for (const IsochronousPacket& packet : transfer.packets) {
    records.push_back({.status = submission ? -EXDEV : linux_status(packet.status),
                       .offset = packet.offset,
                       .length = submission ? packet.length : packet.actual});
  }
  return records;
}

/// Up to where the data of a completed transfer reach. Those of isochronous packets stand where their room was.
std::uint32_t extent(const Transfer& transfer, std::uint32_t actual) {
  if (transfer.packets.empty()) return actual;
  std::uint32_t end = 0;
  for (const IsochronousPacket& packet : transfer.packets) {
    if (packet.actual > 0) end = std::max(end, packet.offset + packet.actual);
  }
  return end;
}

}  // namespace

Capture::Capture(const Clock& clock, CaptureSink& sink, const Options& options)
    : clock_(clock), sink_(sink), snap_length_(options.snap_length), clock_origin_(options.clock_origin) {
  (void)sink_.write(pcapng::file_header(options.application, options.interface_name, snap_length_));
}

Capture::~Capture() {
  (void)sink_.write(pcapng::statistics_block(clock_.now() + clock_origin_, dropped_));
}

void Capture::on_submitted(const DeviceLabel& device, TransferType type, const Transfer& transfer) {
  pcapng::Packet packet = describe(device, type, transfer);
  const auto records = isochronous_records(transfer, pcapng::Event::submit);
  Bytes data;
  packet.event = pcapng::Event::submit;
  packet.time = clock_.now() + clock_origin_;
  packet.status = -EINPROGRESS;
  packet.length = static_cast<std::uint32_t>(transfer.data.size());
  packet.setup = transfer.setup;
  packet.isochronous = records;
  packet.has_data = transfer.direction() == Direction::out;
  packet.data_length = packet.length;
  if (packet.has_data) data = transfer.data.copy(snap_length_);
  packet.data = data;
  write(pcapng::packet_block(packet));
}

void Capture::on_completed(const DeviceLabel& device, TransferType type, const Transfer& transfer,
                           const Completion& completion) {
  pcapng::Packet packet = describe(device, type, transfer);
  Bytes data;
  packet.event = completion.status == Status::disconnected ? pcapng::Event::error : pcapng::Event::complete;
  const auto records = isochronous_records(transfer, packet.event);
  packet.time = clock_.now() + clock_origin_;
  packet.status = linux_status(completion.status);
  packet.length = completion.actual;
  packet.isochronous = records;
  packet.has_data = transfer.direction() == Direction::in;
  packet.data_length = extent(transfer, completion.actual);
  if (packet.has_data) data = transfer.data.copy(std::min(snap_length_, packet.data_length));
  packet.data = data;
  write(pcapng::packet_block(packet));
}

void Capture::write(Bytes block) {
  if (sink_.write(std::move(block))) {
    ++packets_;
  } else {
    ++dropped_;
  }
}

}  // namespace periplex::usb
