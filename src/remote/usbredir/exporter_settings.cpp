// SPDX-License-Identifier: Apache-2.0
// The requests of a usb-guest that change how the device is set up.
#include <algorithm>
#include <utility>

#include "remote/usbredir/exporter.hpp"
#include "remote/usbredir/isochronous_clock.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::Completion;
using usb::StandardRequest;
using usb::Status;
using usb::Transfer;

constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kFromInterface = 0x81;
constexpr std::uint16_t kAddress = 1;

usb::SetupPacket standard(std::uint8_t type, StandardRequest request, std::uint16_t value, std::uint16_t index = 0,
                          std::uint16_t length = 0) {
  return {.request_type = type,
          .request = static_cast<std::uint8_t>(request),
          .value = value,
          .index = index,
          .length = length};
}

/// The one byte of an answer; 0 where there is none.
std::uint8_t byte_of(const Transfer& transfer, Completion completion) {
  const Bytes data = transfer.data.copy(std::min<std::size_t>(completion.actual, 1));
  return data.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(data.front());
}

}  // namespace

/// A reset ends what is under way; the device has to be told its address again, as a host does, before the usb-guest's
/// next request.
void Exporter::on(MessageId, const Reset&) {
  if (!introduced_) return;
  stop_pumps(std::nullopt, true);
  alternates_.clear();
  submitter_->device().reset();
  submitter_->control(standard(kToDevice, StandardRequest::set_address, kAddress), {}, [](Transfer&, Completion) {});
}

void Exporter::on(MessageId id, const SetConfiguration& message) {
  if (!introduced_ || !has_room(0)) return send(id, ConfigurationStatus{Result::io_error, 0});
  stop_pumps(std::nullopt, false);
  const std::uint8_t value = message.configuration;
  submitter_->control(standard(kToDevice, StandardRequest::set_configuration, value), {},
                      [this, id, value](Transfer&, Completion completion) {
                        if (completion.status == Status::ok) {
                          configuration_ = facts_->find(value);
                          alternates_.clear();
                          send_tables();
                        }
                        send(id, ConfigurationStatus{result_of(completion.status), value});
                      });
}

void Exporter::on(MessageId id, const GetConfiguration&) {
  if (!introduced_ || !has_room(1)) return send(id, ConfigurationStatus{Result::io_error, 0});
  submitter_->control(standard(kFromDevice, StandardRequest::get_configuration, 0, 0, 1), {},
                      [this, id](const Transfer& transfer, Completion completion) {
                        send(id, ConfigurationStatus{result_of(completion.status), byte_of(transfer, completion)});
                      });
}

void Exporter::on(MessageId id, const SetAlternate& message) {
  const std::uint8_t interface = message.interface;
  const std::uint8_t alternate = message.alternate;
  if (!introduced_ || !has_room(0)) return send(id, AlternateStatus{Result::io_error, interface, alternate});
  stop_pumps(interface, false);
  submitter_->control(standard(kToInterface, StandardRequest::set_interface, alternate, interface), {},
                      [this, id, interface, alternate](Transfer&, Completion completion) {
                        if (completion.status == Status::ok) {
                          alternates_[interface] = alternate;
                          send_tables();
                        }
                        send(id, AlternateStatus{result_of(completion.status), interface, alternate});
                      });
}

void Exporter::on(MessageId id, const GetAlternate& message) {
  const std::uint8_t interface = message.interface;
  if (!introduced_ || !has_room(1)) return send(id, AlternateStatus{Result::io_error, interface, 0});
  submitter_->control(standard(kFromInterface, StandardRequest::get_interface, 0, interface, 1), {},
                      [this, id, interface](const Transfer& transfer, Completion completion) {
                        send(id,
                             AlternateStatus{result_of(completion.status), interface, byte_of(transfer, completion)});
                      });
}

