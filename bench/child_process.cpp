// SPDX-License-Identifier: Apache-2.0
#include "bench/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace periplex::bench {
namespace {

/// What this process could use before anything was pinned.
const cpu_set_t& usable() {
  static const cpu_set_t set = [] {
    cpu_set_t all;
    CPU_ZERO(&all);
    if (::sched_getaffinity(0, sizeof all, &all) != 0) throw std::system_error(errno, std::generic_category());
    return all;
  }();
  return set;
}

}  // namespace

unsigned processors() {
  return static_cast<unsigned>(CPU_COUNT(&usable()));
}

void pin(Processor index) {
  cpu_set_t set = usable();
  if (index) {
    unsigned skip = *index % processors();
    CPU_ZERO(&set);
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &usable()) && skip-- == 0) {
        CPU_SET(processor, &set);
        break;
      }
    }
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) throw std::system_error(errno, std::generic_category());
}

ChildProcess::ChildProcess(Processor processor, const std::function<void()>& body) : pid_((usable(), ::fork())) {
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no child outlives the benchmark
  try {
    pin(processor);
    body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex_bench: %s\n", error.what());
    std::_Exit(1);
  }
  std::_Exit(0);
}

ChildProcess::~ChildProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace periplex::bench
