// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>

#include "usb/batching/descriptor.hpp"
#include "usb/batching/pipe.hpp"

namespace periplex::usb::batching {

/// An isochronous endpoint (USB 2.0 §5.6) behind a schedule that gives each of its packets an interval of its own: a
/// frame (UHCI) or a microframe (EHCI). Intervals are counted by the controller, from 1 on, and never go back.
///
/// In each interval, in order, the controller carries out the packet that the schedule holds for it (`carry_out`), then
/// shows what it holds for the intervals of the window ahead (`show`), and ends with `hand_over`. Packets that have
/// been shown go to the device in few requests, ahead of their intervals; the guest gets each result in its packet's
/// own interval, whether the device was early or not:
///
/// - Device-bound packets are copied when they are handed over, and done in their interval. Nobody acknowledges them.
/// - Guest-bound packets get what the device has sent, in order. Where nothing has come by then the interval is missed;
///   what comes later is not lost, but goes to the next packets.
///
/// Guest memory is read and written inside these calls only.
class IsochronousPipe final : private TransferReceiver {
 public:
  /// Intervals that the device side may be behind before device-bound packets are dropped.
  static constexpr std::size_t kMaxIntervalsInFlight = 256;

  /// `window`: how many intervals ahead packets may be handed over, at least 2. They are once the first of them is
  /// only half a window away.
  IsochronousPipe(Surroundings& surroundings, Device& device, EndpointAddress endpoint, std::uint64_t window);
  IsochronousPipe(const IsochronousPipe&) = delete;
  IsochronousPipe& operator=(const IsochronousPipe&) = delete;
  ~IsochronousPipe();

  /// The schedule holds `packet` for `interval`, which is ahead. To be called in the order of the intervals; what was
  /// shown before changes nothing.
  void show(std::uint64_t interval, const Descriptor& packet);
  /// Hands over what has been shown, if it is time. `interval` is the present one.
  void hand_over(std::uint64_t interval);
  /// The interval of `packet` is there: what it gets. `Status::error`: nothing was there in time.
  [[nodiscard]] Outcome carry_out(std::uint64_t interval, const Descriptor& packet);

  /// The guest has stopped the stream: what is in flight is cancelled, and what came is forgotten.
  void withdraw();
  /// The device is gone, or is not to be called any more: nothing in flight will come back.
  void abandon();

  /// The last interval for which the schedule held something.
  [[nodiscard]] std::uint64_t last_interval() const { return last_interval_; }
  /// Whether the next packet should stand in an interval before `end`, and does not: packets have come as far apart as
  /// the last two.
  [[nodiscard]] bool starves(std::uint64_t end) const { return period_ != 0 && last_interval_ + period_ < end; }
  /// No packet is due until the schedule holds one again.
  void expect_nothing() { period_ = 0; }
  /// Whether the schedule holds packets ahead.
  [[nodiscard]] bool has_shown() const { return !shown_.empty(); }
  /// Whether packets are shown, in flight or waiting for their interval.
  [[nodiscard]] bool streaming() const { return !shown_.empty() || !requests_.empty() || !arrived_.empty(); }
  [[nodiscard]] const EndpointCounters& counters() const { return counters_; }

 private:
  struct Shown {
    std::uint64_t interval;
    Descriptor packet;
    bool handed_over;
  };
  struct Request {
    TransferId id;
    std::size_t packets;
  };
  struct Arrived {
    Status status;
    Bytes bytes;
  };

  void on_transfer_complete(Transfer& transfer, Completion completion) override;
  void note(std::uint64_t interval);
  [[nodiscard]] Outcome carry_out_in(const Descriptor& packet);
  [[nodiscard]] Outcome carry_out_out(const Descriptor& packet, bool handed_over);
  [[nodiscard]] Outcome missed();
  [[nodiscard]] bool has_room_for(std::size_t packets) const;
  bool submit(std::deque<Shown>::iterator first, std::deque<Shown>::iterator last);

  Surroundings& surroundings_;
  Device& device_;
  EndpointAddress endpoint_;
  std::uint64_t window_;
  std::uint64_t last_interval_ = 0;
  std::uint64_t period_ = 0;      // between the last two packets; 0: none is expected
  std::deque<Shown> shown_;       // by interval; those that are handed over come first
  std::deque<Request> requests_;  // that the device holds
  std::size_t in_flight_ = 0;     // packets of them
  std::deque<Arrived> arrived_;   // guest-bound packets that wait for their interval
  EndpointCounters counters_;
};

}  // namespace periplex::usb::batching
