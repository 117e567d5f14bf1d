// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sandbox/confinement.hpp"
#include "sandbox/system_call_filter.hpp"

namespace periplex::apps {

/// What a worker that serves gives up (docs/gate.md, "Workers"): all it needs is open, or comes as an open descriptor.
/// What cannot be given up here is told, and nothing else.
[[nodiscard]] sandbox::Confinement confine_worker();

/// The system calls that a worker which serves may not make.
[[nodiscard]] sandbox::SystemCallFilter worker_filter();

}  // namespace periplex::apps
