// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/isochronous_pipes.hpp"

#include <algorithm>

namespace periplex::usb::batching {
namespace {

constexpr std::uint8_t kToDevice = 0x00;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToInterface = 0x01;

}  // namespace

IsochronousPipe& IsochronousPipes::at(Device& device, EndpointAddress endpoint) {
  return pipes_.try_emplace({&device, endpoint}, surroundings_, device, endpoint, window_).first->second;
}

bool IsochronousPipes::wait_for_guest(std::uint64_t end, Nanoseconds now) {
  const auto starves = [&](const auto& entry) { return entry.second.starves(end); };
  const bool late = std::ranges::any_of(pipes_, starves);
  if (!late) {
    late_since_.reset();
    return false;
  }
  if (!late_since_) late_since_ = now;
  if (now - *late_since_ < kPatience) return true;
  late_since_.reset();
  for (auto& [key, pipe] : pipes_) {
    if (pipe.starves(end)) pipe.expect_nothing();
  }
  return false;
}

void IsochronousPipes::end_interval(std::uint64_t interval) {
  for (auto& [key, pipe] : pipes_) {
    // A packet that is not in sight of the window is not in the schedule.
    if (pipe.last_interval() + window_ < interval) {
      pipe.expect_nothing();
      if (pipe.streaming()) pipe.withdraw();
    } else {
      pipe.hand_over(interval);
    }
  }
}

void IsochronousPipes::withdraw_all() {
  for (auto& [key, pipe] : pipes_) pipe.withdraw();
}

bool IsochronousPipes::streaming() const {
  return std::ranges::any_of(pipes_, [](const auto& entry) { return entry.second.streaming(); });
}

void IsochronousPipes::device_reset(Device& device) {
  std::erase_if(pipes_, [&](const auto& entry) { return entry.first.first == &device; });
}

void IsochronousPipes::device_left(Device& device) {
  for (auto& [key, pipe] : pipes_) {
    if (key.first == &device) pipe.abandon();
  }
  device_reset(device);
}

void IsochronousPipes::configured(Device& device, const SetupPacket& setup) {
  if (setup.is(StandardRequest::set_configuration, kToDevice)) return device_reset(device);
  if (!setup.is(StandardRequest::set_interface, kToInterface)) return;
  // Which endpoints belong to the interface is the device's secret; those of others that stream go on.
  for (auto& [key, pipe] : pipes_) {
    if (key.first == &device && !pipe.has_shown()) pipe.withdraw();
  }
}

void IsochronousPipes::for_each(const Device& device, const VisitEndpoint& visit) const {
  for (const auto& [key, pipe] : pipes_) {
    if (key.first == &device) visit(key.second, TransferType::isochronous, pipe.counters());
  }
}

}  // namespace periplex::usb::batching
