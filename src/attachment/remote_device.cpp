// SPDX-License-Identifier: Apache-2.0
#include "attachment/remote_device.hpp"

#include <algorithm>
#include <utility>

#include "attachment/limits.hpp"
#include "base/trace.hpp"

namespace periplex::attachment {
namespace {

using usb::Direction;
using usb::EndpointAddress;
using usb::StandardRequest;
using usb::Status;
using usb::TransferType;

constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kToEndpoint = 0x02;

/// Whether it is a transfer at all that a message can carry.
bool well_formed(const usb::Transfer& transfer) {
  if (transfer.data.size() > kMaxTransferBytes) return false;
  const bool control = transfer.endpoint().number() == 0;
  if (control != transfer.setup.has_value()) return false;
  if (!control) return transfer.endpoint().direction() == transfer.direction();
  return transfer.endpoint() == EndpointAddress() &&
         (transfer.data.size() == 0 || transfer.direction() == transfer.setup->direction());
}

bool packets_fit(const usb::Transfer& transfer) {
  const std::size_t size = transfer.data.size();
  if (transfer.packets.size() > kMaxIsochronousPackets) return false;
  std::size_t total = 0;
  for (const usb::IsochronousPacket& packet : transfer.packets) {
    if (packet.offset > size || packet.length > size - packet.offset) return false;
    if (packet.length > kMaxIsochronousPacketBytes) return false;
    total += packet.length;
  }
  return total <= size;
}

}  // namespace

RemoteDevice::RemoteDevice(const Describe& description, MessageStream& stream, Scheduler& scheduler,
                           PeripheralCounters& counters, const Options& options, std::function<void()> on_overrun)
    : speed_(description.speed),
      stream_(stream),
      scheduler_(scheduler),
      counters_(counters),
      overrun_(std::move(on_overrun)),
      completions_(scheduler),
      transfers_(*this, stream, completions_, scheduler, counters, options.control_patience) {
  descriptors_.describe(description);
  configuration_.describe(description);
}

RemoteDevice::~RemoteDevice() {
  *alive_ = false;
}

std::optional<TransferType> RemoteDevice::endpoint_type(EndpointAddress endpoint) const {
  if (endpoint.number() == 0) return TransferType::control;
  const Configuration::Endpoint* const found = configuration_.find(endpoint);
  if (found == nullptr) return std::nullopt;
  return found->type;
}

void RemoteDevice::submit(usb::TransferPtr transfer) {
  if (!well_formed(*transfer)) return finish(std::move(transfer), Status::error);
  const EndpointAddress endpoint = transfer->endpoint();
  if (endpoint.number() == 0) return submit_control(std::move(transfer));
  const Configuration::Endpoint* const found = configuration_.find(endpoint);
  // A device does not answer at an endpoint it has not; to the host that is a transaction error.
  if (found == nullptr || found->type == TransferType::control) return finish(std::move(transfer), Status::error);
  const bool guest_bound = endpoint.direction() == Direction::in;
  if (found->type == TransferType::isochronous) {
    if (!packets_fit(*transfer)) return finish(std::move(transfer), Status::error);
    if (guest_bound) return playout(endpoint, *found).submit(std::move(transfer));
    return submit_isochronous_out(std::move(transfer), found->interval);
  }
  const bool reported = guest_bound && found->type == TransferType::interrupt && found->packet_bytes != 0;
  if (reported) return reports(endpoint, *found).submit(std::move(transfer));
  transfers_.submit(std::move(transfer), found->type);
}

void RemoteDevice::submit_control(usb::TransferPtr transfer) {
  if (answer_here(transfer)) return;
  prepare_endpoints(*transfer->setup);
  transfers_.submit(std::move(transfer), TransferType::control);
}

/// Takes `transfer` if it need not go to the agent.
bool RemoteDevice::answer_here(usb::TransferPtr& transfer) {
  const usb::SetupPacket& setup = *transfer->setup;
  if (setup.is(StandardRequest::set_address, kToDevice)) {
    ++counters_.answered_here;
    finish(std::move(transfer), Status::ok);
    return true;
  }
  // Not before the agent has looked whether the reset changed them, and not before an earlier request has its answer.
  if (resets_ != confirmed_resets_ || transfers_.control_pending() != 0) return false;
  const auto known = descriptors_.find(setup);
  if (!known) return false;
  ++counters_.answered_here;
  if (!*known) {
    finish(std::move(transfer), Status::stall);
    return true;
  }
  const ByteView asked = (*known)->first(std::min<std::size_t>((*known)->size(), setup.length));
  const auto moved = static_cast<std::uint32_t>(transfer->data.write(0, asked));
  finish(std::move(transfer), Status::ok, moved);
  return true;
}

/// What streams must end before the device gets a request that changes its endpoints.
void RemoteDevice::prepare_endpoints(const usb::SetupPacket& setup) {
  if (setup.is(StandardRequest::set_configuration, kToDevice)) flush_endpoints(std::nullopt, Status::error);
  if (setup.is(StandardRequest::set_interface, kToInterface)) {
    flush_endpoints(static_cast<std::uint8_t>(setup.index), Status::error);
  }
  if (!setup.is(StandardRequest::clear_feature, kToEndpoint)) return;
  const auto queue = reports_.find(EndpointAddress(static_cast<std::uint8_t>(setup.index)));
  if (queue != reports_.end()) queue->second->pause();
}

void RemoteDevice::flush_endpoints(std::optional<std::uint8_t> interface, Status status) {
  const auto concerned = [&](EndpointAddress endpoint) {
    const Configuration::Endpoint* const found = configuration_.find(endpoint);
    return !interface || found == nullptr || found->interface == *interface;
  };
  for (auto& [endpoint, queue] : reports_) {
    if (concerned(endpoint)) queue->flush(status);
  }
  for (auto& [endpoint, buffer] : playouts_) {
    if (concerned(endpoint)) buffer->flush();
  }
}

void RemoteDevice::submit_isochronous_out(usb::TransferPtr transfer, Microseconds interval) {
  // Real-time data is of no use later: where it cannot go at once it is lost.
  const bool goes = stream_.open() && stream_.has_room();
  if (goes && !transfer->packets.empty()) transfers_.post(packets_of(*transfer, interval));
  (goes ? counters_.packets_out : counters_.packets_out_dropped) += transfer->packets.size();
  std::uint32_t total = 0;
  for (usb::IsochronousPacket& packet : transfer->packets) {
    packet.actual = packet.length;
    packet.status = Status::ok;
    total += packet.actual;
  }
  finish(std::move(transfer), Status::ok, total);
}

Bytes RemoteDevice::packets_of(const usb::Transfer& transfer, Microseconds interval) const {
  const Bytes data = transfer.data.copy(transfer.data.size());
  IsochronousOut message{.endpoint = transfer.endpoint(), .interval = interval};
  for (const usb::IsochronousPacket& packet : transfer.packets) {
    message.packets.push_back(ByteView(data).subspan(packet.offset, packet.length));
  }
  return message.encode();
}

ReportQueue& RemoteDevice::reports(EndpointAddress endpoint, const Configuration::Endpoint& properties) {
  auto& queue = reports_[endpoint];
  if (!queue) {
    queue = std::make_unique<ReportQueue>(endpoint, properties, transfers_, completions_, scheduler_, counters_);
  }
  queue->configure(properties);
  return *queue;
}

PlayoutBuffer& RemoteDevice::playout(EndpointAddress endpoint, const Configuration::Endpoint& properties) {
  auto& buffer = playouts_[endpoint];
  if (!buffer) {
    buffer = std::make_unique<PlayoutBuffer>(endpoint, properties, transfers_, completions_, scheduler_, counters_);
  }
  buffer->configure(properties);
  return *buffer;
}

void RemoteDevice::cancel(usb::TransferId id) {
  for (auto& [endpoint, queue] : reports_) {
    if (queue->cancel(id)) return;
  }
  transfers_.cancel(id);
}

void RemoteDevice::reset() {
  transfers_.reset();
  flush_endpoints(std::nullopt, Status::cancelled);
  configuration_.reset();
  transfers_.post(Reset{++resets_}.encode());
}

void RemoteDevice::endpoint_opened(EndpointAddress endpoint) {
  transfers_.post(EndpointOpened{endpoint}.encode());
}

void RemoteDevice::suspend() {
  transfers_.post(encode_plain(MessageType::suspend));
}

void RemoteDevice::resume() {
  transfers_.post(encode_plain(MessageType::resume));
}

Verdict RemoteDevice::on_message(MessageType type, ByteView body) {
  switch (type) {
    case MessageType::complete:
      return transfers_.on_complete(body);
    case MessageType::report:
      return on_report(body);
    case MessageType::isochronous_in:
      return on_isochronous_in(body);
    case MessageType::reset_done:
      return on_reset_done(body);
    case MessageType::wake_up:
      wake_up_guest();
      return {};
    default:
      return violation("a message of a kind that an agent does not send");
  }
}

Verdict RemoteDevice::describe(const Describe& description) {
  if (description.speed != speed_) return violation("another speed while the device is plugged in");
  descriptors_.describe(description);
  configuration_.describe(description);
  return {};
}

Verdict RemoteDevice::on_report(ByteView body) {
  const auto report = Report::parse(body);
  if (!report) return violation("a broken REPORT");
  const auto queue = reports_.find(report->endpoint);
  if (queue == reports_.end()) return violation("a report from an endpoint that is not polled");
  return queue->second->on_report(*report);
}

Verdict RemoteDevice::on_isochronous_in(ByteView body) {
  const auto message = IsochronousIn::parse(body);
  if (!message) return violation("a broken ISOCHRONOUS_IN");
  const auto buffer = playouts_.find(message->endpoint);
  if (buffer == playouts_.end()) return violation("packets from an endpoint that does not stream");
  return buffer->second->on_packets(*message);
}

Verdict RemoteDevice::on_reset_done(ByteView body) {
  const auto message = ResetDone::parse(body);
  if (!message) return violation("a broken RESET_DONE");
  if (message->count > resets_ || message->count <= confirmed_resets_)
    return violation("a reset that was not asked for");
  confirmed_resets_ = message->count;
  if (message->descriptors == AfterReset::unknown) descriptors_.forget();
  return {};
}

void RemoteDevice::wake_up_guest() {
  scheduler_.defer([this, alive = alive_] {
    if (*alive && wake_up_) wake_up_();
  });
}

void RemoteDevice::on_control_result(const usb::SetupPacket& setup, Status status) {
  if (setup.is(StandardRequest::clear_feature, kToEndpoint)) {
    const auto queue = reports_.find(EndpointAddress(static_cast<std::uint8_t>(setup.index)));
    if (queue != reports_.end()) queue->second->restart();
  }
  if (status != Status::ok) return;
  if (setup.is(StandardRequest::set_configuration, kToDevice)) {
    configuration_.set_configuration(static_cast<std::uint8_t>(setup.value));
  } else if (setup.is(StandardRequest::set_interface, kToInterface)) {
    configuration_.set_interface(static_cast<std::uint8_t>(setup.index), static_cast<std::uint8_t>(setup.value));
  }
}

void RemoteDevice::on_overrun() {
  if (std::exchange(overran_, true)) return;
  scheduler_.defer([this, alive = alive_] {
    if (!*alive) return;
    const std::function<void()> overrun = overrun_;  // it ends this object
    overrun();
  });
}

/// The guest gets it back from the loop.
void RemoteDevice::finish(usb::TransferPtr transfer, Status status, std::uint32_t actual) {
  completions_.push(std::move(transfer), {status, actual});
}

}  // namespace periplex::attachment
