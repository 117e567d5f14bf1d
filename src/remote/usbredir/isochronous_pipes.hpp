// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>

#include "remote/usbredir/isochronous_clock.hpp"
#include "remote/usbredir/pump.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::remote::usbredir {

/// An isochronous IN endpoint at the usb-guest: the far end pushes packets, a buffer takes the jitter out.
///
/// The guest gets nothing until the buffer is filled as planned, then one packet per interval. When the buffer is empty
/// it is filled anew; when it overflows, because the two clocks differ or nobody asks, the oldest go.
class IsochronousIn {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
  /// The far end is stopped when nobody has asked for so long.
  static constexpr std::chrono::seconds kIdle{2};

  IsochronousIn(Wire& wire, usb::device::CompletionQueue& completions, Clock& clock, usb::EndpointAddress endpoint,
                const StreamPlan& plan)
      : pump_(wire, {.kind = PumpKind::isochronous,
                     .endpoint = endpoint,
                     .packets_per_urb = plan.packets_per_urb,
                     .urbs = plan.urbs}),
        completions_(completions),
        clock_(clock),
        plan_(plan) {}

  void submit(usb::TransferPtr transfer);
  void on_data(IsochronousData&& data);
  void on_status(MessageId id, Result result);
  void stop();
  void forget();

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void fill(usb::Transfer& transfer, usb::IsochronousPacket& packet);
  void drop_oldest();
  void clear();

  Pump pump_;
  usb::device::CompletionQueue& completions_;
  Clock& clock_;
  const StreamPlan plan_;
  std::deque<IsochronousData> packets_;
  std::size_t bytes_ = 0;
  bool filling_ = true;
  std::optional<Result> failure_;
  Nanoseconds asked_{};
  std::uint64_t dropped_ = 0;
};

/// An isochronous OUT endpoint at the usb-guest: packets go as the guest gives them, the far end keeps the time.
class IsochronousOut {
 public:
  IsochronousOut(Wire& wire, usb::device::CompletionQueue& completions, usb::EndpointAddress endpoint,
                 const StreamPlan& plan)
      : wire_(wire),
        pump_(wire, {.kind = PumpKind::isochronous,
                     .endpoint = endpoint,
                     .packets_per_urb = plan.packets_per_urb,
                     .urbs = plan.urbs}),
        completions_(completions) {}

  void submit(usb::TransferPtr transfer);
  void on_status(MessageId id, Result result);
  void stop();
  void forget();

 private:
  Wire& wire_;
  Pump pump_;
  usb::device::CompletionQueue& completions_;
  std::optional<Result> failure_;
  MessageId next_ = 0;  // packets are numbered by themselves: nothing answers them
};

}  // namespace periplex::remote::usbredir
