// SPDX-License-Identifier: Apache-2.0
#include "attachment/device_server.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "attachment/limits.hpp"
#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::attachment {
namespace {

/// More than a worker can have asked for that keeps to the limits: each of its transfers, and full windows of reports.
constexpr std::size_t kMaxWaitingMessages = kMaxTransfers + kMaxEndpoints * kReportWindow + 64;
constexpr std::size_t kMaxWaitingBytes = kMaxTransferBytesInFlight + kMaxTransferBytes + (std::size_t{16} << 20);

}  // namespace

using usb::Direction;
using usb::Status;

DeviceServer::DeviceServer(usb::Device& device, std::string unique_id, ServerHost& host, Scheduler& scheduler,
                           InstanceSource instances, const ServerOptions& options, ServerExtension* extension)
    : device_(device),
      unique_id_(std::move(unique_id)),
      host_(host),
      scheduler_(scheduler),
      options_(options),
      extension_(extension),
      hold_(scheduler.make_timer([this] {
        stream_.forget();
        on_lost();
      })),
      stream_(*this, scheduler, std::move(instances),
              kCapabilityTransfers | (extension == nullptr ? 0 : extension->capabilities())),
      requests_(device),
      reader_(requests_) {
  PERIPLEX_CHECK(!unique_id_.empty() && unique_id_.size() <= kMaxUniqueIdBytes);
  device_.set_wake_up([this] { on_wake_up(); });
  read_descriptors();
}

DeviceServer::~DeviceServer() {
  *alive_ = false;
  end_session();
  if (!gone_) device_.set_wake_up({});
}

void DeviceServer::connected() {
  if (stream_.open()) disconnected();
  stream_.connected();
}

void DeviceServer::receive(ByteView bytes) {
  stream_.receive(bytes);
}

void DeviceServer::disconnected() {
  stream_.disconnected();
  if (in_session_ && !hold_->armed()) hold_->arm(options_.hold);
}

void DeviceServer::on_begin() {
  in_session_ = true;
  hold_->cancel();
  if (extension_ != nullptr && !gone_ && (stream_.capabilities() & extension_->capabilities()) != 0) {
    extension_begun_ = true;
    extension_->begin(*this, requests_);
  }
  if (gone_) {
    post(Gone{gone_reason_}.encode());
  } else if (description_) {
    describe();
  }
  host_.worker_arrived();
}

void DeviceServer::on_resume() {
  hold_->cancel();
  on_room();
}

void DeviceServer::on_lost() {
  if (!in_session_) return;
  end_session();
  host_.worker_left();
}

void DeviceServer::on_room() {
  flush();
  if (extension_begun_ && has_room()) extension_->on_room();
}

void DeviceServer::on_failed(StreamError why) {
  fail(std::string(name(why)));
}

void DeviceServer::fail(std::string why) {
  if (std::exchange(failed_, true)) return;
  stream_.kill();
  end_session();
  reader_.stop();
  host_.server_failed(std::move(why));
}

void DeviceServer::end_session() {
  hold_->cancel();
  in_session_ = false;
  if (std::exchange(extension_begun_, false)) extension_->end();
  forget_waiting();
  for (const auto& [id, flight] : flights_ | std::views::reverse) requests_.drop(flight.id);
  flights_.clear();
  last_id_ = 0;
  bytes_in_flight_ = 0;
  resets_ = 0;
  drop_endpoints();
}

void DeviceServer::drop_endpoints() {
  reports_.clear();
  sources_.clear();
  sinks_.clear();
}

void DeviceServer::device_gone(std::string reason) {
  if (std::exchange(gone_, true)) return;
  gone_reason_ = std::move(reason);
  reader_.stop();
  requests_.device_gone();
  flights_.clear();
  drop_endpoints();
  forget_waiting();
  if (std::exchange(extension_begun_, false)) extension_->end();
  if (in_session_) post(Gone{gone_reason_}.encode());
}

void DeviceServer::read_descriptors() {
  reader_.start(device_.speed(), DescriptorReader::Extent::everything, [this](DescriptorReader::Result result) {
    if (result.failed) return fail("the device does not say what it is");
    description_ = Describe{unique_id_, device_.speed(), std::move(result.descriptors)};
    configuration_.describe(*description_);
    if (!in_session_) return;
    describe();
    if (resets_ != 0) tell_reset_done(AfterReset::described);
  });
}

void DeviceServer::describe() {
  post(description_->encode());
}

