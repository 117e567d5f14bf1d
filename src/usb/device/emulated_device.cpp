// SPDX-License-Identifier: Apache-2.0
#include "usb/device/emulated_device.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::usb::device {
namespace {

void trace_control(const SetupPacket& setup, ByteView data, bool answered) {
  trace::line("usb/device", "control {:02x} {:02x} value={:04x} index={:04x} length={}: {}", setup.request_type,
              setup.request, setup.value, setup.index, setup.length, answered ? hex(data) : "STALL");
}

}  // namespace

EmulatedDevice::EmulatedDevice(DeviceDescription description, Speed speed, Scheduler& scheduler)
    : description_(std::move(description)),
      speed_(speed),
      scheduler_(scheduler),
      descriptors_(description_, speed),
      control_(description_, descriptors_, speed, *this),
      completions_(scheduler) {
  PERIPLEX_CHECK(runs_at(description_, speed));
}

EmulatedDevice::~EmulatedDevice() {
  for (Endpoint& endpoint : endpoints_) finish_pending(endpoint, Status::disconnected);
}

std::optional<TransferType> EmulatedDevice::endpoint_type(EndpointAddress endpoint) const {
  if (endpoint.number() == 0) return TransferType::control;
  const Endpoint* const found = find(endpoint);
  if (found == nullptr) return std::nullopt;
  return found->type;
}

void EmulatedDevice::submit(TransferPtr transfer) {
  if (transfer->endpoint().number() == 0) return submit_control(std::move(transfer));
  Endpoint* const endpoint = find(transfer->endpoint());
  // A device does not answer at an endpoint it has not; to the host that is a transaction error.
  if (endpoint == nullptr) return finish(std::move(transfer), {Status::error, 0});
  if (endpoint->halted) return finish(std::move(transfer), {Status::stall, 0});
  if (endpoint->type == TransferType::isochronous) return serve_isochronous(std::move(transfer));
  const EndpointAddress address = transfer->endpoint();
  endpoint->pending.push_back(std::move(transfer));
  on_transfer(address);
}

void EmulatedDevice::submit_control(TransferPtr transfer) {
  // The direction of the data decides what may be done with them: it must be the Setup stage's.
  const std::optional<SetupPacket> setup = transfer->setup;
  if (!setup || (transfer->data.size() > 0 && transfer->direction() != setup->direction())) {
    return finish(std::move(transfer), {Status::stall, 0});
  }
  const bool device_bound = setup->direction() == Direction::out;
  const Bytes data = device_bound ? transfer->data.copy(setup->length) : Bytes{};
  const ControlResult result = control_.handle(*setup, data);
  if (trace::enabled) trace_control(*setup, device_bound ? data : result.value_or(Bytes{}), result.has_value());
  if (!result) return finish(std::move(transfer), {Status::stall, 0});
  std::size_t moved = data.size();
  if (!device_bound) {
    moved = transfer->data.write(0, ByteView(*result).first(std::min<std::size_t>(result->size(), setup->length)));
  }
  finish(std::move(transfer), {Status::ok, static_cast<std::uint32_t>(moved)});
}

void EmulatedDevice::serve_isochronous(TransferPtr transfer) {
  const EndpointAddress endpoint = transfer->endpoint();
  std::uint32_t total = 0;
  for (IsochronousPacket& packet : transfer->packets) {
    // A packet may lie across two spans of guest memory: the function sees it in one piece.
    const std::size_t held = transfer->data.size();
    packet_.resize(packet.offset < held ? std::min<std::size_t>(packet.length, held - packet.offset) : 0);
    std::size_t moved = packet_.size();
    if (endpoint.direction() == Direction::out) {
      (void)transfer->data.read(packet.offset, packet_);
      on_isochronous_out(endpoint, packet_);
    } else {
      moved = std::min(on_isochronous_in(endpoint, packet_), packet_.size());
      (void)transfer->data.write(packet.offset, ByteView(packet_).first(moved));
    }
    packet.actual = static_cast<std::uint32_t>(moved);
    packet.status = Status::ok;
    total += packet.actual;
  }
  finish(std::move(transfer), {Status::ok, total});
}

void EmulatedDevice::cancel(TransferId id) {
  for (Endpoint& endpoint : endpoints_) {
    const auto found = std::ranges::find(endpoint.pending, id, [](const TransferPtr& each) { return each->id(); });
    if (found == endpoint.pending.end()) continue;
    TransferPtr transfer = std::move(*found);
    endpoint.pending.erase(found);
    return finish(std::move(transfer), {Status::cancelled, 0});
  }
  on_cancel(id);
}

void EmulatedDevice::reset() {
  for (Endpoint& endpoint : endpoints_) finish_pending(endpoint, Status::cancelled);
  endpoints_.clear();
  control_.reset();
  suspended_ = false;
  on_reset();
}

void EmulatedDevice::suspend() {
  suspended_ = true;
  on_suspend();
}

