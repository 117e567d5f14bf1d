// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/imported_device.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "remote/usbredir/frame_guard.hpp"
#include "usb/descriptors.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::Direction;
using usb::EndpointAddress;
using usb::StandardRequest;
using usb::Status;
using usb::TransferPtr;
using usb::TransferType;

constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kFromInterface = 0x81;

bool concerns_link(const usb::SetupPacket& setup) {
  return setup.is(StandardRequest::set_address, kToDevice) || setup.is(StandardRequest::set_sel, kToDevice) ||
         setup.is(StandardRequest::set_isoch_delay, kToDevice);
}

}  // namespace

ImportedDevice::ImportedDevice(usb::Speed speed, const EndpointInfo& endpoints, Wire& wire, Scheduler& scheduler,
                               std::function<void()> misses_streams)
    : speed_(speed),
      endpoints_(endpoints),
      wire_(wire),
      scheduler_(scheduler),
      misses_streams_(std::move(misses_streams)),
      completions_(std::in_place, scheduler),
      requests_(*completions_),
      streams_(wire, *completions_, [this](TransferPtr transfer) { submit_bulk(std::move(transfer)); }) {}

ImportedDevice::~ImportedDevice() {
  leave();
}

void ImportedDevice::leave() {
  if (std::exchange(left_, true)) return;
  requests_.finish_all(Status::disconnected);
  awaited_.clear();
  streams_.forget(Status::disconnected);
  for (auto& [endpoint, pipe] : interrupts_) pipe.forget(Status::disconnected);
  closed_ = counters();
  interrupts_.clear();
  captures_.clear();
  playbacks_.clear();
  completions_.emplace(scheduler_);  // the old one completes what it still has; owners find a device that has left
}

std::optional<TransferType> ImportedDevice::endpoint_type(EndpointAddress endpoint) const {
  if (endpoint.number() == 0) return TransferType::control;
  const std::uint8_t type = entry(endpoint).type;
  if (type > static_cast<std::uint8_t>(TransferType::interrupt)) return std::nullopt;
  return static_cast<TransferType>(type);
}

void ImportedDevice::submit(TransferPtr transfer) {
  if (left_) {
    return scheduler_.defer([transfer = std::move(transfer)]() mutable {
      usb::Transfer::complete(std::move(transfer), {Status::disconnected, 0});
    });
  }
  if (transfer->setup) return submit_control(std::move(transfer));
  submit_data(std::move(transfer));
}

void ImportedDevice::submit_data(TransferPtr transfer) {
  const EndpointAddress endpoint = transfer->endpoint();
  const auto type = endpoint_type(endpoint);
  if (!type || *type == TransferType::control) return finish(std::move(transfer), Status::error);
  const bool guest_bound = endpoint.direction() == Direction::in;
  switch (*type) {
    case TransferType::bulk:
      return streams_.submit(std::move(transfer), endpoints_);
    case TransferType::interrupt:
      if (!guest_bound) return submit_interrupt_out(std::move(transfer));
      return pipe(interrupts_, endpoint, entry(endpoint).max_packet_size).submit(std::move(transfer));
    case TransferType::isochronous: {
      if (guest_bound) {
        auto found = captures_.find(endpoint);
        if (found == captures_.end()) {
          found = captures_.try_emplace(endpoint, wire_, *completions_, scheduler_, endpoint, plan(endpoint)).first;
        }
        return found->second.submit(std::move(transfer));
      }
      return pipe(playbacks_, endpoint, plan(endpoint)).submit(std::move(transfer));
    }
    case TransferType::control:
      break;
  }
}

template <typename Pipe, typename... Arguments>
Pipe& ImportedDevice::pipe(std::map<EndpointAddress, Pipe>& pipes, EndpointAddress endpoint, Arguments&&... arguments) {
  return pipes.try_emplace(endpoint, wire_, *completions_, endpoint, std::forward<Arguments>(arguments)...)
      .first->second;
}

StreamPlan ImportedDevice::plan(EndpointAddress endpoint) const {
  return StreamPlan::make(service_interval(speed_, entry(endpoint).interval), endpoint.direction() == Direction::out);
}

void ImportedDevice::submit_bulk(TransferPtr transfer) {
  const std::size_t size = transfer->data.size();
  if (size > kMaxBulkLength) return finish(std::move(transfer), Status::error);
  BulkData message{
      .endpoint = transfer->endpoint(), .length = static_cast<std::uint32_t>(size), .stream = transfer->stream};
  if (transfer->direction() == Direction::out) message.data = transfer->data.copy(size);
  request(std::move(transfer), message);
}

void ImportedDevice::submit_interrupt_out(TransferPtr transfer) {
  const std::size_t size = transfer->data.size();
  if (size > std::numeric_limits<std::uint16_t>::max()) return finish(std::move(transfer), Status::error);
  const InterruptData message{
      .endpoint = transfer->endpoint(), .length = static_cast<std::uint16_t>(size), .data = transfer->data.copy(size)};
  request(std::move(transfer), message);
}

void ImportedDevice::request(TransferPtr transfer, const Message& message, Awaited awaited) {
  const bool control = transfer->setup.has_value();
  const MessageId id = wire_.request(message);
  if (control) awaited_.emplace(id, awaited);
  requests_.add(id, std::move(transfer));
}

