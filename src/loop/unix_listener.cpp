// SPDX-License-Identifier: Apache-2.0
#include "loop/unix_listener.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace periplex {
namespace {

// A few may wait: a machine's monitor was restarted before we noticed its end.
constexpr int kBacklog = 8;

std::unexpected<std::string> failure(const std::string& path, const char* what) {
  return std::unexpected(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// Makes `address` free to bind: nothing is there, or a socket without a listener, which is removed.
std::expected<void, std::string> make_free(const std::string& path, const sockaddr_un& address, int type) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return failure(path, "cannot look at it");
  }
  if (!S_ISSOCK(status.st_mode)) return std::unexpected(fmt::format("{} is in the way and is no socket", path));
  const UniqueFd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return failure(path, "cannot create a socket");
  if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN) {
    return std::unexpected(fmt::format("{} is served by another process already", path));
  }
  if (errno != ECONNREFUSED) return failure(path, "cannot find out whether it is in use");
  if (::unlink(path.c_str()) != 0) return failure(path, "cannot remove the old socket");
  return {};
}

}  // namespace

std::expected<UniqueFd, std::string> listen_unix(const UnixListenerOptions& options) {
  const std::string& path = options.path;
  const int type = options.messages ? SOCK_SEQPACKET : SOCK_STREAM;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return std::unexpected(
        fmt::format("'{}' is no socket path: it must have 1 to {} characters", path, sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  if (auto free = make_free(path, address, type); !free) return std::unexpected(free.error());

  UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return failure(path, "cannot create a socket");
  if (::bind(socket.get(), generic(address), sizeof address) != 0) return failure(path, "cannot create it");
  constexpr auto kUnchanged = static_cast<uid_t>(-1);
  if (options.owner || options.group) {
    if (::lchown(path.c_str(), options.owner.value_or(kUnchanged), options.group.value_or(kUnchanged)) != 0) {
      return failure(path, "cannot set its owner");
    }
  }
  if (::chmod(path.c_str(), options.mode) != 0) return failure(path, "cannot set its mode");
  if (::listen(socket.get(), kBacklog) != 0) return failure(path, "cannot listen on it");
  return socket;
}

}  // namespace periplex
