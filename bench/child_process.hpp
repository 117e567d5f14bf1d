// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <sys/types.h>

namespace periplex::bench {

/// Where a process runs: on one processor, or anywhere.
using Processor = std::optional<unsigned>;

/// Pins the calling thread to the `index`th processor it may use (counted round), or to none.
void pin(Processor index);
/// How many processors this process may use.
[[nodiscard]] unsigned processors();

/// Another process that runs a function until it is no longer wanted, when it is killed.
class ChildProcess {
 public:
  ChildProcess(Processor processor, const std::function<void()>& body);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace periplex::bench
