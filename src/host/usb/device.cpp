// SPDX-License-Identifier: Apache-2.0
#include "host/usb/device.hpp"

#include <algorithm>

#include "host/usb/urb_status.hpp"

namespace periplex::host {

using usb::Completion;
using usb::EndpointAddress;
using usb::SetupPacket;
using usb::StandardRequest;
using usb::Status;

namespace {

constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kToEndpoint = 0x02;

/// Feature selectors (USB 2.0 table 9-6, USB 3.2 table 9-8).
constexpr std::uint16_t kEndpointHalt = 0;
constexpr std::uint16_t kTestMode = 2;
constexpr std::uint16_t kU1Enable = 48;
constexpr std::uint16_t kU2Enable = 49;
constexpr std::uint16_t kLtmEnable = 50;

bool is_link_feature(const SetupPacket& setup) {
  const bool feature =
      setup.is(StandardRequest::set_feature, kToDevice) || setup.is(StandardRequest::clear_feature, kToDevice);
  return feature && (setup.value == kU1Enable || setup.value == kU2Enable || setup.value == kLtmEnable);
}

/// Only asks: a reset would not undo anything of it.
bool only_asks(const SetupPacket& setup) {
  return setup.type() == usb::RequestType::standard && setup.direction() == usb::Direction::in;
}

}  // namespace

UsbDevice::UsbDevice(const UsbDescription& description, std::shared_ptr<UsbConnection> connection,
                     std::shared_ptr<InterfaceClaims> claims, UsbfsMemory& memory, Scheduler& scheduler)
    : speed_(description.speed),
      scheduler_(scheduler),
      memory_(memory),
      connection_(std::move(connection)),
      claims_(std::move(claims)),
      interfaces_(description.descriptors, description.active_configuration),
      alive_(std::make_shared<bool>(true)),
      completions_(scheduler),
      control_(*this, *connection_, completions_, *this) {
  connection_->set_on_idle([this] { pump(); });
}

UsbDevice::~UsbDevice() {
  connection_->abandon([claims = claims_](UsbHandle& handle) {
    claims->give_back(handle);
    return 0;
  });
}

std::optional<usb::TransferType> UsbDevice::endpoint_type(EndpointAddress endpoint) const {
  if (endpoint.number() == 0) return usb::TransferType::control;
  if (configuration_ == 0) return std::nullopt;
  const auto found = interfaces_.find(endpoint);
  return found ? std::optional(found->type) : std::nullopt;
}

void UsbDevice::submit(usb::TransferPtr transfer) {
  if (gone_) return completions_.push(std::move(transfer), {Status::disconnected, 0});
  if (transfer->endpoint().number() == 0) return control_.add(std::move(transfer));
  submit_data(std::move(transfer));
}

void UsbDevice::submit_data(usb::TransferPtr transfer) {
  const auto endpoint = configuration_ == 0 ? std::nullopt : interfaces_.find(transfer->endpoint());
  // Nothing answers there.
  if (!endpoint || endpoint->type == usb::TransferType::control || !prepare_stream(*endpoint, transfer->stream)) {
    return completions_.push(std::move(transfer), {Status::error, 0});
  }
  touched_ = true;
  EndpointQueue& target = queue(transfer->endpoint(), transfer->stream);
  target.add(std::move(transfer), endpoint->type);
}

/// Streams are asked for with the first transfer of one: nobody tells before. False if there is no such stream.
bool UsbDevice::prepare_stream(const ActiveInterfaces::Endpoint& endpoint, std::uint16_t stream) {
  if (stream == 0) return true;
  const std::uint32_t wanted = std::min(endpoint.max_streams, kMostStreams);
  InterfaceStreams& streams = streams_[endpoint.interface];
  if (stream > wanted || streams.state == Streams::refused) return false;
  if (streams.state == Streams::ready) return stream <= streams.count;
  if (streams.state == Streams::asked_for) return true;
  streams.state = Streams::asked_for;
  connection_->call([endpoints = interfaces_.stream_endpoints(endpoint.interface),
                     wanted](UsbHandle& handle) mutable { return handle.allocate_streams(wanted, endpoints); },
                    [this, interface = endpoint.interface](int result) {
                      InterfaceStreams& asked = streams_[interface];
                      if (asked.state != Streams::asked_for) return;
                      asked.state = result > 0 ? Streams::ready : Streams::refused;
                      asked.count = result > 0 ? static_cast<std::uint32_t>(result) : 0;
                      if (asked.state == Streams::ready) return;
                      for (auto& [key, each] : queues_) {
                        if (key.second != 0) each.fail_waiting(Status::error);
                      }
                    });
  return true;
}

EndpointQueue& UsbDevice::queue(EndpointAddress address, std::uint16_t stream) {
  GoneListener& gone = *this;
  return queues_.try_emplace({address, stream}, address, stream, *connection_, memory_, completions_, gone)
      .first->second;
}

void UsbDevice::cancel(usb::TransferId id) {
  if (control_.cancel(id)) return;
  for (auto& [key, each] : queues_) {
    if (each.cancel(id)) return;
  }
}

void UsbDevice::cancel_endpoint(EndpointAddress address) {
  for (auto& [key, each] : queues_) {
    if (key.first == address) each.cancel_all();
  }
}

void UsbDevice::reset() {
  control_.cancel_all();
  for (auto& [key, each] : queues_) each.cancel_all();
  configuration_ = 0;
  ++resets_;
  if (gone_ || !std::exchange(touched_, false)) return;
  streams_.clear();
  connection_->call([](UsbHandle& handle) { return handle.reset(); },
                    [this](int result) {
                      // The device has come back as another one, or not at all.
                      if (result == LIBUSB_ERROR_NO_DEVICE || result == LIBUSB_ERROR_NOT_FOUND) on_device_gone();
                    });
}

void UsbDevice::pump() {
  control_.pump();
  for (auto& [key, each] : queues_) each.pump();
}

void UsbDevice::on_device_gone() {
  if (std::exchange(gone_, true)) return;
  control_.fail_waiting();
  for (auto& [key, each] : queues_) each.fail_waiting(Status::disconnected);
  scheduler_.defer([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired() && on_gone_) on_gone_();
  });
}