/// After a reset: is it still what it was?
void DeviceServer::check_descriptors() {
  reader_.start(device_.speed(), DescriptorReader::Extent::identity, [this](DescriptorReader::Result result) {
    if (result.failed) return tell_reset_done(AfterReset::unknown);
    const auto known = [this](const KnownDescriptor& each) {
      return std::ranges::find(description_->descriptors, each) != description_->descriptors.end();
    };
    if (std::ranges::all_of(result.descriptors, known)) return tell_reset_done(AfterReset::unchanged);
    read_descriptors();
  });
}

void DeviceServer::tell_reset_done(AfterReset descriptors) {
  if (in_session_ && resets_ != 0) post(ResetDone{.count = resets_, .descriptors = descriptors}.encode());
}

void DeviceServer::on_message(ByteView payload) {
  if (gone_) return;
  if (const Verdict verdict = handle(payload); !verdict) fail("the worker has sent " + std::string(verdict.error()));
}

Verdict DeviceServer::handle(ByteView payload) {
  if (!description_) return violation("a message before it was told what the device is");
  if (extension_begun_ && is_extension(payload.front())) return extension_->on_message(payload);
  const auto type = static_cast<MessageType>(payload.front());
  const ByteView body = payload.subspan(1);
  switch (type) {
    case MessageType::submit:
      return on_submit(body);
    case MessageType::cancel:
      return on_cancel(body);
    case MessageType::reset:
      return on_reset(body);
    case MessageType::suspend:
      suspended_ = true;
      told_wake_up_ = false;
      device_.suspend();
      return {};
    case MessageType::resume:
      suspended_ = false;
      device_.resume();
      return {};
    default:
      return handle_endpoint(type, body);
  }
}

Verdict DeviceServer::handle_endpoint(MessageType type, ByteView body) {
  switch (type) {
    case MessageType::endpoint_opened: {
      const auto message = EndpointOpened::parse(body);
      if (!message) return violation("a broken ENDPOINT_OPENED");
      device_.endpoint_opened(message->endpoint);
      return {};
    }
    case MessageType::poll:
      return on_poll(body);
    case MessageType::stop_polling:
      return on_stop_polling(body);
    case MessageType::isochronous_out:
      return on_isochronous_out(body);
    default:
      return violation("a message of a kind that a worker does not send");
  }
}

Verdict DeviceServer::on_submit(ByteView body) {
  const auto message = Submit::parse(body);
  if (!message) return violation("a broken SUBMIT");
  if (message->id <= last_id_) return violation("a transfer whose id is not new");
  const bool too_much = flights_.size() >= kMaxTransfers || bytes_in_flight_ > kMaxTransferBytesInFlight;
  if (too_much) return violation("more transfers than it may");
  last_id_ = message->id;
  ++counters_.transfers;
  if (message->setup) prepare_endpoints(*message->setup);
  const bool guest_bound = message->direction == Direction::in;
  auto data = guest_bound ? usb::TransferData::room(message->length)
                          : usb::TransferData::owned(Bytes(message->data.begin(), message->data.end()));
  bytes_in_flight_ += message->length;
  Flight& flight = flights_[message->id];
  flight.length = message->length;
  flight.id = requests_.submit({.endpoint = message->endpoint,
                                .direction = message->direction,
                                .data = std::move(data),
                                .setup = message->setup,
                                .stream = message->stream},
                               [this, id = message->id](const usb::Transfer& transfer, usb::Completion completion) {
                                 on_result(id, transfer, completion);
                               });
  return {};
}

/// The worker has told which endpoints it polls are to stop; the packets that it has sent ahead end here.
void DeviceServer::prepare_endpoints(const usb::SetupPacket& setup) {
  if (setup.is(usb::StandardRequest::set_configuration, 0x00)) sinks_.clear();
  if (!setup.is(usb::StandardRequest::set_interface, 0x01)) return;
  std::erase_if(sinks_, [&](const auto& sink) {
    const Configuration::Endpoint* const endpoint = configuration_.find(sink.first);
    return endpoint == nullptr || endpoint->interface == setup.index;
  });
}

