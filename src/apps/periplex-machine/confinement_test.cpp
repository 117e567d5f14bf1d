// SPDX-License-Identifier: Apache-2.0
// What a worker cannot do any more, tried in processes that have given up what it gives up.
#include "apps/periplex-machine/confinement.hpp"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "sandbox/process.hpp"
#include "sandbox/testing/child.hpp"

namespace periplex::apps {
namespace {

using sandbox::testing::in_child;
using sandbox::testing::Outcome;
using sandbox::testing::said;

Outcome filtered(const std::function<std::string()>& body) {
  return in_child([&] {
    if (!sandbox::forbid_new_privileges() || !worker_filter().load()) return std::string("not in force");
    return body();
  });
}

TEST(WorkerFilter, RefusesFilesConnectionsProcessesAndCode) {
  EXPECT_EQ(filtered([] { return said(::open("/etc/passwd", O_RDONLY)); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::rename("/tmp/periplex-a", "/tmp/periplex-b")); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::socket(AF_UNIX, SOCK_STREAM, 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::fork()); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::kill(::getppid(), 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] {
              void* const code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return said(code == MAP_FAILED ? -1 : 0);
            }).said,
            "EPERM");
}

TEST(WorkerFilter, EndsAWorkerThatStartsProgramsTracesOrMounts) {
  for (const long number : {SYS_execve, SYS_execveat, SYS_ptrace, SYS_mount, SYS_bpf, SYS_io_uring_setup}) {
    const Outcome outcome = filtered([number] { return said(::syscall(number, 0, 0, 0, 0, 0)); });
    EXPECT_TRUE(outcome.killed_by(SIGSYS)) << number << ": " << outcome.said;
  }
}

TEST(WorkerFilter, AllowsThreadsAndTheEndOfItsSockets) {
  EXPECT_EQ(filtered([] {
              std::string heard;
              std::thread([&heard] { heard = said(::unlink("/nonexistent/socket")); }).join();
              return heard;
            }).said,
            "ENOENT");
  EXPECT_TRUE(filtered([]() -> std::string { std::abort(); }).killed_by(SIGABRT));
}

TEST(WorkerConfinement, TellsWhatIsInForce) {
  const Outcome outcome = in_child([] { return to_text(confine_worker()); });
  EXPECT_EQ(outcome.said, sandbox::has_sanitizer()
                              ? "no-new-privileges, no-inspection; missing: system-calls: it was built with a sanitizer"
                              : "no-new-privileges, no-inspection, system-calls");
}

}  // namespace
}  // namespace periplex::apps
