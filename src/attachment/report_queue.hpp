// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>

#include "attachment/completions.hpp"
#include "attachment/configuration.hpp"
#include "attachment/remote_transfers.hpp"

namespace periplex::attachment {

/// An interrupt IN endpoint at the worker: reports that the agent has pushed, for a guest that asks when it likes.
///
/// The first transfer of the guest makes the agent ask the device by itself (POLL); from then on each report is here
/// one way after it happened. A report is one packet: the guest's transfers are filled with packets until one is full,
/// or a packet is short, as on a bus (USB 2.0 §5.7.3). At most `kReportWindow` packets wait; while as many do, the
/// agent does not ask the device, and nothing is dropped. When the guest has not asked for `kIdle`, the agent is told
/// to stop; what waits is kept.
///
/// Reports that have piled up, while there was no connection, go to the guest at no more than twice the pace at which
/// the device can make them: what reads them in a guest is made for a device's pace (Linux's evdev keeps 64 events, and
/// drops all when there are more).
class ReportQueue {
 public:
  static constexpr Nanoseconds kIdle = std::chrono::seconds(2);

  ReportQueue(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties, RemoteTransfers& agent,
              Completions& completions, Scheduler& scheduler, PeripheralCounters& counters);
  ReportQueue(const ReportQueue&) = delete;
  ReportQueue& operator=(const ReportQueue&) = delete;
  /// What the guest has not got back yet completes with `disconnected`.
  ~ReportQueue();

  void submit(usb::TransferPtr transfer);
  /// Whether `id` was one that waits here.
  bool cancel(usb::TransferId id);
  /// The agent is to stop before something else happens to the endpoint; `restart` makes it begin again after that, if
  /// the guest waits.
  void pause();
  void restart();
  /// What came, and what is under way, is of no use any more; what waits ends with `status`. `configure` makes it new.
  void flush(usb::Status status);
  /// The guest has set up the endpoint, perhaps with other properties.
  void configure(const Configuration::Endpoint& properties);

  [[nodiscard]] Verdict on_report(const Report& report);

 private:
  struct Waiting {
    usb::TransferPtr transfer;
    std::uint32_t filled = 0;
  };
  struct Packet {
    usb::Status status;
    Bytes data;
  };

  void poll();
  void extend_limit();
  void deliver();
  void deliver_first();
  [[nodiscard]] bool deliver_packet(Waiting& guest, const Packet& packet);
  void on_idle();

  const usb::EndpointAddress endpoint_;
  std::uint32_t packet_bytes_ = 0;
  RemoteTransfers& agent_;
  Completions& completions_;
  PeripheralCounters& counters_;
  Scheduler& scheduler_;
  std::unique_ptr<Timer> idle_;
  std::unique_ptr<Timer> pace_;
  Nanoseconds spacing_{};  // between two reports, at least
  Nanoseconds next_{};     // when the next one may go
  std::deque<Waiting> waiting_;
  std::deque<Packet> packets_;
  bool polling_ = false;
  std::uint32_t generation_ = 1;
  std::uint32_t arrived_ = 0;  // in this generation
  std::uint32_t limit_ = 0;    // of those, that the agent knows
};

}  // namespace periplex::attachment
