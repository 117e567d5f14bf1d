// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <string_view>
#include <utility>

/// One line per register access, state transition and transfer, named from the declarations.
///
/// Off by default, and then one load and a branch: arguments are not formatted.
namespace periplex::trace {

inline bool enabled = false;  // set once at start-up, before any device model runs

void write(std::string_view layer, std::string_view text);

template <typename... Args>
void line(std::string_view layer, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled) [[likely]]
    return;
  write(layer, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace periplex::trace
