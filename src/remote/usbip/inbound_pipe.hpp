// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/transfer.hpp"

namespace periplex::remote::usbip {

/// Guest-bound data of one bulk or interrupt endpoint: matches what the far end sends with what the guest asks for.
///
/// Bulk: one request for each transfer of the guest. Interrupt: always `ahead` requests, so that reports come without a
/// round trip for each. What the guest has not fetched yet waits here, up to `kMostKept` reports; then the far end is
/// not asked any more, and the device is as one that is not polled.
///
/// A transfer that the guest withdraws ends at once. What the far end had sent for it nevertheless goes to the next: a
/// guest's controller withdraws transfers for reasons of its own, and the device has given that data away.
class InboundPipe {
 public:
  /// Makes requests to the far end, and takes finished transfers.
  class Far {
   public:
    /// Asks for up to `room` bytes; returns the request's number.
    [[nodiscard]] virtual std::uint32_t ask(usb::EndpointAddress endpoint, std::uint32_t room) = 0;
    /// Request `number` is to end; its answer still comes.
    virtual void withdraw(std::uint32_t number) = 0;
    /// Completes `transfer` from the loop.
    virtual void finish(usb::TransferPtr transfer, usb::Completion completion) = 0;
    /// There is something for a guest that does not ask.
    virtual void on_unasked(usb::EndpointAddress endpoint) = 0;
    /// Whether a guest that does not ask may still want to know.
    [[nodiscard]] virtual bool listens_unasked() const = 0;

   protected:
    ~Far() = default;
  };

  /// How long requests are kept at the far end after the guest has stopped asking.
  static constexpr Nanoseconds kQuietTime = std::chrono::seconds(1);

  /// Reports that wait for a guest which is late.
  static constexpr std::size_t kMostKept = 128;

  /// `ahead` is 0 for bulk.
  InboundPipe(usb::EndpointAddress endpoint, std::size_t ahead, Far& far, Scheduler& scheduler);

  void submit(usb::TransferPtr transfer);
  /// Whether `id` waits here; it is finished then.
  bool cancel(usb::TransferId id);
  /// The answer to request `number`: `data` is what came before it ended so.
  void on_answer(std::uint32_t number, ByteView data, usb::Status status);
  /// The endpoint starts afresh: what has come is dropped and what was asked for is withdrawn.
  void start_afresh();
  /// Asks for what the guest still waits for, after that.
  void resume() { fill(); }
  /// Ends all that the guest waits for.
  void finish_all(usb::Status status);

 private:
  struct Waiting {
    usb::TransferPtr transfer;
    std::uint32_t filled = 0;
  };
  struct Request {
    std::uint32_t number = 0;
    std::uint32_t room = 0;
    bool withdrawn = false;
  };
  /// What one answer brought.
  struct Run {
    Bytes bytes;
    std::size_t taken = 0;
    usb::Status status = usb::Status::ok;
    bool ended_short = false;
  };

  void deliver();
  [[nodiscard]] bool deliver_run();
  void fill();
  [[nodiscard]] std::size_t live_requests() const;
  [[nodiscard]] std::uint32_t next_room() const;
  void on_quiet();

  usb::EndpointAddress endpoint_;
  const std::size_t ahead_;
  Far& far_;
  std::unique_ptr<Timer> quiet_;
  std::deque<Waiting> waiting_;   // oldest first, as all of these
  std::deque<Request> requests_;  // at the far end
  std::deque<Run> runs_;          // that nobody has taken whole
  std::uint32_t room_ = 0;        // the largest transfer of the guest so far
  bool asks_ahead_ = false;
  bool failed_ = false;  // an answer was an error; those behind it will be, too, until the guest asks again
};

}  // namespace periplex::remote::usbip
