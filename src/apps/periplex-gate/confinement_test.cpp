// SPDX-License-Identifier: Apache-2.0
// What a gate cannot do any more, tried in processes that have given up what it gives up.
#include "apps/periplex-gate/confinement.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "link/testing/tls.hpp"
#include "sandbox/landlock.hpp"
#include "sandbox/testing/child.hpp"

namespace periplex::apps {
namespace {

using sandbox::testing::in_child;
using sandbox::testing::Outcome;
using sandbox::testing::said;

constexpr sandbox::User kNobody{.user = 65534, .group = 65534};

/// What `body` says under the filter.
Outcome filtered(const std::function<std::string()>& body) {
  return in_child([&] {
    if (!sandbox::forbid_new_privileges() || !gate_filter().load()) return std::string("not in force");
    return body();
  });
}

TEST(GateFilter, RefusesFilesSocketsProcessesAndCode) {
  EXPECT_EQ(filtered([] { return said(::open("/etc/passwd", O_RDONLY)); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::unlink("/tmp/periplex-nothing")); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::socket(AF_INET, SOCK_STREAM, 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::socket(AF_UNIX, SOCK_STREAM, 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] {
              const sockaddr_in address{};
              return said(::connect(0, reinterpret_cast<const sockaddr*>(&address), sizeof address));
            }).said,
            "EPERM");
  EXPECT_EQ(filtered([] { return said(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] { return said(::kill(::getppid(), 0)); }).said, "EPERM");
  EXPECT_EQ(filtered([] {
              void* const code = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return said(code == MAP_FAILED ? -1 : 0);
            }).said,
            "EPERM");
  EXPECT_EQ(filtered([] {
              const int on = 1;
              return said(::setsockopt(0, SOL_SOCKET, SO_BROADCAST, &on, sizeof on));
            }).said,
            "EPERM");
}

TEST(GateFilter, EndsAGateThatStartsProgramsTracesOrMounts) {
  for (const long number : {SYS_execve, SYS_execveat, SYS_ptrace, SYS_mount, SYS_bpf, SYS_io_uring_setup,
                            SYS_process_vm_writev, SYS_unshare}) {
    const Outcome outcome = filtered([number] { return said(::syscall(number, 0, 0, 0, 0, 0)); });
    EXPECT_TRUE(outcome.killed_by(SIGSYS)) << number << ": " << outcome.said;
  }
}

TEST(GateFilter, AllowsTheStreamsOfWorkers) {
  EXPECT_EQ(filtered([] {
              int ends[2];
              return said(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) + " " +
                     said(::socketpair(AF_INET, SOCK_STREAM, 0, ends));
            }).said,
            "ok EPERM");
}

TEST(GateFilter, ACheckThatFailsEndsItAsEver) {
  EXPECT_TRUE(filtered([]() -> std::string { std::abort(); }).killed_by(SIGABRT));
}

TEST(GateConfinementTest, GivesUpAllThereIs) {
  const std::string empty = ::testing::TempDir() + fmt::format("periplex-gate-root-{}", ::getpid());
  std::filesystem::create_directories(empty);
  const Outcome outcome = in_child([&] {
    const int root = ::open(empty.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const auto confined = confine({.user = kNobody, .root = root});
    return confined ? to_text(*confined) : confined.error();
  });
  std::filesystem::remove_all(empty);
  std::vector<const char*> measures{"no-new-privileges", "no-inspection"};
  if (!sandbox::has_sanitizer()) {
    measures.insert(measures.end(), {"no-capabilities", "no-resources", "system-calls"});
    if (::geteuid() == 0) measures.insert(measures.end(), {"own-user", "empty-root"});
    if (sandbox::landlock_version() > 0) measures.push_back("landlock");
  }
  const std::string in_force = outcome.said.substr(0, outcome.said.find("; missing"));
  for (const char* const measure : measures) EXPECT_NE(in_force.find(measure), std::string::npos) << outcome.said;
}

TEST(GateConfinementTest, TlsStillWorks) {
  const Outcome outcome = in_child([] {
    const auto confined = confine({});
    if (!confined) return confined.error();
    const auto& certificates = link::testing::Certificates::get();
    const auto context = link::TlsContext::make({.role = link::TlsContext::Role::gate,
                                                 .own = certificates.gate,
                                                 .authority = certificates.authority.certificate,
                                                 .peer = link::TlsContext::Peer::may_be_unknown,
                                                 .protocols = {link::kLinkProtocol}});
    return context ? std::string("ok") : context.error();
  });
  EXPECT_EQ(outcome.said, "ok");
}

}  // namespace
}  // namespace periplex::apps
