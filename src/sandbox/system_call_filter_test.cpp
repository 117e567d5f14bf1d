// SPDX-License-Identifier: Apache-2.0
#include "sandbox/system_call_filter.hpp"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "sandbox/confinement.hpp"
#include "sandbox/process.hpp"
#include "sandbox/testing/child.hpp"

namespace periplex::sandbox {
namespace {

using Otherwise = SystemCallFilter::Otherwise;
using testing::in_child;
using testing::said;

TEST(SystemCallFilter, AllowsWhatItNamesAndRefusesTheRest) {
  if (has_sanitizer()) return;  // that makes system calls of its own
  const auto outcome = in_child([] {
    SystemCallFilter filter(Otherwise::refused);
    filter.allow({"write", "exit_group"});
    filter.allow_if("socketpair", {{.index = 0, .value = AF_UNIX}});
    if (!forbid_new_privileges() || !filter.load()) return std::string("not loaded");
    int ends[2];
    return said(::open("/etc/passwd", O_RDONLY)) + " " + said(::socket(AF_INET, SOCK_STREAM, 0)) + " " +
           said(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) + " " + said(::socketpair(AF_INET, SOCK_STREAM, 0, ends));
  });
  EXPECT_EQ(outcome.said, "EPERM EPERM ok EPERM");
  EXPECT_EQ(outcome.status, 0);
}

TEST(SystemCallFilter, EndsWhoeverDoesTheForbidden) {
  const auto outcome = in_child([] {
    SystemCallFilter filter(Otherwise::allowed);
    filter.kill({"execve"});
    if (!forbid_new_privileges() || !filter.load()) return std::string("not loaded");
    ::execl("/bin/true", "true", nullptr);
    return std::string("still there");
  });
  EXPECT_EQ(outcome.said, "");
  EXPECT_TRUE(outcome.killed_by(SIGSYS));
}

TEST(SystemCallFilter, HoldsForThreadsThatAreThereAlready) {
  const auto outcome = in_child([] {
    int gate[2];
    if (::pipe(gate) != 0) return std::string("no pipe");
    std::string heard;
    std::thread other([&] {
      char byte = 0;
      (void)!::read(gate[0], &byte, 1);
      heard = said(::open("/etc/passwd", O_RDONLY));
    });
    SystemCallFilter filter(Otherwise::allowed);
    filter.refuse({"open", "openat"});
    const bool loaded = forbid_new_privileges() && filter.load();
    (void)!::write(gate[1], "", 1);
    other.join();
    return loaded ? heard : std::string("not loaded");
  });
  EXPECT_EQ(outcome.said, "EPERM");
}

TEST(SystemCallFilter, NeedsThatNewPrivilegesAreForbiddenUnlessItIsRoots) {
  const auto outcome = in_child([] {
    if (::geteuid() == 0 && !become({.user = 65534, .group = 65534})) return std::string("not another user");
    SystemCallFilter filter(Otherwise::allowed);
    filter.refuse({"open"});
    return std::string(filter.load() ? "loaded" : "refused");
  });
  EXPECT_EQ(outcome.said, "refused");
}

}  // namespace
}  // namespace periplex::sandbox
