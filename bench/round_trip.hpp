// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/statistics.hpp"

namespace periplex::bench {

/// Reads of a 4-byte register, beside messages of the same sizes that carry nothing.
struct RoundTripResult {
  Samples register_read;  ///< seconds
  Samples bare_socket;    ///< seconds
  Samples ratio;          ///< of each pair of neighbouring runs
};

[[nodiscard]] RoundTripResult measure_round_trip(unsigned repetitions);

}  // namespace periplex::bench
