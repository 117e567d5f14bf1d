// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/pipes.hpp"

#include <algorithm>

#include "usb/batching/control_pipe.hpp"
#include "usb/batching/data_pipe.hpp"

namespace periplex::usb::batching {
namespace {

constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kToEndpoint = 0x02;
constexpr std::uint16_t kEndpointHalt = 0;  // table 9-6

}  // namespace

Pipes::Entry& Pipes::entry(Device& device, EndpointAddress endpoint, TransferType type) {
  Entry& entry = pipes_[{&device, endpoint}];
  if (!entry.pipe) {
    if (type == TransferType::control) {
      entry.pipe = std::make_unique<ControlPipe>(surroundings_, device);
    } else {
      entry.pipe = std::make_unique<DataPipe>(surroundings_, device, endpoint, type);
    }
  }
  return entry;
}

Activity Pipes::visit(Device& device, EndpointAddress endpoint, TransferType type, QueueView& queue, Moment now) {
  Entry& visited = entry(device, endpoint, type);
  const std::uint64_t gap = now.frame - visited.visited.frame;
  // An interrupt endpoint is due every so often only; the others in every round.
  const std::uint64_t longest = type == TransferType::interrupt ? 2 * visited.period : 1;
  if (now.round - visited.visited.round > longest) visited.pipe->note_absence();
  // Only what is under way tells how often the queue comes round: one with nothing to do may be out of the schedule.
  if (visited.visited.round != 0 && gap != 0 && gap <= kLongestPeriod && visited.pipe->in_flight()) {
    visited.period = visited.visited_twice ? std::max(visited.period, gap) : gap;
    visited.visited_twice = true;
  }
  visited.visited = now;
  return visited.pipe->visit(queue);
}

void Pipes::sweep(std::uint64_t frame) {
  for (auto& [key, entry] : pipes_) {
    const std::uint64_t patience = std::max(2 * entry.period, kPatience);
    if (entry.pipe->in_flight() && frame > entry.visited.frame + patience) entry.pipe->withdraw();
  }
}

void Pipes::withdraw_all() {
  for (auto& [key, entry] : pipes_) entry.pipe->withdraw();
}

bool Pipes::in_flight() const {
  return std::ranges::any_of(pipes_, [](const auto& entry) { return entry.second.pipe->in_flight(); });
}

void Pipes::device_reset(Device& device) {
  std::erase_if(pipes_, [&](const auto& entry) { return entry.first.device == &device; });
}

void Pipes::device_left(Device& device) {
  for (auto& [key, entry] : pipes_) {
    if (key.device == &device) entry.pipe->abandon();
  }
  device_reset(device);
}

void Pipes::configured(Device& device, const SetupPacket& setup) {
  const auto for_data_pipes = [&](auto visit) {
    for (auto& [key, entry] : pipes_) {
      if (key.device == &device && entry.pipe->type() != TransferType::control) visit(key, *entry.pipe);
    }
  };
  if (setup.is(StandardRequest::set_configuration, kToDevice)) {
    std::erase_if(pipes_, [&](const auto& entry) {
      return entry.first.device == &device && entry.second.pipe->type() != TransferType::control;
    });
  } else if (setup.is(StandardRequest::set_interface, kToInterface)) {
    for_data_pipes([](const Key&, Pipe& pipe) { pipe.interface_changed(); });
  } else if (setup.is(StandardRequest::clear_feature, kToEndpoint) && setup.value == kEndpointHalt) {
    const EndpointAddress endpoint(static_cast<std::uint8_t>(setup.index));
    for_data_pipes([&](const Key& key, Pipe& pipe) {
      if (key.endpoint == endpoint) pipe.halt_cleared();
    });
  }
}

void Pipes::for_each(const Device& device, const VisitEndpoint& visit) const {
  for (const auto& [key, entry] : pipes_) {
    if (key.device == &device) visit(key.endpoint, entry.pipe->type(), entry.pipe->counters());
  }
}

}  // namespace periplex::usb::batching
