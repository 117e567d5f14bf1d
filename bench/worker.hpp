// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/time.hpp"
#include "bench/child_process.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::bench {

/// What the worker process is made of.
struct WorkerPlan {
  Processor processor;
  Microseconds spin{0};         ///< EventLoop::set_max_spin
  std::size_t device_size = 0;  ///< bytes of the memory device's own memory
};

/// A machine as `periplex-machine` serves it, in a process of its own: one xHCI controller behind a vfio-user socket,
/// with a memory device plugged in.
class Worker {
 public:
  explicit Worker(const WorkerPlan& plan);
  ~Worker();

  [[nodiscard]] const std::string& socket_path() const { return path_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  std::string directory_;
  std::string path_;
  UniqueFd listening_;
  ChildProcess process_;
};

}  // namespace periplex::bench
