// SPDX-License-Identifier: Apache-2.0
#include "sandbox/capabilities.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace periplex::sandbox {

std::expected<void, std::string> drop_capabilities() {
  // An older kernel knows no ambient set, and then there is nothing in it.
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) == 0) return {};
  return std::unexpected(fmt::format("they cannot be given up: {}", std::strerror(errno)));
}

}  // namespace periplex::sandbox
