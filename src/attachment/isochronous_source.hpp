// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "attachment/counters.hpp"
#include "attachment/messages.hpp"
#include "attachment/requests.hpp"
#include "base/time.hpp"

namespace periplex::attachment {

/// An isochronous IN endpoint at the agent: keeps requests for packets with the device, and pushes what it sends.
///
/// As the contract of `usb::Device` wants it, packets are asked for no faster than their intervals pass. A real bus
/// keeps that pace by itself: a request that took its time is replaced at once, so that the device side never runs dry.
/// A device that answers at once is asked by this side's clock.
class IsochronousSource {
 public:
  using Push = std::function<void(const IsochronousIn&)>;
  /// What one request lasts, at least one packet; and what is with the device at a time.
  static constexpr Nanoseconds kChunk = std::chrono::milliseconds(2);
  static constexpr std::size_t kRequests = 8;

  IsochronousSource(usb::EndpointAddress endpoint, Requests& requests, Scheduler& scheduler, Push push);
  IsochronousSource(const IsochronousSource&) = delete;
  IsochronousSource& operator=(const IsochronousSource&) = delete;
  ~IsochronousSource();

  void poll(const Poll& message);
  void stop();

 private:
  [[nodiscard]] Nanoseconds chunk() const { return settings_.interval * static_cast<int>(packets_); }
  void ask();
  void tick();
  void on_answer(usb::Transfer& transfer, usb::Completion completion, std::uint32_t generation, Nanoseconds asked_at);

  const usb::EndpointAddress endpoint_;
  Requests& requests_;
  Scheduler& scheduler_;
  const Push push_;
  std::unique_ptr<Timer> timer_;
  Poll settings_;
  std::size_t packets_ = 1;  // in a request
  bool polling_ = false;
  Nanoseconds next_{};  // when this side's clock would ask again
  std::vector<usb::TransferId> asked_;
};

}  // namespace periplex::attachment
