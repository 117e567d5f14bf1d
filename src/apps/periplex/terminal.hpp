// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <string_view>

/// What commands give back, and how it is shown.
namespace periplex::apps {

/// Why a command failed, and what to do about it.
struct Failure {
  std::string text;
  std::string advice;
};

/// What a command prints.
struct Shown {
  std::string json;
  std::string text;  ///< may be empty; ends without a line feed
  int status = 0;
};

using Result = std::expected<Shown, Failure>;

/// Prints it, and gives the program's exit status.
[[nodiscard]] int show(const Result& result, bool json);

}  // namespace periplex::apps
