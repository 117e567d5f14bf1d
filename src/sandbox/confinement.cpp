// SPDX-License-Identifier: Apache-2.0
#include "sandbox/confinement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace periplex::sandbox {

void Confinement::note(std::string_view name, const std::expected<void, std::string>& done) {
  if (done) {
    in_force.emplace_back(name);
  } else {
    missing.push_back(fmt::format("{}: {}", name, done.error()));
  }
}

std::string to_text(const Confinement& confinement) {
  std::string text =
      confinement.in_force.empty() ? "nothing" : fmt::format("{}", fmt::join(confinement.in_force, ", "));
  if (!confinement.missing.empty()) text += fmt::format("; missing: {}", fmt::join(confinement.missing, "; "));
  return text;
}

}  // namespace periplex::sandbox
