// SPDX-License-Identifier: Apache-2.0
#include "sandbox/landlock.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace periplex::sandbox {
namespace {

/// As in the kernel's newest ABI; an older one takes the beginning of it (landlock_create_ruleset(2)).
struct Handled {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scoped = 0;
};
static_assert(sizeof(Handled) == 24);

/// How many rights to files each version knows, from 1 on; each is one bit, from the lowest on.
constexpr std::array<int, 5> kFileRights{13, 14, 15, 15, 16};
constexpr std::uint64_t kBindAndConnectTcp = 3;
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;

std::uint64_t bits(int count) {
  return (std::uint64_t{1} << count) - 1;
}

std::unexpected<std::string> failure(const char* what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

bool permit(int ruleset, const Permitted& one) {
  const int directory = ::open(one.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno == ENOENT;
  const landlock_path_beneath_attr rule{.allowed_access = one.access, .parent_fd = directory};
  const auto added = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(directory);
  return added == 0;
}

}  // namespace

int landlock_version() {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

std::expected<void, std::string> forbid_files(std::span<const Permitted> permitted) {
  const int version = landlock_version();
  if (version < 1) return std::unexpected("this kernel has no Landlock, or has it switched off");
  const auto known = std::min<std::size_t>(static_cast<std::size_t>(version), kFileRights.size());
  Handled handled{.files = bits(kFileRights[known - 1])};
  std::size_t size = offsetof(Handled, network);
  if (version >= 4) {
    handled.network = kBindAndConnectTcp;
    size = offsetof(Handled, scoped);
  }
  if (version >= 6) {
    handled.scoped = kAbstractSocketsAndSignals;
    size = sizeof handled;
  }
  const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0));
  if (ruleset < 0) return failure("no rules can be made");
  bool good = true;
  for (const Permitted& one : permitted) good = good && permit(ruleset, one);
  good = good && ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  const int error = errno;
  ::close(ruleset);
  errno = error;
  if (!good) return failure("the rules are not taken");
  return {};
}

}  // namespace periplex::sandbox
