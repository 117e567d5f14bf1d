// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace periplex::apps {

/// Small files that are there as a whole or not at all. Errors are texts for a person.

/// Empty: there is none.
[[nodiscard]] std::expected<std::optional<std::string>, std::string> read_small_file(const std::string& path);
/// Replaces it, and makes that durable. At no time can anybody read it whom `mode` does not let.
[[nodiscard]] std::expected<void, std::string> replace_file(const std::string& path, std::string_view content,
                                                            mode_t mode);
/// A directory of one's own, in which nobody else has more rights than `mode` says; made if need be, with those above
/// it.
[[nodiscard]] std::expected<void, std::string> make_own_directory(const std::string& path, mode_t mode = 0700);

}  // namespace periplex::apps
