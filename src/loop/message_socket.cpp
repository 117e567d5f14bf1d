// SPDX-License-Identifier: Apache-2.0
#include "loop/message_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace periplex {
namespace {

constexpr int kMessagesPerTurn = 16;  // others on the loop have their turns, too
constexpr std::size_t kMaxDescriptors = 4;

/// Takes all descriptors that came, so that none is left open by accident; the first counts.
UniqueFd take_descriptors(msghdr& message, std::size_t& count) {
  UniqueFd first;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t here = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < here; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      UniqueFd descriptor(number);
      if (count++ == 0) first = std::move(descriptor);
    }
  }
  return first;
}

}  // namespace

MessageSocket::MessageSocket(EventLoop& loop, UniqueFd socket, Events events)
    : socket_(std::move(socket)),
      events_(std::move(events)),
      watch_(loop.watch(socket_.get(), EPOLLIN, [this](std::uint32_t ready) { on_ready(ready); })) {}

MessageSocket::~MessageSocket() {
  *alive_ = false;
}

bool MessageSocket::send(std::string_view text, int descriptor) {
  if (!watch_ || text.empty() || text.size() > kMaxText) return false;
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
}

void MessageSocket::on_ready(std::uint32_t events) {
  const std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    if (!receive() || !*alive || !watch_) return;
  }
  if ((events & EPOLLIN) == 0) close();
}

/// Whether there may be more.
bool MessageSocket::receive() {
  std::array<char, kMaxText + 1> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) close();
    return false;
  }
  std::size_t descriptors = 0;
  UniqueFd descriptor = take_descriptors(message, descriptors);
  const bool good = count > 0 && static_cast<std::size_t>(count) <= kMaxText && descriptors <= 1 &&
                    (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (!good) return close(), false;
  events_.received({text.data(), static_cast<std::size_t>(count)}, std::move(descriptor));
  return true;
}

void MessageSocket::close() {
  watch_.reset();
  socket_.reset();
  const auto closed = std::move(events_.closed);
  if (closed) closed();
}

std::expected<UniqueFd, int> connect_messages(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::unexpected(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return std::unexpected(errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(errno);
  }
  return socket;
}

}  // namespace periplex
