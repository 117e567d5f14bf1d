// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "link/ids.hpp"

/// What the gate gives a new session, from the kernel's random numbers.
namespace periplex::link {

[[nodiscard]] Secret random_secret();
/// Never 0.
[[nodiscard]] SessionId random_session_id();

}  // namespace periplex::link
