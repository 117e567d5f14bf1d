// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/running_process.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace periplex::apps {
namespace {

/// The process that has called listen(2); 0: none of ours.
pid_t listener_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return 0;
  path.copy(address.sun_path, path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 0;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
  return peer.uid == ::geteuid() ? peer.pid : 0;
}

}  // namespace

std::optional<RunningProcess> find_listener(const std::string& path) {
  const pid_t process = listener_of(path);
  if (process <= 0) return std::nullopt;
  // glibc 2.36 declares pidfd_open for C only, so it is called by number.
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  // Between the two it may have ended, and its number may be another's: who still answers is who is meant.
  if (!handle || listener_of(path) != process) return std::nullopt;
  return RunningProcess{.process = process, .handle = std::move(handle)};
}

}  // namespace periplex::apps
