// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

namespace periplex::sandbox {

/// Gives up every capability of this thread, those included that are held without being root.
[[nodiscard]] std::expected<void, std::string> drop_capabilities();

}  // namespace periplex::sandbox