ControlPipe::Answer UsbDevice::answer(usb::Transfer& transfer) {
  const SetupPacket& setup = *transfer.setup;
  const auto low_byte = [](std::uint16_t word) { return static_cast<std::uint8_t>(word & 0xff); };
  if (setup.is(StandardRequest::set_address, kToDevice)) return Completion{};
  if (setup.is(StandardRequest::set_sel, kToDevice) || setup.is(StandardRequest::set_isoch_delay, kToDevice)) {
    return Completion{Status::ok, static_cast<std::uint32_t>(transfer.data.size())};
  }
  if (is_link_feature(setup)) return Completion{};
  if (setup.is(StandardRequest::set_feature, kToDevice) && setup.value == kTestMode) return Completion{Status::stall};
  if (setup.is(StandardRequest::get_configuration, kFromDevice)) {
    const std::byte value{configuration_};
    return Completion{Status::ok, static_cast<std::uint32_t>(transfer.data.write(0, ByteView(&value, 1)))};
  }
  if (!only_asks(setup)) touched_ = true;
  if (setup.is(StandardRequest::set_configuration, kToDevice)) return set_configuration(low_byte(setup.value));
  if (setup.is(StandardRequest::set_interface, kToInterface)) {
    return set_interface(low_byte(setup.index), low_byte(setup.value));
  }
  if (setup.is(StandardRequest::clear_feature, kToEndpoint) && setup.value == kEndpointHalt &&
      (setup.index & 0xf) != 0) {
    return clear_halt(low_byte(setup.index));
  }
  return ControlPipe::Forward{};
}

ControlPipe::Answer UsbDevice::set_configuration(std::uint8_t value) {
  if (value != 0 && !interfaces_.has_configuration(value)) return Completion{Status::stall};
  for (auto& [key, each] : queues_) each.cancel_all();
  streams_.clear();
  return ControlPipe::Call{
      .call = [claims = claims_, value, from = interfaces_.interfaces(), to = interfaces_.interfaces_of(value)](
                  UsbHandle& handle) { return claims->choose_configuration(handle, value, from, to); },
      .conclude =
          [this, value, resets = resets_](int result) {
            if (result != 0) return status_of_failure(result);
            (void)interfaces_.choose_configuration(value);
            // The port may have been reset while the device was busy with it.
            if (resets == resets_) configuration_ = value;
            return Status::ok;
          }};
}

ControlPipe::Answer UsbDevice::set_interface(std::uint8_t interface, std::uint8_t alternate_setting) {
  if (configuration_ == 0 || !interfaces_.has_alternate(interface, alternate_setting)) return Completion{Status::stall};
  for (const EndpointAddress address : interfaces_.endpoints(interface)) cancel_endpoint(address);
  streams_.erase(interface);
  return ControlPipe::Call{
      .call = [interface, alternate_setting](
                  UsbHandle& handle) { return handle.set_alternate_setting(interface, alternate_setting); },
      .conclude =
          [this, interface, alternate_setting](int result) {
            if (result != 0) return status_of_failure(result);
            (void)interfaces_.choose_alternate(interface, alternate_setting);
            return Status::ok;
          }};
}

ControlPipe::Answer UsbDevice::clear_halt(std::uint8_t endpoint) {
  if (!endpoint_type(EndpointAddress(endpoint))) return Completion{Status::stall};
  return ControlPipe::Call{.call = [endpoint](UsbHandle& handle) { return handle.clear_halt(endpoint); },
                           .conclude = [](int result) { return result == 0 ? Status::ok : status_of_failure(result); }};
}

}  // namespace periplex::host