void EmulatedDevice::resume() {
  if (std::exchange(suspended_, false)) on_resume();
}

void EmulatedDevice::request_wake_up() {
  if (suspended_ && control_.remote_wake_up_enabled() && wake_up_) wake_up_();
}

ControlResult EmulatedDevice::on_class_request(const SetupPacket& setup, ByteView data) {
  (void)setup, (void)data;
  return kStall;
}

std::optional<Bytes> EmulatedDevice::class_descriptor(const SetupPacket& setup) const {
  (void)setup;
  return std::nullopt;
}

Transfer* EmulatedDevice::peek_pending(EndpointAddress address) {
  Endpoint* const endpoint = find(address);
  return endpoint == nullptr || endpoint->pending.empty() ? nullptr : endpoint->pending.front().get();
}

std::size_t EmulatedDevice::pending_count(EndpointAddress address) const {
  const Endpoint* const endpoint = find(address);
  return endpoint == nullptr ? 0 : endpoint->pending.size();
}

TransferPtr EmulatedDevice::take_pending(EndpointAddress address) {
  Endpoint* const endpoint = find(address);
  if (endpoint == nullptr || endpoint->pending.empty()) return nullptr;
  TransferPtr transfer = std::move(endpoint->pending.front());
  endpoint->pending.pop_front();
  return transfer;
}

TransferPtr EmulatedDevice::take_pending(EndpointAddress address, std::uint16_t stream) {
  Endpoint* const endpoint = find(address);
  if (endpoint == nullptr) return nullptr;
  const auto found = std::ranges::find(endpoint->pending, stream, [](const TransferPtr& each) { return each->stream; });
  if (found == endpoint->pending.end()) return nullptr;
  TransferPtr transfer = std::move(*found);
  endpoint->pending.erase(found);
  return transfer;
}

void EmulatedDevice::finish_with(TransferPtr transfer, ByteView data) {
  const std::size_t moved = transfer->data.write(0, data);
  const Status status = moved < data.size() ? Status::babble : Status::ok;
  finish(std::move(transfer), {status, static_cast<std::uint32_t>(moved)});
}

void EmulatedDevice::set_configuration(std::uint8_t value) {
  // The endpoints of the old configuration do not answer any more; a host that still has transfers there has made a
  // mistake.
  for (Endpoint& endpoint : endpoints_) finish_pending(endpoint, Status::error);
  endpoints_.clear();
  if (value != 0) {
    for (const InterfaceDescription& interface : description_.interfaces) {
      if (interface.alternate_setting == 0) open_endpoints(interface.number, 0);
    }
  }
  on_configured(value);
}

void EmulatedDevice::set_interface(std::uint8_t number, std::uint8_t alternate_setting) {
  for (Endpoint& endpoint : endpoints_) {
    if (endpoint.interface == number) finish_pending(endpoint, Status::error);
  }
  std::erase_if(endpoints_, [&](const Endpoint& endpoint) { return endpoint.interface == number; });
  open_endpoints(number, alternate_setting);
  on_interface_reset(number, alternate_setting);
}

void EmulatedDevice::open_endpoints(std::uint8_t interface, std::uint8_t alternate_setting) {
  for (const InterfaceDescription& each : description_.interfaces) {
    if (each.number != interface || each.alternate_setting != alternate_setting) continue;
    for (const EndpointDescription& endpoint : each.endpoints) {
      endpoints_.push_back(
          {.address = endpoint.address, .type = endpoint.type, .interface = interface, .halted = false, .pending = {}});
    }
  }
}

std::optional<bool> EmulatedDevice::halted(EndpointAddress address) const {
  const Endpoint* const endpoint = find(address);
  if (endpoint == nullptr) return std::nullopt;
  return endpoint->halted;
}

bool EmulatedDevice::set_halted(EndpointAddress address, bool halted) {
  Endpoint* const endpoint = find(address);
  if (endpoint == nullptr || endpoint->type == TransferType::isochronous) return false;
  endpoint->halted = halted;
  if (halted) {
    finish_pending(*endpoint, Status::stall);
  } else {
    on_endpoint_halt_cleared(address);
  }
  return true;
}

void EmulatedDevice::finish_pending(Endpoint& endpoint, Status status) {
  for (TransferPtr& transfer : std::exchange(endpoint.pending, {})) finish(std::move(transfer), {status, 0});
}

EmulatedDevice::Endpoint* EmulatedDevice::find(EndpointAddress address) {
  const auto found = std::ranges::find(endpoints_, address, &Endpoint::address);
  return found == endpoints_.end() ? nullptr : &*found;
}

const EmulatedDevice::Endpoint* EmulatedDevice::find(EndpointAddress address) const {
  const auto found = std::ranges::find(endpoints_, address, &Endpoint::address);
  return found == endpoints_.end() ? nullptr : &*found;
}

}  // namespace periplex::usb::device
