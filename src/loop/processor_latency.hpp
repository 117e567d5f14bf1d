// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.hpp"
#include "loop/unique_fd.hpp"

namespace periplex {

/// Keeps this computer's processors out of deep sleep while somebody works, through Linux's /dev/cpu_dma_latency (PM
/// QoS, Documentation/power/pm_qos_interface.rst).
///
/// A register access wakes two threads of the machine's monitor, one after the other. Where that means waking an idle
/// core it costs more than all the rest. The price is power (of all cores), so the request stands only for `kHold`
/// after the last `touch`; it ends with this object too, and with the process.
class ProcessorLatency {
 public:
  static constexpr Nanoseconds kHold = std::chrono::milliseconds(20);

  /// `device` is open for writing.
  ProcessorLatency(Scheduler& scheduler, UniqueFd device);

  /// There is work now. Costs a clock read while the request stands.
  void touch();
  [[nodiscard]] bool held() const { return held_; }

 private:
  void on_timer();
  void request(std::int32_t microseconds);

  Scheduler& scheduler_;
  UniqueFd device_;
  std::unique_ptr<Timer> timer_;
  Nanoseconds last_{};
  bool held_ = false;
};

}  // namespace periplex
