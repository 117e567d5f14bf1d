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

Activity Pipes::visit(Device& device, EndpointAddress endpoint, TransferType type, QueueView& queue,
                      std::uint64_t frame) {
  Entry& visited = entry(device, endpoint, type);
  const std::uint64_t gap = frame - visited.visited;
  // Only what is under way tells: a queue with nothing to do may be out of the schedule.
  if (visited.visited != 0 && gap != 0 && visited.pipe->in_flight()) {
    if (visited.visited_twice && visited.period == 1 && gap > 1 && type != TransferType::control) {
      // It was in every frame but those: the guest took it away, and what it has put there since is new, even if it
      // looks the same. (A control transfer begins with a Setup stage, which tells by itself.)
      visited.pipe->withdraw();
    } else if (gap <= kLongestPeriod) {
      visited.period = visited.visited_twice ? std::max(visited.period, gap) : gap;
      visited.visited_twice = true;
    }
  }
  visited.visited = frame;
  return visited.pipe->visit(queue);
}

void Pipes::sweep(std::uint64_t frame) {
  for (auto& [key, entry] : pipes_) {
    if (entry.pipe->in_flight() && frame - entry.visited > 2 * entry.period) entry.pipe->withdraw();
  }
}

void Pipes::sweep_unvisited(std::uint64_t frame) {
  for (auto& [key, entry] : pipes_) {
    if (entry.pipe->in_flight() && entry.visited != frame) entry.pipe->withdraw();
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
    for_data_pipes([](const Key&, Pipe& pipe) { pipe.forget_carry_over(); });
  } else if (setup.is(StandardRequest::clear_feature, kToEndpoint) && setup.value == kEndpointHalt) {
    const EndpointAddress endpoint(static_cast<std::uint8_t>(setup.index));
    for_data_pipes([&](const Key& key, Pipe& pipe) {
      if (key.endpoint == endpoint) pipe.forget_carry_over();
    });
  }
}

void Pipes::for_each(const Device& device, const VisitEndpoint& visit) const {
  for (const auto& [key, entry] : pipes_) {
    if (key.device == &device) visit(key.endpoint, entry.pipe->type(), entry.pipe->counters());
  }
}

}  // namespace periplex::usb::batching
