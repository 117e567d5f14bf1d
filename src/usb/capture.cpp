// SPDX-License-Identifier: Apache-2.0
#include "usb/capture.hpp"

#include <algorithm>
#include <cerrno>

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

pcapng::Packet describe(const DeviceLabel& device, const Transfer& transfer) {
  return {.id = transfer.id().value,
          .type = transfer.setup ? TransferType::control : device.data_endpoints,
          .endpoint = transfer.endpoint(),
          .direction = transfer.direction(),
          .device = device.number,
          .bus = device.bus};
}

}  // namespace

Capture::Capture(const Clock& clock, CaptureSink& sink, const Options& options)
    : clock_(clock), sink_(sink), snap_length_(options.snap_length), clock_origin_(options.clock_origin) {
  (void)sink_.write(pcapng::file_header(options.application, options.interface_name, snap_length_));
}

Capture::~Capture() {
  (void)sink_.write(pcapng::statistics_block(clock_.now() + clock_origin_, dropped_));
}

void Capture::on_submitted(const DeviceLabel& device, const Transfer& transfer) {
  pcapng::Packet packet = describe(device, transfer);
  Bytes data;
  packet.event = pcapng::Event::submit;
  packet.time = clock_.now() + clock_origin_;
  packet.status = -EINPROGRESS;
  packet.length = static_cast<std::uint32_t>(transfer.data.size());
  packet.setup = transfer.setup;
  packet.has_data = transfer.direction() == Direction::out;
  if (packet.has_data) data = transfer.data.copy(snap_length_);
  packet.data = data;
  write(pcapng::packet_block(packet));
}

void Capture::on_completed(const DeviceLabel& device, const Transfer& transfer, const Completion& completion) {
  pcapng::Packet packet = describe(device, transfer);
  Bytes data;
  packet.event = completion.status == Status::disconnected ? pcapng::Event::error : pcapng::Event::complete;
  packet.time = clock_.now() + clock_origin_;
  packet.status = linux_status(completion.status);
  packet.length = completion.actual;
  packet.has_data = transfer.direction() == Direction::in;
  if (packet.has_data) data = transfer.data.copy(std::min(snap_length_, completion.actual));
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