void DeviceServer::on_result(std::uint64_t id, const usb::Transfer& transfer, usb::Completion completion) {
  const auto flight = flights_.find(id);
  if (flight == flights_.end()) return;
  const std::uint32_t actual = std::min(completion.actual, flight->second.length);
  bytes_in_flight_ -= flight->second.length;
  flights_.erase(flight);
  if (transfer.setup && completion.status == Status::ok) note_result(*transfer.setup);
  const bool guest_bound = transfer.direction() == Direction::in;
  post(encode(Complete{.id = id, .status = completion.status, .actual = actual, .data = {}},
              guest_bound ? &transfer.data : nullptr));
}

void DeviceServer::note_result(const usb::SetupPacket& setup) {
  if (setup.is(usb::StandardRequest::set_configuration, 0x00)) {
    configuration_.set_configuration(static_cast<std::uint8_t>(setup.value));
  } else if (setup.is(usb::StandardRequest::set_interface, 0x01)) {
    configuration_.set_interface(static_cast<std::uint8_t>(setup.index), static_cast<std::uint8_t>(setup.value));
  }
}

Verdict DeviceServer::on_cancel(ByteView body) {
  const auto message = Cancel::parse(body);
  if (!message) return violation("a broken CANCEL");
  if (message->id > last_id_) return violation("a cancellation of a transfer that was never sent");
  // It may have ended meanwhile.
  if (const auto flight = flights_.find(message->id); flight != flights_.end()) requests_.cancel(flight->second.id);
  return {};
}

Verdict DeviceServer::on_reset(ByteView body) {
  const auto message = Reset::parse(body);
  if (!message) return violation("a broken RESET");
  if (message->count <= resets_) return violation("a reset that it had asked for before");
  resets_ = message->count;
  drop_endpoints();
  suspended_ = false;
  configuration_.reset();
  device_.reset();
  check_descriptors();
  return {};
}

Verdict DeviceServer::on_poll(ByteView body) {
  const auto message = Poll::parse(body);
  if (!message) return violation("a broken POLL");
  const usb::EndpointAddress endpoint = message->endpoint;
  if (message->type == usb::TransferType::interrupt) {
    auto& source = reports_[endpoint];
    if (!source) {
      source = std::make_unique<ReportSource>(endpoint, requests_, counters_,
                                              [this](const Report& report) { post(report.encode()); });
    }
    source->poll(*message);
  } else {
    auto& source = sources_[endpoint];
    if (!source) {
      source = std::make_unique<IsochronousSource>(endpoint, requests_, scheduler_,
                                                   [this](const IsochronousIn& packets) { push(packets); });
    }
    source->poll(*message);
  }
  return {};
}

Verdict DeviceServer::on_stop_polling(ByteView body) {
  const auto message = StopPolling::parse(body);
  if (!message) return violation("a broken STOP_POLLING");
  if (const auto source = reports_.find(message->endpoint); source != reports_.end()) source->second->stop();
  if (const auto source = sources_.find(message->endpoint); source != sources_.end()) source->second->stop();
  return {};
}

Verdict DeviceServer::on_isochronous_out(ByteView body) {
  const auto message = IsochronousOut::parse(body);
  if (!message) return violation("a broken ISOCHRONOUS_OUT");
  auto& sink = sinks_[message->endpoint];
  if (!sink) sink = std::make_unique<IsochronousSink>(message->endpoint, requests_, scheduler_, counters_);
  sink->on_packets(*message);
  return {};
}

/// Packets of a stream are of no use later: those that cannot go now are lost.
void DeviceServer::push(const IsochronousIn& message) {
  const bool goes = stream_.open() && has_room();
  (goes ? counters_.packets_in : counters_.packets_in_dropped) += message.packets.size();
  if (goes) post(message.encode());
}

void DeviceServer::on_wake_up() {
  if (!in_session_ || !suspended_ || std::exchange(told_wake_up_, true)) return;
  post(encode_plain(MessageType::wake_up));
}

void DeviceServer::post(Bytes message) {
  waiting_bytes_ += message.size();
  waiting_.push_back(std::move(message));
  flush();
  if (waiting_.size() <= kMaxWaitingMessages && waiting_bytes_ <= kMaxWaitingBytes) return;
  // We are inside what would end with the session.
  scheduler_.defer([this, alive = alive_] {
    if (*alive) fail("the worker does not take what it has asked for");
  });
  forget_waiting();
}

void DeviceServer::flush() {
  while (!waiting_.empty() && stream_.has_room()) {
    Bytes message = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= message.size();
    stream_.send(std::move(message));
  }
}

void DeviceServer::forget_waiting() {
  waiting_.clear();
  waiting_bytes_ = 0;
}

}  // namespace periplex::attachment
