// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace periplex::bench {

/// What a machine costs while its guest does nothing.
struct IdleResult {
  unsigned seconds;
  std::uint64_t wakeups;         ///< of the worker, in that time
  std::uint64_t resident_bytes;  ///< of the worker, without the guest's memory
  std::uint64_t private_bytes;   ///< of these, what is not a file's (the program itself and its libraries)
};

/// A worker with a running controller and an addressed device, left alone for `seconds`.
[[nodiscard]] IdleResult measure_idle(unsigned seconds);

}  // namespace periplex::bench
