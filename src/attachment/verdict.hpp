// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string_view>

namespace periplex::attachment {

/// Whether a message of the far side could be obeyed; if not, what was wrong with it, for a person. The text lives for
/// ever.
using Verdict = std::expected<void, std::string_view>;

[[nodiscard]] inline std::unexpected<std::string_view> violation(std::string_view what) {
  return std::unexpected(what);
}

}  // namespace periplex::attachment
