// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.hpp"

#include <cstddef>

namespace periplex {

bool fits(std::string_view pattern, std::string_view text) {
  // After a mismatch only the last star need take more: an earlier one gains nothing by it.
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

}  // namespace periplex
