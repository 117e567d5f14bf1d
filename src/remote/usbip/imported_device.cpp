// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/imported_device.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>
#include <utility>

#include "usb/without_streams.hpp"

namespace periplex::remote::usbip {
namespace {

using usb::DescriptorType;
using usb::Direction;
using usb::EndpointAddress;
using usb::SetupPacket;
using usb::StandardRequest;
using usb::Status;
using usb::Transfer;
using usb::TransferPtr;
using usb::TransferType;

constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kToEndpoint = 0x02;
constexpr std::uint8_t kToPort = 0x23;  // class request of a hub, USB 2.0 table 11-15

constexpr std::uint16_t kPortReset = 4;     // feature selectors: USB 2.0 table 11-17
constexpr std::uint16_t kEndpointHalt = 0;  // table 9-6
constexpr std::uint16_t kDeviceRemoteWakeUp = 1;
constexpr std::uint16_t kU1Enable = 48;  // USB 3.2 table 9-7, with U2_ENABLE and LTM_ENABLE
constexpr std::uint16_t kLtmEnable = 50;

bool changes_feature(const SetupPacket& setup, std::uint8_t request_type) {
  return setup.is(StandardRequest::set_feature, request_type) || setup.is(StandardRequest::clear_feature, request_type);
}

/// What belongs to the link between a device and the controller that it is really plugged into.
bool belongs_to_link(const SetupPacket& setup) {
  return setup.is(StandardRequest::set_address, kToDevice) || setup.is(StandardRequest::set_sel, kToDevice) ||
         setup.is(StandardRequest::set_isoch_delay, kToDevice) ||
         (changes_feature(setup, kToDevice) && setup.value >= kU1Enable && setup.value <= kLtmEnable);
}

}  // namespace

ImportedDevice::ImportedDevice(const DeviceRecord& record, usb::Speed speed, ImportOptions options, Send send,
                               Scheduler& scheduler)
    : device_id_(record.device_id()),
      speed_(speed),
      options_(std::move(options)),
      send_(std::move(send)),
      scheduler_(scheduler),
      completions_(std::in_place, scheduler) {}

ImportedDevice::~ImportedDevice() {
  leave();
}

std::optional<TransferType> ImportedDevice::endpoint_type(EndpointAddress endpoint) const {
  if (endpoint.number() == 0) return TransferType::control;
  const auto descriptor = endpoints_.find(endpoint);
  if (!descriptor) return std::nullopt;
  return descriptor->type();
}

void ImportedDevice::submit(TransferPtr transfer) {
  if (left_) return finish(std::move(transfer), {Status::disconnected, 0});
  if (transfer->data.size() > kMostData || overrun()) return finish(std::move(transfer), {Status::error, 0});
  if (transfer->stream != 0) {
    if (limit_.allow(scheduler_.now())) {
      log::warning("remote", "a guest uses streams of an imported device; USB/IP cannot carry them");
    }
    return finish(std::move(transfer), {Status::error, 0});
  }
  if (transfer->setup) return submit_control(std::move(transfer));
  used_ = true;
  if (!transfer->packets.empty()) return submit_isochronous(std::move(transfer));
  if (transfer->direction() == Direction::in) return submit_inbound(std::move(transfer));
  submit_outbound(std::move(transfer));
}

void ImportedDevice::submit_control(TransferPtr transfer) {
  if (answer_here(transfer)) return;
  SetupPacket setup = *transfer->setup;
  const bool guest_bound = setup.direction() == Direction::in;
  // Linux's server ends the connection if the buffer is not as long as the request says.
  if (!guest_bound && transfer->data.size() != setup.length) return finish(std::move(transfer), {Status::stall, 0});
  before_request(setup);
  if (asks_for_configuration(setup)) {
    // Only a whole configuration can be freed of its streams: its length changes.
    setup.length = usb::is_usb3(speed_) ? kUsualConfiguration : std::min(setup.length, kUsualConfiguration);
  }
  send_control(setup, std::move(transfer));
}

/// `setup` is that of `transfer`, but perhaps for its length.
void ImportedDevice::send_control(const SetupPacket& setup, TransferPtr transfer) {
  const bool guest_bound = setup.direction() == Direction::in;
  const Direction direction = guest_bound && setup.length > 0 ? Direction::in : Direction::out;
  Submit submit = submission(EndpointAddress(), direction, setup.length);
  submit.setup = setup.encode();
  const Bytes data = guest_bound ? Bytes{} : transfer->data.copy(setup.length);
  (void)send_submit(
      submit, data, {},
      {.endpoint = {}, .guest_bound = guest_bound, .room = setup.length, .transfer = std::move(transfer)});
}

/// Requests that must not reach the device, which is the server's.
bool ImportedDevice::answer_here(TransferPtr& transfer) {
  if (!belongs_to_link(*transfer->setup)) return false;
  const auto moved = static_cast<std::uint32_t>(transfer->data.size());
  finish(std::move(transfer), {Status::ok, moved});
  return true;
}

/// Endpoints that start afresh with `setup` must have no requests of before at the far end: they would fail there.
void ImportedDevice::before_request(const SetupPacket& setup) {
  if (setup.is(StandardRequest::set_configuration, kToDevice) ||
      setup.is(StandardRequest::set_interface, kToInterface)) {
    used_ = true;
    for (auto& [endpoint, pipe] : pipes_) pipe.start_afresh();
  } else if (setup.is(StandardRequest::clear_feature, kToEndpoint) && setup.value == kEndpointHalt) {
    const auto pipe = pipes_.find(EndpointAddress(static_cast<std::uint8_t>(setup.index)));
    if (pipe != pipes_.end()) pipe->second.start_afresh();
  }
}

void ImportedDevice::after_request(const SetupPacket& setup) {
  if (setup.is(StandardRequest::set_configuration, kToDevice)) {
    endpoints_.select_configuration(static_cast<std::uint8_t>(setup.value));
    for (auto& [endpoint, pipe] : pipes_) pipe.finish_all(Status::error);
    pipes_.clear();  // their type and interval may be others now
  } else if (setup.is(StandardRequest::set_interface, kToInterface)) {
    endpoints_.select_interface(static_cast<std::uint8_t>(setup.index), static_cast<std::uint8_t>(setup.value));
  } else if (changes_feature(setup, kToDevice) && setup.value == kDeviceRemoteWakeUp) {
    wake_up_enabled_ = setup.is(StandardRequest::set_feature, kToDevice);
  }
}

void ImportedDevice::submit_isochronous(TransferPtr transfer) {
  const EndpointAddress endpoint = transfer->endpoint();
  const bool guest_bound = transfer->direction() == Direction::in;
  const auto count = static_cast<std::uint32_t>(transfer->packets.size());
  ByteWriter packets;
  std::uint32_t total = 0;
  for (const usb::IsochronousPacket& packet : transfer->packets) {
    encode(packets, PacketDescriptor{.offset = packet.offset, .length = packet.length});
    total += packet.length;
  }
  Bytes data = guest_bound ? Bytes{} : transfer->data.copy(total);
  // Linux's server takes no more packets than the buffer has room for at the endpoint's largest; usbipd-win takes no
  // buffer that is larger than the packets. Mostly both are content.
  std::uint32_t length = total;
  Submit submit = submission(endpoint, transfer->direction(), 0);
  if (const auto descriptor = endpoints_.find(endpoint)) {
    length = std::max(length, (count - 1) * usbip::interval_size(*descriptor) + 1);
  }
  length = std::min(length, kMostData);
  if (!guest_bound) data.resize(length);
  submit.flags |= kIsochronousAsap;
  submit.length = length;
  submit.packets = count;
  (void)send_submit(submit, data, packets.view(),
                    {.endpoint = endpoint,
                     .guest_bound = guest_bound,
                     .room = guest_bound ? total : length,
                     .packets = count,
                     .transfer = std::move(transfer)});
}

void ImportedDevice::submit_inbound(TransferPtr transfer) {
  InboundPipe& to = pipe(transfer->endpoint());
  to.submit(std::move(transfer));
}

void ImportedDevice::submit_outbound(TransferPtr transfer) {
  const EndpointAddress endpoint = transfer->endpoint();
  const Bytes data = transfer->data.copy(transfer->data.size());
  const auto length = static_cast<std::uint32_t>(data.size());
  (void)send_submit(submission(endpoint, Direction::out, length), data, {},
                    {.endpoint = endpoint, .room = length, .transfer = std::move(transfer)});
}

Submit ImportedDevice::submission(EndpointAddress endpoint, Direction direction, std::uint32_t length) const {
  Submit submit{.device_id = device_id_, .direction = direction, .endpoint = endpoint.number(), .length = length};
  if (direction == Direction::in) submit.flags = kDirectionIn;
  const auto descriptor = endpoints_.find(endpoint);
  const bool periodic =
      descriptor && (descriptor->type() == TransferType::interrupt || descriptor->type() == TransferType::isochronous);
  if (periodic) submit.interval = interval_of(*descriptor, speed_);
  return submit;
}

std::uint32_t ImportedDevice::send_submit(Submit submit, ByteView data, ByteView packets, Request request) {
  do {
    submit.sequence = ++sequence_;
  } while (submit.sequence == 0 || requests_.contains(submit.sequence));
  requests_.emplace(submit.sequence, std::move(request));
  ByteWriter out;
  encode(out, submit);
  out.bytes(data).bytes(packets);
  send_(out.take());
  return submit.sequence;
}

std::uint32_t ImportedDevice::ask(EndpointAddress endpoint, std::uint32_t room) {
  return send_submit(submission(endpoint, Direction::in, room), {}, {},
                     {.endpoint = endpoint, .guest_bound = true, .room = room, .of_pipe = true, .transfer = {}});
}

void ImportedDevice::withdraw(std::uint32_t number) {
  if (left_ || !requests_.contains(number)) return;
  const std::uint32_t sequence = ++sequence_;
  unlinks_.emplace(sequence, number);
  ByteWriter out;
  encode(out, Unlink{.sequence = sequence, .device_id = device_id_, .target = number});
  send_(out.take());
}

void ImportedDevice::finish(TransferPtr transfer, usb::Completion completion) {
  completions_->push(std::move(transfer), completion);
}

void ImportedDevice::on_unasked(EndpointAddress) {
  if (listens_unasked() && wake_up_) wake_up_();
}

InboundPipe& ImportedDevice::pipe(EndpointAddress endpoint) {
  const auto found = pipes_.find(endpoint);
  if (found != pipes_.end()) return found->second;
  return pipes_
      .emplace(
          std::piecewise_construct, std::forward_as_tuple(endpoint),
          std::forward_as_tuple(endpoint, reports_ahead(endpoint), static_cast<InboundPipe::Far&>(*this), scheduler_))
      .first->second;
}

std::size_t ImportedDevice::reports_ahead(EndpointAddress endpoint) const {
  const auto descriptor = endpoints_.find(endpoint);
  if (!descriptor || descriptor->type() != TransferType::interrupt) return 0;
  if (options_.reports_ahead > 0) return options_.reports_ahead;
  const Nanoseconds interval = interval_of(*descriptor, speed_) * frame_time(speed_);
  return std::clamp(static_cast<std::size_t>(kCoveredTime / interval), kFewestReportsAhead,
                    ImportOptions::kMostReportsAhead);
}

void ImportedDevice::cancel(usb::TransferId id) {
  for (auto& [endpoint, pipe] : pipes_) {
    if (pipe.cancel(id)) return;
  }
  for (auto& [number, request] : requests_) {
    if (!request.transfer || request.transfer->id() != id) continue;
    finish(std::move(request.transfer), {Status::cancelled, 0});
    return withdraw(number);
  }
}

void ImportedDevice::reset() {
  for (auto& [endpoint, pipe] : pipes_) {
    pipe.start_afresh();
    pipe.finish_all(Status::cancelled);
  }
  std::vector<std::uint32_t> waited_for;
  for (auto& [number, request] : requests_) {
    if (!request.transfer) continue;
    finish(std::move(request.transfer), {Status::cancelled, 0});
    waited_for.push_back(number);
  }
  std::ranges::sort(waited_for, std::greater());
  for (const std::uint32_t number : waited_for) withdraw(number);
  suspended_ = wake_up_enabled_ = false;
  if (std::exchange(used_, false) && !left_) send_port_reset();
}

void ImportedDevice::send_port_reset() {
  Submit submit = submission(EndpointAddress(), Direction::out, 0);
  submit.setup = SetupPacket{.request_type = kToPort,
                             .request = static_cast<std::uint8_t>(StandardRequest::set_feature),
                             .value = kPortReset}
                     .encode();
  // Whatever the answer is: a server that knows no reset leaves it to the guest's driver, as Linux's client does.
  (void)send_submit(submit, {}, {}, {.endpoint = {}, .transfer = {}});
}

void ImportedDevice::leave() {
  if (std::exchange(left_, true)) {
    completions_.emplace(scheduler_);
    return;
  }
  for (auto& [endpoint, pipe] : pipes_) pipe.finish_all(Status::disconnected);
  for (auto& [number, request] : std::exchange(requests_, {})) {
    if (request.transfer) finish(std::move(request.transfer), {Status::disconnected, 0});
  }
  pipes_.clear();
  unlinks_.clear();
  completions_.emplace(scheduler_);  // the old one completes what it still has
}

}  // namespace periplex::remote::usbip
