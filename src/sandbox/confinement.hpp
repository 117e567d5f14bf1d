// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace periplex::sandbox {

/// What a process has given up for good, for people who ask. What this kernel cannot do is missing, which is worth a
/// warning and no more: the other measures hold without it.
struct Confinement {
  std::vector<std::string> in_force;  ///< names, as "landlock"; docs/gate.md explains each
  std::vector<std::string> missing;   ///< each a sentence that says what and why
  bool operator==(const Confinement&) const = default;

  /// Notes that `name` is in force, or why it is not.
  void note(std::string_view name, const std::expected<void, std::string>& done);
};

/// "no-new-privileges, landlock; missing: …"
[[nodiscard]] std::string to_text(const Confinement& confinement);

/// Sanitizers look into /proc, start threads and trace their own process when it ends: what is built with one cannot be
/// confined as the others are.
[[nodiscard]] constexpr bool has_sanitizer() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace periplex::sandbox
