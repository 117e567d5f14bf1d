// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <vector>

#include "attachment/counters.hpp"
#include "attachment/jitter.hpp"
#include "attachment/messages.hpp"
#include "attachment/requests.hpp"
#include "base/time.hpp"

namespace periplex::attachment {

/// An isochronous OUT endpoint at the agent: gives the device the packets that the worker has sent ahead.
///
/// The first packets of a stream wait until as much is there as the measured jitter asks for; from then on all go to
/// the device as they come, where they wait for their intervals. When the device has played all that it had, the stream
/// has run dry: that is counted, and it begins again, with more kept ready. What is with the device is bounded; beyond
/// that the oldest of those that wait here are dropped.
class IsochronousSink {
 public:
  /// A stream that has been silent for this long begins anew.
  static constexpr Nanoseconds kPause = std::chrono::milliseconds(500);
  static constexpr Nanoseconds kMostWithDevice = std::chrono::milliseconds(400);
  static constexpr std::size_t kMaxWaiting = 4096;
  static constexpr std::size_t kMaxPacketsInRequest = 64;

  IsochronousSink(usb::EndpointAddress endpoint, Requests& requests, Scheduler& scheduler, ServerCounters& counters)
      : endpoint_(endpoint), requests_(requests), scheduler_(scheduler), counters_(counters) {}
  IsochronousSink(const IsochronousSink&) = delete;
  IsochronousSink& operator=(const IsochronousSink&) = delete;
  ~IsochronousSink();

  void on_packets(const IsochronousOut& message);
  /// The stream is over; what waits is dropped.
  void stop();

 private:
  void submit();
  void submit_first(std::size_t count);
  void on_answer(const usb::Transfer& transfer, Nanoseconds submitted);
  [[nodiscard]] std::size_t packets_in(Nanoseconds time) const;

  const usb::EndpointAddress endpoint_;
  Requests& requests_;
  Scheduler& scheduler_;
  ServerCounters& counters_;
  Jitter jitter_;
  Microseconds interval_{};
  std::deque<Bytes> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<usb::TransferId> submitted_;
  std::size_t with_device_ = 0;  // packets
  Nanoseconds last_arrival_{};
  bool playing_ = false;
  bool has_a_pace_ = false;  // the device does not take packets faster than their intervals pass
  std::size_t largest_arrival_ = 0;
};

}  // namespace periplex::attachment
