// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "base/time.hpp"
#include "usb/endpoint.hpp"

namespace periplex::remote::usbip {

/// The bus that an exported device has not got: lets the packets of isochronous endpoints pass no faster than their
/// intervals do. A client sends the next packets when it has the results of the last.
class IsochronousClock {
 public:
  /// `due` gets the number of a request whose intervals have passed; called from the loop.
  using Due = std::function<void(std::uint32_t number)>;

  IsochronousClock(Scheduler& scheduler, Due due) : scheduler_(scheduler), due_(std::move(due)) {}

  /// Request `number` takes the next `duration` of `endpoint`.
  void add(usb::EndpointAddress endpoint, std::uint32_t number, Nanoseconds duration) {
    Line& line = lines_[endpoint];
    if (!line.timer) line.timer = scheduler_.make_timer([this, &line] { on_due(line); });
    line.end = std::max(line.end, scheduler_.now()) + duration;
    line.requests.push_back({line.end, number});
    if (!line.timer->armed()) line.timer->arm(line.requests.front().at - scheduler_.now());
  }
  void clear() { lines_.clear(); }

 private:
  struct Request {
    Nanoseconds at{};
    std::uint32_t number = 0;
  };
  struct Line {
    Nanoseconds end{};
    std::deque<Request> requests;
    std::unique_ptr<Timer> timer;
  };

  void on_due(Line& line) {
    const Nanoseconds now = scheduler_.now();
    while (!line.requests.empty() && line.requests.front().at <= now) {
      const std::uint32_t number = line.requests.front().number;
      line.requests.pop_front();
      due_(number);
    }
    if (!line.requests.empty()) line.timer->arm(line.requests.front().at - now);
  }

  Scheduler& scheduler_;
  Due due_;
  std::map<usb::EndpointAddress, Line> lines_;
};

}  // namespace periplex::remote::usbip
