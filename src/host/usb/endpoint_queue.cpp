// SPDX-License-Identifier: Apache-2.0
#include "host/usb/endpoint_queue.hpp"

#include <algorithm>
#include <numeric>

#include "host/usb/urb_status.hpp"

namespace periplex::host {

using usb::Status;
using usb::TransferType;

EndpointQueue::~EndpointQueue() {
  memory_.forget(*this);
  for (Job& job : jobs_) {
    if (job.in_flight > 0) memory_.give(job.bytes_in_flight);
    completions_.push(std::move(job.transfer), {Status::disconnected, static_cast<std::uint32_t>(job.moved)});
  }
}

void EndpointQueue::add(usb::TransferPtr transfer, TransferType type) {
  Job job{.transfer = std::move(transfer), .type = type};
  const auto& packets = job.transfer->packets;
  job.size = type != TransferType::isochronous
                 ? job.transfer->data.size()
                 : std::accumulate(packets.begin(), packets.end(), std::size_t{0},
                                   [](std::size_t sum, const auto& packet) { return sum + packet.length; });
  // More than there is room for, or than anybody asks for at once: a mistake of whoever submitted it.
  if (job.size > job.transfer->data.size() || packets.size() > kMostPackets) job.result = Status::error;
  jobs_.push_back(std::move(job));
  pump();
}

bool EndpointQueue::cancel(usb::TransferId id) {
  const auto job = std::ranges::find_if(jobs_, [id](const Job& each) { return each.transfer->id() == id; });
  if (job == jobs_.end()) return false;
  job->cancelled = true;
  if (job->in_flight > 0) connection_.cancel(&*job);
  pump();
  return true;
}

void EndpointQueue::cancel_all() {
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job) {
    job->cancelled = true;
    if (job->in_flight > 0) connection_.cancel(&*job);
  }
  settle();
}

void EndpointQueue::fail_waiting(Status status) {
  for (Job& job : jobs_) {
    if (job.in_flight == 0 && !job.result) job.result = status;
  }
  settle();
}

void EndpointQueue::pump() {
  pump_again_ = true;
  if (pumping_) return;
  pumping_ = true;
  while (std::exchange(pump_again_, false)) submit_waiting();
  pumping_ = false;
  settle();
}

void EndpointQueue::submit_waiting() {
  for (Job& job : jobs_) {
    while (job.wants_more()) {
      // What follows a short packet would take the answer to the next transfer.
      if (address_.direction() == usb::Direction::in && job.in_flight > 0) return;
      if (connection_.calling() || !submit_piece(job)) return;
    }
  }
}

/// False if it has to wait.
bool EndpointQueue::submit_piece(Job& job) {
  const bool whole = job.type == TransferType::isochronous;
  const std::size_t size = whole ? job.size : std::min(piece_, job.size - job.submitted);
  if (!memory_.take(size)) {
    memory_.wait(*this);
    return false;
  }
  const int error = connection_.submit(make_urb(job, size));
  if (error != 0) return on_refused(job, size, error);
  job.started = true;
  job.submitted += size;
  job.bytes_in_flight += size;
  ++job.in_flight;
  return true;
}

/// False if it has to wait. The memory comes back last: others may get it at once.
bool EndpointQueue::on_refused(Job& job, std::size_t size, int error) {
  bool go_on = true;
  if (error == LIBUSB_ERROR_NO_MEM && memory_.in_use() > size) {
    memory_.wait(*this);
    go_on = false;
  } else if (error == LIBUSB_ERROR_NO_MEM && job.type != TransferType::isochronous && size > kSmallestPiece) {
    piece_ = std::max(kSmallestPiece, size / 2);
  } else {
    job.result = error == LIBUSB_ERROR_NO_DEVICE ? Status::disconnected : Status::error;
    if (job.in_flight > 0) connection_.cancel(&job);
  }
  const bool gone = error == LIBUSB_ERROR_NO_DEVICE;
  memory_.give(size);
  if (gone) gone_.on_device_gone();
  return go_on;
}

