// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>

#include "loop/unique_fd.hpp"

namespace periplex::apps {

/// A process that somebody else has started.
struct RunningProcess {
  pid_t process = 0;
  UniqueFd handle;  ///< a pidfd: readable once it has ended (pidfd_open(2))
};

/// Who listens on the Unix socket at `path`; nobody: it is not there, or is not of this process's own user.
[[nodiscard]] std::optional<RunningProcess> find_listener(const std::string& path);

}  // namespace periplex::apps