void ImportedDevice::submit_control(TransferPtr transfer) {
  const usb::SetupPacket setup = *transfer->setup;
  if (concerns_link(setup)) {
    const auto size = static_cast<std::uint32_t>(transfer->data.size());
    return completions_->push(std::move(transfer), {Status::ok, size});
  }
  if (setup.is(StandardRequest::set_configuration, kToDevice)) return set_configuration(std::move(transfer));
  if (setup.is(StandardRequest::set_interface, kToInterface)) return set_interface(std::move(transfer));
  if (setup.is(StandardRequest::get_descriptor, kFromDevice) &&
      setup.value >> 8 == static_cast<std::uint8_t>(usb::DescriptorType::configuration)) {
    return submit_configuration(std::move(transfer));
  }
  if (setup.is(StandardRequest::get_configuration, kFromDevice)) {
    return request(std::move(transfer), GetConfiguration{}, Awaited::configuration);
  }
  if (setup.is(StandardRequest::get_interface, kFromInterface)) {
    return request(std::move(transfer), GetAlternate{static_cast<std::uint8_t>(setup.index)}, Awaited::alternate);
  }
  ControlData message{.setup = setup};
  if (setup.direction() == Direction::out) {
    message.data = transfer->data.copy(setup.length);
    message.setup.length = static_cast<std::uint16_t>(message.data.size());
  }
  request(std::move(transfer), message);
}

/// Only a whole configuration can be freed of its streams: its length changes.
void ImportedDevice::submit_configuration(TransferPtr transfer) {
  const bool whole = misses_streams_ != nullptr && usb::is_usb3(speed_);
  ControlData message{.setup = *transfer->setup};
  message.setup.length = whole ? kMaxConfiguration : std::min(message.setup.length, kMaxConfiguration);
  request(std::move(transfer), message, whole ? Awaited::whole_configuration : Awaited::data);
}

/// "Any pending data packets will get dropped, and any active iso streams / allocated bulk streams will get stopped /
/// free-ed": not by libusbredirhost where the configuration is the one that is set already, so they are stopped first.
/// Nor does it bring interfaces back to setting 0 then, as USB 2.0 §9.4.7 wants.
void ImportedDevice::set_configuration(TransferPtr transfer) {
  close_pipes(std::nullopt);
  for (const std::uint8_t interface : std::exchange(alternates_, {})) {
    (void)wire_.request(SetAlternate{.interface = interface, .alternate = 0});
  }
  const auto value = static_cast<std::uint8_t>(transfer->setup->value);
  request(std::move(transfer), SetConfiguration{value}, Awaited::configuration);
}

void ImportedDevice::set_interface(TransferPtr transfer) {
  const auto interface = static_cast<std::uint8_t>(transfer->setup->index);
  const auto alternate = static_cast<std::uint8_t>(transfer->setup->value);
  close_pipes(interface);
  if (alternate == 0) {
    alternates_.erase(interface);
  } else {
    alternates_.insert(interface);
  }
  request(std::move(transfer), SetAlternate{.interface = interface, .alternate = alternate}, Awaited::alternate);
}

void ImportedDevice::close_pipes(std::optional<std::uint8_t> interface) {
  const auto concerned = [&](EndpointAddress endpoint) {
    return !interface || entry(endpoint).interface == *interface;
  };
  for (auto& [endpoint, each] : interrupts_) {
    if (concerned(endpoint)) each.stop(Status::cancelled);
  }
  for (auto& [endpoint, each] : captures_) {
    if (concerned(endpoint)) each.stop();
  }
  for (auto& [endpoint, each] : playbacks_) {
    if (concerned(endpoint)) each.stop();
  }
  closed_ = counters();
  std::erase_if(interrupts_, [&](const auto& each) { return concerned(each.first); });
  std::erase_if(captures_, [&](const auto& each) { return concerned(each.first); });
  std::erase_if(playbacks_, [&](const auto& each) { return concerned(each.first); });
  if (interface) return streams_.free(*interface);
  for (const EndpointInfo::Entry& each : endpoints_.entries) streams_.free(each.interface);
}

void ImportedDevice::cancel(usb::TransferId id) {
  if (left_) return;  // all has been completed
  if (streams_.cancel(id)) return;
  for (auto& [endpoint, each] : interrupts_) {
    if (each.cancel(id)) return;
  }
  const auto request = requests_.cancel(id);
  if (!request) return;
  const auto control = awaited_.find(*request);
  const bool cancellable =
      control == awaited_.end() || control->second == Awaited::data || control->second == Awaited::whole_configuration;
  if (control != awaited_.end()) awaited_.erase(control);
  if (cancellable) wire_.send(*request, CancelData{});
}

void ImportedDevice::reset() {
  if (left_) return;
  (void)wire_.request(Reset{});
  requests_.finish_all(Status::cancelled);
  awaited_.clear();
  streams_.forget(Status::cancelled);
  for (auto& [endpoint, each] : interrupts_) each.forget(Status::cancelled);
  for (auto& [endpoint, each] : captures_) each.forget();
  for (auto& [endpoint, each] : playbacks_) each.forget();
}

ImportedDevice::Counters ImportedDevice::counters() const {
  Counters sum = closed_;
  for (const auto& [endpoint, each] : interrupts_) sum.lost_reports += each.lost();
  for (const auto& [endpoint, each] : captures_) sum.dropped_packets += each.dropped();
  return sum;
}

}  // namespace periplex::remote::usbredir
