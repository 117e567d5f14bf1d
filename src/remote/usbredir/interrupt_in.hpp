// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>

#include "remote/usbredir/pump.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::remote::usbredir {

/// An interrupt IN endpoint at the usb-guest: the far end pushes reports, which serve the guest's transfers in order.
///
/// While the guest asks too slowly for what comes, the far end is stopped and its device keeps the rest. Should reports
/// be lost all the same, because the far end does not stop, the guest gets an error in their place.
class InterruptIn {
 public:
  static constexpr std::size_t kPauseAt = 1024;
  static constexpr std::size_t kResumeAt = 64;
  static constexpr std::size_t kMaxReports = 4096;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

  InterruptIn(Wire& wire, usb::device::CompletionQueue& completions, usb::EndpointAddress endpoint,
              std::uint16_t max_packet_size)
      : pump_(wire, {.kind = PumpKind::interrupt, .endpoint = endpoint}),
        completions_(completions),
        max_packet_size_(max_packet_size) {}

  void submit(usb::TransferPtr transfer);
  /// False: it is none of ours.
  bool cancel(usb::TransferId id);
  void on_data(InterruptData&& data);
  void on_status(MessageId id, Result result);

  /// The guest uses the endpoint no more, or anew: reports for whoever used it are forgotten.
  void stop(usb::Status status);
  /// The same where the far end stops by itself.
  void forget(usb::Status status);

  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  struct Report {
    Result result;
    Bytes data;
  };

  void serve();
  void start_if_wanted();
  [[nodiscard]] bool serve_one();
  void take_front();
  void finish_front(usb::Completion completion);
  void clear(usb::Status status);

  Pump pump_;
  usb::device::CompletionQueue& completions_;
  const std::uint16_t max_packet_size_;
  std::deque<usb::TransferPtr> waiting_;
  std::size_t filled_ = 0;  // of the first that waits
  std::deque<Report> reports_;
  std::size_t bytes_ = 0;
  bool paused_ = false;  // stopped for want of room: what is on its way still counts
  std::optional<Result> failure_;
  std::uint64_t lost_ = 0;
};

}  // namespace periplex::remote::usbredir
