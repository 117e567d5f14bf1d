// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "host/evdev_description.hpp"
#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::host {

/// Hears of the keyboards and pointers of this computer, from inside `EvdevMonitor`'s constructor on.
class EvdevMonitorListener {
 public:
  virtual void on_input_arrived(const EvdevDescription& device) = 0;
  /// Called once for each that has arrived.
  virtual void on_input_left(const EvdevDescription& device) = 0;

 protected:
  ~EvdevMonitorListener() = default;
};

/// Watches /dev/input: its nodes come and go with the devices.
class EvdevMonitor {
 public:
  EvdevMonitor(EventLoop& loop, EvdevMonitorListener& listener);
  EvdevMonitor(const EvdevMonitor&) = delete;
  EvdevMonitor& operator=(const EvdevMonitor&) = delete;

 private:
  void on_ready();
  void look();

  EvdevMonitorListener& listener_;
  UniqueFd inotify_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::map<std::string, EvdevDescription> present_;  // by node
};

}  // namespace periplex::host
