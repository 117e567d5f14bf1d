// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "apps/periplex-seat/options.hpp"
#include "seat/configuration.hpp"

namespace periplex::apps {

/// Carries out `list` and `watch`; the latter until a signal ends it. The error is a sentence.
[[nodiscard]] std::expected<void, std::string> show(const seat::Configuration& configuration,
                                                    const SeatCommandLine& line);

}  // namespace periplex::apps
