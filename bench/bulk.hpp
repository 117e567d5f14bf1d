// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bench/statistics.hpp"
#include "usb/endpoint.hpp"

namespace periplex::bench {

/// Bulk throughput beside memcpy of the same buffers.
struct BulkResult {
  usb::Direction direction;
  std::uint32_t td_bytes;
  unsigned queued;  ///< TDs on the ring at any time
  Samples bytes_per_second;
  Samples memcpy_bytes_per_second;
  Samples ratio;            ///< of each pair of neighbouring runs
  Samples processor_ratio;  ///< processor time of the copy over the worker's for the same bytes
};

[[nodiscard]] std::vector<BulkResult> measure_bulk(unsigned repetitions);

}  // namespace periplex::bench
