// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/periplex-seat/options.hpp"
#include "seat/configuration.hpp"

namespace periplex::apps {

/// Carries out `list` and `watch`; the latter until a signal ends it.
void show(const seat::Configuration& configuration, const SeatCommandLine& line);

}  // namespace periplex::apps
