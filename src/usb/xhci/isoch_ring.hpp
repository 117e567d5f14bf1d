// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "usb/in_flight.hpp"
#include "usb/xhci/isoch_schedule.hpp"
#include "usb/xhci/transfer_ring.hpp"

namespace periplex::usb::xhci {

/// The transfer ring of an isochronous endpoint (xHCI 1.2 §4.11.2.3): a TD a service interval.
///
/// The controller is the clock. TDs go to the device ahead of their intervals, those of one frame as one transfer with
/// a packet each; the guest hears of a TD when its interval has passed and the device has answered, in order. A device
/// that is late delays events and loses nothing. Errors are those of one packet and never halt the endpoint (§4.10.2).
///
/// Where the guest has queued nothing in time, it gets one Ring Underrun or Overrun event (§4.10.3.1), and the ring
/// rests until its doorbell is rung. A Frame ID that has passed gives a Missed Service Error event (§4.10.3.2). A timer
/// is armed only while there are TDs.
class IsochRing final : public TransferRing, private TransferReceiver {
 public:
  /// How far ahead of its interval a TD goes to the device, or two intervals where those are longer. 4 ms is more than
  /// a loop on a busy host is late, so that the device side does not run dry, and less than anybody hears.
  static constexpr Microframes kAhead = 4 * kMicroframesPerFrame;

  /// The largest payload of an interval: Mult, Max Burst and packets of 1,024 bytes at their most, SuperSpeedPlus.
  static constexpr std::uint64_t kMaxPayload = std::uint64_t{96} << 10;

  /// Intervals are 2^`interval` microframes long.
  IsochRing(RingHost& host, const RingIdentity& identity, RingPosition start, unsigned interval);
  ~IsochRing() override;

  void advance() override;
  void cancel_all() override;
  [[nodiscard]] bool quiet() const override { return transfers_.empty(); }
  void come_to_rest() override;
  [[nodiscard]] RingPosition position() const override;
  void report_stopped() override;
  void set_position(RingPosition position) override;

 private:
  /// A TD that is not the guest's again yet.
  struct Entry {
    TransferDescriptor td;
    Microframes due;                            // the end of its interval
    TransferId transfer = {};                   // that carries it; none where the device never sees it
    std::optional<CompletionCode> result = {};  // once it has ended
    std::uint64_t actual = 0;
  };
  struct Carrier {
    TransferId id;
    bool cancelled = false;
  };
  /// TDs that will be one transfer: the last `entries` ones.
  struct Batch {
    Microframes frame = 0;
    std::size_t entries = 0;
  };

  void on_transfer_complete(Transfer& transfer, Completion completion) override;
  void tick();
  void fetch();
  bool accept(TransferDescriptor td, Microframes now, Batch& batch);
  void keep(TransferDescriptor td, Microframes due, std::optional<CompletionCode> result);
  void submit(Batch& batch);
  void settle(Entry& entry, const Transfer& transfer, Completion completion, std::size_t packet);
  void retire_due();
  void retire_first();
  void run_dry();
  void malformed(const TransferDescriptor::Malformed& what);
  void arm();
  [[nodiscard]] Microframes now() const;
  [[nodiscard]] TransferDescriptor::Report reporter() const;
  [[nodiscard]] Direction direction() const { return ring_direction(identity_.dci); }

  RingHost& host_;
  RingIdentity identity_;
  IsochSchedule schedule_;
  RingPosition fetch_;                             // where the next TD will be looked for
  std::optional<TransferDescriptor> interrupted_;  // the TD there, if it had been with the device already
  std::deque<Entry> entries_;
  std::size_t trbs_ = 0;                 // of all entries
  std::vector<Carrier> transfers_;       // that the device holds, oldest first
  std::optional<Microframes> wakes_at_;  // the TD at `fetch_` is too far in the future, until then
  Microframes dry_at_ = 0;               // with no entries: when the first interval without a TD has passed
  unsigned interrupter_ = 0;             // of the last TD, which gets the ring's own events
  std::unique_ptr<Timer> timer_;
};

}  // namespace periplex::usb::xhci
