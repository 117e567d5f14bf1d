// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "sandbox/confinement.hpp"
#include "sandbox/process.hpp"
#include "sandbox/system_call_filter.hpp"

namespace periplex::apps {

/// With what the gate is left.
struct GateConfinement {
  std::optional<sandbox::User> user{};  ///< that it becomes
  int root = -1;                        ///< an empty directory, which becomes its root; -1: none. It is closed
};

/// Gives up everything that the gate does not need while it serves (docs/gate.md, "What it can do"), but for
/// descriptors that are open. To be called while there is one thread. What this kernel cannot do is told in what comes
/// back, and nothing else; the error is what must not be missing, as a text for a person.
[[nodiscard]] std::expected<sandbox::Confinement, std::string> confine(const GateConfinement& wanted);

/// The system calls of a gate that serves.
[[nodiscard]] sandbox::SystemCallFilter gate_filter();

}  // namespace periplex::apps
