// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace periplex::apps {

/// Why a file was not opened, or a connection not made, and what to do about it.
struct OpenError {
  std::string text;
  std::string advice;
};

}  // namespace periplex::apps
