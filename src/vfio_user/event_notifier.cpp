// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/event_notifier.hpp"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace periplex::vfio_user {
namespace {

/// Whether the loop can wait for `fd`, which it takes for granted.
bool can_be_waited_for(int fd) {
  const UniqueFd probe(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {}};
  return ::epoll_ctl(probe.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

std::optional<EventNotifier> EventNotifier::adopt(UniqueFd fd) {
  struct stat status{};
  // An eventfd has no file type. What has one could raise SIGPIPE, block, or be a file that we would write into.
  if (::fstat(fd.get(), &status) != 0 || (status.st_mode & S_IFMT) != 0) return std::nullopt;
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0) return std::nullopt;
  if ((flags & O_NONBLOCK) == 0 && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return std::nullopt;
  if (!can_be_waited_for(fd.get())) return std::nullopt;
  return EventNotifier(std::move(fd));
}

void EventNotifier::signal() {
  const std::uint64_t one = 1;
  (void)!::write(fd_.get(), &one, sizeof one);
}

bool EventNotifier::drain() {
  std::uint64_t count = 0;
  const ssize_t size = ::read(fd_.get(), &count, sizeof count);
  return size == sizeof count || (size < 0 && errno == EAGAIN);
}

}  // namespace periplex::vfio_user
