// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/statistics.hpp"
#include "usb/endpoint.hpp"

namespace periplex::bench {

/// Throughput of one controller in front of a device side that answers after a delay, beside what the delay allows.
struct BatchingResult {
  std::string controller;
  usb::Direction direction;
  std::uint32_t data_set;        ///< N, bytes
  unsigned in_flight;            ///< k, data sets that the driver keeps queued
  double delay_seconds;          ///< D
  double requests_per_data_set;  ///< to the device side; 1 is what batching is for
  double packets_per_request;
  Samples bytes_per_second;
  Samples ratio;  ///< over min(B, k·N / (D + N/B)), with B measured at D = 0 in the same repetition
};
[[nodiscard]] std::vector<BatchingResult> measure_batching(unsigned repetitions);

/// What a controller's own work costs: driver, controller and one copy at the device, on one processor.
struct CostResult {
  std::string controller;
  usb::Direction direction;
  std::uint32_t data_set;
  std::uint64_t packets;  ///< descriptors of one data set
  Samples nanoseconds_per_byte;
  Samples nanoseconds_per_packet;
};
[[nodiscard]] std::vector<CostResult> measure_cost(unsigned repetitions);

/// Moves `data_sets` of `bytes` each through `controller`, four queued at any time: for a profiler. Throws if
/// there is no such controller.
void move_data_sets(std::string_view controller, usb::Direction direction, std::uint32_t bytes,
                    std::uint64_t data_sets);

/// Wake-ups per second of a loop with one controller and one configured, idle device.
struct ControllerIdleResult {
  std::string controller;
  double running;  ///< R/S = 1, nothing queued
  double stopped;  ///< R/S = 0
};
[[nodiscard]] std::vector<ControllerIdleResult> measure_controller_idle(unsigned seconds);

}  // namespace periplex::bench
