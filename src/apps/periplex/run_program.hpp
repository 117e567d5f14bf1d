// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace periplex::apps {

struct ProgramResult {
  int status = 0;      ///< exit status; -1 if it was ended by a signal
  std::string output;  ///< of its standard output, up to 64 KiB
};

/// Runs a program, found as a shell finds it, and waits for it. Empty: there is no such program.
[[nodiscard]] std::optional<ProgramResult> run_program(const std::vector<std::string>& words);

}  // namespace periplex::apps
