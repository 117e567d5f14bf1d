// SPDX-License-Identifier: Apache-2.0
#include "sandbox/process.hpp"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/capabilities.hpp"
#include "sandbox/testing/child.hpp"

namespace periplex::sandbox {
namespace {

using testing::in_child;
using testing::kToTheTest;
using testing::said;

/// What only root can do is refused to others.
std::string for_root(const char* expected, const char* otherwise) {
  return ::geteuid() == 0 ? expected : otherwise;
}

TEST(Process, ClosesDescriptorsButThoseThatAreKept) {
  const auto outcome = in_child([] {
    for (const int number : {100, 101, 103}) (void)::dup2(2, number);
    if (!close_others(std::array{101, kToTheTest, 100})) return std::string("not closed");
    std::string open;
    for (const int number : {2, 100, 101, 103}) open += said(::fcntl(number, F_GETFD)) + " ";
    return open;
  });
  EXPECT_EQ(outcome.said, "ok ok ok EBADF ");
}

TEST(Process, BecomesAnotherUserForGood) {
  const auto outcome = in_child([] {
    if (const auto done = become({.user = 65533, .group = 65533}); !done) return done.error();
    if (const auto done = drop_capabilities(); !done) return done.error();
    return fmt::format("{} {} {} {}", ::getuid(), ::getegid(), ::getgroups(0, nullptr), said(::setuid(0)));
  });
  EXPECT_EQ(outcome.said, for_root("65533 65533 0 EPERM", "cannot become another group: Operation not permitted"));
}

TEST(Process, SeesNothingButItsOwnRoot) {
  const std::string empty = ::testing::TempDir() + fmt::format("periplex-empty-{}", ::getpid());
  std::filesystem::create_directories(empty);
  const auto outcome = in_child([&] {
    const int directory = ::open(empty.c_str(), O_PATH | O_DIRECTORY);
    if (const auto done = confine_to(directory); !done) return done.error();
    return said(::open("/etc/passwd", O_RDONLY)) + " " + said(::open("../../etc", O_RDONLY));
  });
  std::filesystem::remove_all(empty);
  EXPECT_EQ(outcome.said, for_root("ENOENT ENOENT", "cannot change the root: Operation not permitted"));
}

TEST(Process, GivesUpCoreFilesTracingPrivilegesAndResources) {
  const auto outcome = in_child([] {
    if (!forbid_new_privileges() || !forbid_inspection() || !forbid_resources()) return std::string("not in force");
    rlimit core{1, 1};
    rlimit processes{1, 1};
    (void)::getrlimit(RLIMIT_CORE, &core);
    (void)::getrlimit(RLIMIT_NPROC, &processes);
    return fmt::format("{} {} {} {}", ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ::prctl(PR_GET_DUMPABLE), core.rlim_max,
                       processes.rlim_max);
  });
  EXPECT_EQ(outcome.said, "1 0 0 0");
}

TEST(Process, FindsUsersByName) {
  EXPECT_EQ(find_user("root").value(), (User{.user = 0, .group = 0}));
  EXPECT_FALSE(find_user("nobody-has-this-name"));
}

}  // namespace
}  // namespace periplex::sandbox
