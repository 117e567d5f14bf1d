// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace periplex::apps {

/// Why a file was not opened, or a connection not made, and what to do about it.
struct OpenError {
  std::string text;
  std::string advice;
  int error = 0;  ///< errno of the call that failed, where the caller may want to know
};

}  // namespace periplex::apps
