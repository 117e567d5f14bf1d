// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine/operations.hpp"

namespace periplex::control {

/// What Prometheus calls its text-based exposition format, version 0.0.4.
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted, as Prometheus scrapes it. Every sample has a label `machine`, those of a controller
/// `controller`, those of a peripheral also `peripheral`, those of an endpoint also `endpoint` and `type`.
///
/// Counters of an endpoint begin anew when the guest configures it again, which Prometheus expects of a counter.
[[nodiscard]] std::string metrics_text(const machine::MachineView& machine,
                                       const std::vector<machine::PeripheralView>& peripherals,
                                       const machine::Statistics& statistics);

}  // namespace periplex::control
