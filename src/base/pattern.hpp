// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace periplex {

/// Whether `text` fits `pattern`, in which `*` stands for any characters and `?` for one. The time it takes is bounded
/// by the product of their lengths.
[[nodiscard]] bool fits(std::string_view pattern, std::string_view text);

}  // namespace periplex
