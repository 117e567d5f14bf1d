// SPDX-License-Identifier: Apache-2.0
// What the far end says to the device's transfers.
#include <algorithm>
#include <array>

#include "remote/usbredir/imported_device.hpp"
#include "usb/without_streams.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::Direction;
using usb::Status;

/// Brings guest-bound `data` to its transfer. More than fits is `babble`, as on the wire.
usb::Completion fill(usb::Transfer& transfer, Result result, ByteView data) {
  const std::size_t moved = transfer.data.write(0, data);
  const Status status = moved < data.size() ? Status::babble : status_of(result);
  return {status, static_cast<std::uint32_t>(moved)};
}

usb::Completion taken(const usb::Transfer& transfer, Result result, std::size_t length) {
  return {status_of(result), static_cast<std::uint32_t>(std::min(length, transfer.data.size()))};
}

}  // namespace

bool ImportedDevice::finish_control(MessageId id, Awaited kind, Result result, ByteView data) {
  usb::Transfer* const transfer = requests_.find(id);
  if (transfer == nullptr) return true;  // cancelled meanwhile
  const auto awaited = awaited_.find(id);
  if (awaited == awaited_.end() || awaited->second != kind) return false;
  awaited_.erase(awaited);
  requests_.finish(id, fill(*transfer, result, data));
  return true;
}

bool ImportedDevice::on(MessageId id, ControlData&& message) {
  usb::Transfer* const transfer = requests_.find(id);
  if (transfer == nullptr) return true;
  if (!transfer->setup) return false;
  const auto awaited = awaited_.find(id);
  if (awaited != awaited_.end() && awaited->second == Awaited::whole_configuration) {
    return show_configuration(id, message, transfer->data.size());
  }
  if (transfer->direction() == Direction::in) return finish_control(id, Awaited::data, message.result, message.data);
  if (awaited == awaited_.end() || awaited->second != Awaited::data) return false;
  awaited_.erase(awaited);
  requests_.finish(id, taken(*transfer, message.result, message.setup.length));
  return true;
}

bool ImportedDevice::show_configuration(MessageId id, const ControlData& message, std::size_t room) {
  const auto parsed = usb::parse_configuration(message.data);
  if (parsed && usb::needs_streams(*parsed)) misses_streams_();
  const Bytes shown = usb::without_streams(message.data);
  return finish_control(id, Awaited::whole_configuration, message.result,
                        ByteView(shown).first(std::min(shown.size(), room)));
}

bool ImportedDevice::on(MessageId id, const ConfigurationStatus& message) {
  const std::array<std::byte, 1> value{std::byte{message.configuration}};
  usb::Transfer* const transfer = requests_.find(id);
  const bool asks = transfer != nullptr && transfer->direction() == Direction::in && message.result == Result::success;
  return finish_control(id, Awaited::configuration, message.result, asks ? ByteView(value) : ByteView());
}

bool ImportedDevice::on(MessageId id, const AlternateStatus& message) {
  const std::array<std::byte, 1> value{std::byte{message.alternate}};
  usb::Transfer* const transfer = requests_.find(id);
  const bool asks = transfer != nullptr && transfer->direction() == Direction::in && message.result == Result::success;
  return finish_control(id, Awaited::alternate, message.result, asks ? ByteView(value) : ByteView());
}

bool ImportedDevice::on(MessageId id, BulkData&& message) {
  usb::Transfer* const transfer = requests_.find(id);
  if (transfer == nullptr) return true;
  if (transfer->setup || transfer->endpoint() != message.endpoint) return false;
  if (transfer->direction() == Direction::in) {
    requests_.finish(id, fill(*transfer, message.result, message.data));
  } else {
    requests_.finish(id, taken(*transfer, message.result, message.length));
  }
  return true;
}

bool ImportedDevice::on(MessageId id, InterruptData&& message) {
  if (message.endpoint.direction() == Direction::in) {
    const auto found = interrupts_.find(message.endpoint);
    if (found != interrupts_.end()) found->second.on_data(std::move(message));
    return true;
  }
  usb::Transfer* const transfer = requests_.find(id);
  if (transfer == nullptr) return true;
  if (transfer->setup || transfer->endpoint() != message.endpoint) return false;
  requests_.finish(id, taken(*transfer, message.result, message.length));
  return true;
}

void ImportedDevice::on(IsochronousData&& message) {
  const auto found = captures_.find(message.endpoint);
  if (found != captures_.end()) found->second.on_data(std::move(message));
}

void ImportedDevice::on(MessageId id, const PumpStatus& message) {
  if (message.kind == PumpKind::interrupt) {
    const auto found = interrupts_.find(message.endpoint);
    if (found != interrupts_.end()) found->second.on_status(id, message.result);
  } else if (message.kind == PumpKind::isochronous) {
    const auto capture = captures_.find(message.endpoint);
    if (capture != captures_.end()) capture->second.on_status(id, message.result);
    const auto playback = playbacks_.find(message.endpoint);
    if (playback != playbacks_.end()) playback->second.on_status(id, message.result);
  }
}

}  // namespace periplex::remote::usbredir
