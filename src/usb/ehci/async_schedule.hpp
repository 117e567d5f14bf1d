// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register_file.hpp"
#include "usb/batching/bus_addresses.hpp"
#include "usb/batching/pipes.hpp"
#include "usb/ehci/walk.hpp"

namespace periplex::usb::ehci {

/// The asynchronous schedule (EHCI 1.0 §4.8): a ring of queue heads for control and bulk endpoints.
///
/// One walk leads once round the ring, from where the last one ended, and so to every queue head there is. What is in
/// flight for one that is not met for a while, the guest has taken away; it is cancelled. Between walks only
/// ASYNCLISTADDR remembers a queue head, and it is one that the last walk met twice, so that a queue head which was
/// taken out before a walk began is never touched after that walk has ended (§4.8.2).
class AsyncSchedule {
 public:
  /// Queue heads a walk looks at. A longer ring is walked in parts.
  static constexpr std::size_t kMaxQueueHeads = 512;

  AsyncSchedule(batching::Surroundings& surroundings, const batching::BusAddresses& addresses,
                RegisterCell& list_address)
      : surroundings_(surroundings), addresses_(addresses), list_address_(list_address), pipes_(surroundings) {}

  /// `frame`: the present one. Whether the walk came round.
  bool walk(std::uint64_t frame, Walk& walk);
  [[nodiscard]] batching::Pipes& pipes() { return pipes_; }
  [[nodiscard]] const batching::Pipes& pipes() const { return pipes_; }

 private:
  /// Visits the queue head at `address`; where the next one is.
  [[nodiscard]] std::expected<std::uint32_t, guest::Fault> step(std::uint32_t address, batching::Pipes::Moment now,
                                                                Walk& walk);

  batching::Surroundings& surroundings_;
  const batching::BusAddresses& addresses_;
  RegisterCell& list_address_;
  batching::Pipes pipes_;
  std::vector<std::uint32_t> met_;  // in this walk; kept for its room
  std::uint64_t walks_ = 0;
  std::uint64_t frame_ = 0;  // the latest that there was a walk in
};

}  // namespace periplex::usb::ehci
