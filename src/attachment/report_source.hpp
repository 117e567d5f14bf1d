// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "attachment/counters.hpp"
#include "attachment/messages.hpp"
#include "attachment/requests.hpp"

namespace periplex::attachment {

/// An interrupt IN endpoint at the agent: keeps requests with the device, and pushes each report at once.
///
/// It asks for no more reports than the worker has room for: then the device waits, as with a host that asks slowly.
/// After a report that is not `ok` it asks no more until the worker polls again.
class ReportSource {
 public:
  using Push = std::function<void(const Report&)>;
  /// Requests with the device at a time: it never waits for the next one to be asked.
  static constexpr std::size_t kRequests = 4;

  ReportSource(usb::EndpointAddress endpoint, Requests& requests, ServerCounters& counters, Push push)
      : endpoint_(endpoint), requests_(requests), counters_(counters), push_(std::move(push)) {}
  ReportSource(const ReportSource&) = delete;
  ReportSource& operator=(const ReportSource&) = delete;
  ~ReportSource();

  void poll(const Poll& message);
  void stop();

 private:
  void ask();
  void on_answer(const usb::Transfer& transfer, usb::Completion completion, std::uint32_t generation);

  const usb::EndpointAddress endpoint_;
  Requests& requests_;
  ServerCounters& counters_;
  const Push push_;
  Poll settings_;
  bool polling_ = false;
  std::uint32_t pushed_ = 0;            // in this generation
  std::vector<usb::TransferId> asked_;  // oldest first; those that were cancelled may still bring a report
};

}  // namespace periplex::attachment
