// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace periplex::attachment {

/// What has happened to one peripheral at the worker's side since its session began.
struct PeripheralCounters {
  std::uint64_t submitted = 0;      ///< transfers that went to the agent
  std::uint64_t answered_here = 0;  ///< control transfers that did not need to
  std::uint64_t given_up = 0;  ///< given back to the guest before the agent had answered: cancelled, or held too long
  std::uint64_t late_results = 0;  ///< that came for those

  std::uint64_t reports = 0;        ///< that the agent has pushed
  std::uint64_t stale_reports = 0;  ///< of them, sent before a reset or a new configuration: of no use any more
  std::uint64_t full_queues = 0;    ///< how often as many reports waited as may: the device was held up

  std::uint64_t packets_out = 0;          ///< isochronous packets that were sent ahead
  std::uint64_t packets_out_dropped = 0;  ///< of the guest's, because there was no connection or no room
  std::uint64_t packets_in = 0;           ///< isochronous packets that came
  std::uint64_t packets_in_dropped = 0;   ///< of them, because too many waited
  std::uint64_t under_runs = 0;           ///< how often the guest asked, in a running stream, and nothing was there

  std::uint64_t holds = 0;  ///< how often the connection was lost while the device was plugged in
};

/// The same at the agent's side.
struct ServerCounters {
  std::uint64_t transfers = 0;            ///< that the worker has sent
  std::uint64_t reports = 0;              ///< that were pushed
  std::uint64_t reports_held_up = 0;      ///< how often the device was not asked because the worker had no room
  std::uint64_t packets_in = 0;           ///< isochronous packets that were pushed
  std::uint64_t packets_in_dropped = 0;   ///< that were not, because there was no connection or no room
  std::uint64_t packets_out = 0;          ///< isochronous packets that went to the device
  std::uint64_t packets_out_dropped = 0;  ///< that did not, because too many waited
  std::uint64_t under_runs = 0;           ///< how often the device had played all that was there
};

}  // namespace periplex::attachment
