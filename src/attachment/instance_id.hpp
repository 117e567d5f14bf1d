// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <functional>

namespace periplex::attachment {

/// Names one life of one side's session state: 128 random bits. Whoever drops that state takes a new one, so that two
/// sides that name each other have the same history.
using InstanceId = std::array<std::byte, 16>;

/// Written where there is no instance to name. Never that of a side.
inline constexpr InstanceId kNoInstance{};

/// Gives a new random instance at each call.
using InstanceSource = std::function<InstanceId()>;

}  // namespace periplex::attachment
