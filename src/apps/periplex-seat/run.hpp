// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "apps/open_error.hpp"
#include "apps/periplex-seat/pairing.hpp"
#include "seat/configuration.hpp"

namespace periplex::apps {

struct RunRequest {
  seat::Configuration configuration;
  Pairing pairing;
  std::string name;  ///< what this computer calls itself
};

/// The agent: offers peripherals and lends them, until SIGINT or SIGTERM; all is given back then.
[[nodiscard]] std::expected<void, OpenError> run_seat(const RunRequest& request);

}  // namespace periplex::apps
