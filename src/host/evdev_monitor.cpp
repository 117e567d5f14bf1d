// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_monitor.hpp"

#include <array>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace periplex::host {
namespace {

constexpr const char* kDirectory = "/dev/input";
constexpr std::size_t kBufferSize = 4096;

/// Node numbers are used again: the same device has the same place, too.
bool same(const EvdevDescription& a, const EvdevDescription& b) {
  return a.name == b.name && a.place == b.place && a.serial_number == b.serial_number;
}

}  // namespace

EvdevMonitor::EvdevMonitor(EventLoop& loop, EvdevMonitorListener& listener)
    : listener_(listener), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  // Where there is no such directory there are no input devices.
  if (inotify_ && ::inotify_add_watch(inotify_.get(), kDirectory, IN_CREATE | IN_DELETE) >= 0) {
    watch_ = loop.watch(inotify_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); });
  }
  look();
}

void EvdevMonitor::on_ready() {
  std::array<std::byte, kBufferSize> buffer{};
  while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) {
  }
  look();
}

void EvdevMonitor::look() {
  std::map<std::string, EvdevDescription> now;
  for (EvdevDescription& each : list_evdev()) now.emplace(each.node, each);
  for (auto known = present_.begin(); known != present_.end();) {
    const auto still = now.find(known->first);
    if (still != now.end() && same(still->second, known->second)) {
      ++known;
      continue;
    }
    const EvdevDescription gone = std::move(known->second);
    known = present_.erase(known);
    listener_.on_input_left(gone);
  }
  for (auto& [node, description] : now) {
    const auto [place, fresh] = present_.try_emplace(node, description);
    if (fresh) listener_.on_input_arrived(place->second);
  }
}

}  // namespace periplex::host
