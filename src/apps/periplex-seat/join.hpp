// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "apps/open_error.hpp"
#include "link/token.hpp"

namespace periplex::apps {

struct JoinRequest {
  link::Token token;
  std::string gate;       ///< HOST or HOST:PORT
  std::string name;       ///< what this computer calls itself
  std::string directory;  ///< where the pairing is kept
};

/// Pairs this seat with the host that made the token; what the host calls it. Waits for the host, no longer than half a
/// minute. A pairing that there was stays until the new one is there.
[[nodiscard]] std::expected<std::string, OpenError> join(const JoinRequest& request);

}  // namespace periplex::apps