std::unique_ptr<Urb> EndpointQueue::make_urb(Job& job, std::size_t size) {
  const auto& packets = job.transfer->packets;
  const bool isochronous = job.type == TransferType::isochronous;
  UrbOwner& owner = *this;
  auto urb = std::make_unique<Urb>(owner, &job, size, isochronous ? static_cast<int>(packets.size()) : 0);
  libusb_transfer& transfer = urb->transfer();
  transfer.endpoint = address_.value;
  urb->offset = job.submitted;
  const bool out = address_.direction() == usb::Direction::out;
  if (isochronous) {
    transfer.type = LIBUSB_TRANSFER_TYPE_ISOCHRONOUS;
    std::size_t at = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      transfer.iso_packet_desc[i].length = packets[i].length;
      if (out) (void)job.transfer->data.read(packets[i].offset, urb->data().subspan(at, packets[i].length));
      at += packets[i].length;
    }
    return urb;
  }
  if (job.type == TransferType::interrupt) {
    transfer.type = LIBUSB_TRANSFER_TYPE_INTERRUPT;
  } else if (stream_ != 0) {
    transfer.type = LIBUSB_TRANSFER_TYPE_BULK_STREAM;
    libusb_transfer_set_stream_id(&transfer, stream_);
  } else {
    transfer.type = LIBUSB_TRANSFER_TYPE_BULK;
  }
  if (out) (void)job.transfer->data.read(job.submitted, urb->data());
  return urb;
}

void EndpointQueue::on_urb(Urb& urb) {
  Job& job = *static_cast<Job*>(urb.job());
  --job.in_flight;
  job.bytes_in_flight -= urb.data().size();
  if (job.type == TransferType::isochronous) {
    take_packets(job, urb);
  } else {
    take_result(job, urb);
  }
  if (job.result && job.in_flight > 0) connection_.cancel(&job);
  const bool gone = urb.transfer().status == LIBUSB_TRANSFER_NO_DEVICE;
  memory_.give(urb.data().size());
  if (gone) gone_.on_device_gone();
  pump();
}

void EndpointQueue::take_result(Job& job, Urb& urb) {
  const std::size_t actual =
      std::min(urb.data().size(), static_cast<std::size_t>(std::max(0, urb.transfer().actual_length)));
  if (address_.direction() == usb::Direction::in) job.transfer->data.write(urb.offset, urb.data().first(actual));
  job.moved += actual;
  const Status status = status_of(urb.transfer().status);
  // The first bad end is the transfer's; pieces that were cancelled because of it say nothing more.
  if (!job.result && (status != Status::ok || actual < urb.data().size())) job.result = status;
}

void EndpointQueue::take_packets(Job& job, Urb& urb) {
  const libusb_transfer& transfer = urb.transfer();
  const bool in = address_.direction() == usb::Direction::in;
  std::size_t at = 0;
  for (std::size_t i = 0; i < job.transfer->packets.size(); ++i) {
    usb::IsochronousPacket& packet = job.transfer->packets[i];
    const libusb_iso_packet_descriptor& result = transfer.iso_packet_desc[i];
    packet.status = status_of(result.status);
    // Host controllers do not agree on what they report of packets that were sent.
    packet.actual = in ? std::min(result.actual_length, packet.length) : packet.length;
    if (packet.status != Status::ok && !in) packet.actual = 0;
    if (in) job.transfer->data.write(packet.offset, urb.data().subspan(at, packet.actual));
    at += packet.length;
    job.moved += packet.actual;
  }
  job.result = status_of(transfer.status);
}

/// Hands back what is done, in order; only what was cancelled does not wait for those before it.
void EndpointQueue::settle() {
  if (pumping_) return;  // which does so at its end
  bool all_done = true;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const bool done = job->done();
    if (done && (all_done || job->cancelled)) {
      completions_.push(std::move(job->transfer), {job->status(), static_cast<std::uint32_t>(job->moved)});
      job = jobs_.erase(job);
      continue;
    }
    all_done = all_done && done;
    ++job;
  }
}

}  // namespace periplex::host