/// "usb-hosts are not allowed to return less streams then requested". Devices behind the contract take the stream with
/// each transfer: there is nothing to allocate.
void Exporter::on(MessageId id, const AllocateStreams& message) {
  bool fits = introduced_ && message.count > 0;
  for (std::size_t i = 0; i < kEndpoints; ++i) {
    if ((message.endpoints >> i & 1) != 0) fits = fits && endpoints_.entries[i].max_streams >= message.count;
  }
  send(id, StreamsStatus{message.endpoints, message.count, fits ? Result::success : Result::invalid});
}

void Exporter::on(MessageId id, const FreeStreams& message) {
  send(id, StreamsStatus{message.endpoints, 0, Result::success});
}

void Exporter::on(MessageId id, const StartPump& message) {
  PumpStatus status{.kind = message.kind, .endpoint = message.endpoint, .stream = message.stream};
  std::erase_if(pumps_, [](const auto& each) { return each.second->ended(); });
  if (pumps_.contains(message.endpoint)) {
    status.result = Result::invalid;
    return send(id, status);
  }
  std::unique_ptr<ExportPump> pump = make_pump(message);
  status.result = pump ? Result::success : Result::stall;
  send(id, status);
  if (!pump) return;
  pump->start();
  pumps_.emplace(message.endpoint, std::move(pump));
}

void Exporter::on(MessageId id, const StopPump& message) {
  pumps_.erase(message.endpoint);
  send(id, PumpStatus{.kind = message.kind, .endpoint = message.endpoint, .stream = message.stream});
}

void Exporter::stop_pumps(std::optional<std::uint8_t> interface, bool tell) {
  for (const auto& [endpoint, pump] : pumps_) {
    if (!tell || pump->ended()) continue;
    send(0, PumpStatus{.kind = pump->settings().kind,
                       .endpoint = endpoint,
                       .result = Result::stall,
                       .stream = pump->settings().stream});
  }
  std::erase_if(pumps_, [&](const auto& each) { return !interface || entry(each.first).interface == *interface; });
}

/// Null: what is asked for is not possible.
std::unique_ptr<ExportPump> Exporter::make_pump(const StartPump& message) {
  const EndpointInfo::Entry& endpoint = entry(message.endpoint);
  const bool guest_bound = message.endpoint.direction() == usb::Direction::in;
  if (!introduced_ || endpoint.max_packet_size == 0) return nullptr;
  PumpHost& host = *this;
  switch (message.kind) {
    case PumpKind::interrupt:
      if (!endpoint.is(usb::TransferType::interrupt) || !guest_bound) return nullptr;
      return std::make_unique<ReceivingPump>(message, endpoint.max_packet_size, host, *submitter_);
    case PumpKind::bulk: {
      const std::uint32_t bytes = message.bytes_per_transfer;
      const bool fits = bytes > 0 && bytes <= ReceivingPump::kMaxBulkBytes && bytes % endpoint.max_packet_size == 0 &&
                        message.urbs > 0 && message.urbs <= kMaxUrbs && message.stream == 0;
      if (!endpoint.is(usb::TransferType::bulk) || !guest_bound || !fits) return nullptr;
      return std::make_unique<ReceivingPump>(message, bytes, host, *submitter_);
    }
    case PumpKind::isochronous:
      break;
  }
  const bool fits = message.packets_per_urb > 0 && message.packets_per_urb <= kMaxPacketsPerUrb && message.urbs > 0 &&
                    message.urbs <= kMaxUrbs;
  if (!endpoint.is(usb::TransferType::isochronous) || !fits) return nullptr;
  const Nanoseconds interval = service_interval(submitter_->device().speed(), endpoint.interval);
  if (guest_bound) {
    return std::make_unique<CapturePump>(message, endpoint.max_packet_size, interval, host, *submitter_, scheduler_);
  }
  return std::make_unique<PlaybackPump>(message, endpoint.max_packet_size, interval, host, *submitter_, scheduler_);
}

}  // namespace periplex::remote::usbredir
