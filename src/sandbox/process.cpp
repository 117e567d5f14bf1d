// SPDX-License-Identifier: Apache-2.0
#include "sandbox/process.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace periplex::sandbox {
namespace {

constexpr unsigned kFirstDescriptor = 3;

std::unexpected<std::string> failure(std::string_view what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

Done close_others(std::span<const int> kept) {
  std::vector<unsigned> sorted(kept.begin(), kept.end());
  std::ranges::sort(sorted);
  unsigned first = kFirstDescriptor;
  sorted.push_back(~0U);  // what is above the last one
  for (const unsigned next : sorted) {
    const unsigned last = next == ~0U ? next : next - 1;
    if (next > first && ::close_range(first, last, 0) != 0) return failure("cannot close other descriptors");
    first = std::max(first, next + 1);
  }
  return {};
}

Done forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("cannot give up new privileges");
  return {};
}

Done forbid_inspection() {
  constexpr rlimit kNone{0, 0};
  if (::setrlimit(RLIMIT_CORE, &kNone) != 0) return failure("cannot forbid core files");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("cannot forbid others to look inside");
  return {};
}

Done forbid_resources() {
  constexpr rlimit kNone{0, 0};
  for (const auto resource : {RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE}) {
    if (::setrlimit(resource, &kNone) != 0) return failure("cannot set a limit");
  }
  return {};
}

std::expected<User, std::string> find_user(const std::string& name) {
  errno = 0;
  const passwd* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return std::unexpected(fmt::format("there is no user \"{}\"", name));
  return User{.user = entry->pw_uid, .group = entry->pw_gid};
}

Done become(const User& user) {
  if (::geteuid() == 0 && ::setgroups(0, nullptr) != 0) return failure("cannot leave other groups");
  if (::setresgid(user.group, user.group, user.group) != 0) return failure("cannot become another group");
  if (::setresuid(user.user, user.user, user.user) != 0) return failure("cannot become another user");
  if (user.user != 0 && ::setuid(0) == 0) return std::unexpected("what was given up can be taken back");
  return {};
}

Done confine_to(int directory) {
  if (::fchdir(directory) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0) return failure("cannot change the root");
  return {};
}

}  // namespace periplex::sandbox
