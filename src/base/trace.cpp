// SPDX-License-Identifier: Apache-2.0
#include "base/trace.hpp"

#include <cstdio>

namespace periplex::trace {

void write(std::string_view layer, std::string_view text) {
  std::fprintf(stderr, "trace %.*s: %.*s\n", static_cast<int>(layer.size()), layer.data(),
               static_cast<int>(text.size()), text.data());
}

}  // namespace periplex::trace
