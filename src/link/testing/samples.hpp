// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "link/frame.hpp"

namespace periplex::link::testing {

/// One frame of each type, as docs/protocol.md shows it.
struct Sample {
  std::string name;
  FrameType type{};
  Bytes bytes;
};
[[nodiscard]] std::vector<Sample> samples();

/// Whether the payload is what the frame's type says.
[[nodiscard]] bool is_understood(const Frame& frame);

}  // namespace periplex::link::testing
