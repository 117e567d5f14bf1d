// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/message_socket.hpp"

#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace periplex::vfio_user {
namespace {

constexpr std::size_t kBufferSize = std::size_t{64} * 1024;
// The kernel's SCM_MAX_FD: no message can bring more, so none is ever cut off for want of room.
constexpr std::size_t kMaxKernelFds = 253;
// A client that fills our descriptor table instead of sending messages is told good-bye.
constexpr std::size_t kMaxWaitingFds = 2 * kMaxKernelFds;

}  // namespace

MessageSocket::MessageSocket(UniqueFd socket) : socket_(std::move(socket)), in_(kBufferSize) {
  out_.reserve(kBufferSize);
  handed_over_.reserve(kMaxMessageFds);
}

void MessageSocket::make_room() {
  if (begin_ == end_) {
    base_ += end_;
    begin_ = end_ = 0;
    if (in_.size() > kBufferSize) {  // a large message has passed
      in_.resize(kBufferSize);
      in_.shrink_to_fit();
    }
    return;
  }
  // The rest of a message: it moves to the front, and the buffer grows to what its header announces (`next` has
  // refused sizes past the limit).
  std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
  base_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  if (end_ < Header::kSize) return;
  const std::size_t wanted = Header::parse(in_).size;
  if (wanted > in_.size()) in_.resize(wanted);
}

MessageSocket::Received MessageSocket::receive(Wait wait) {
  if (broken_) return Received::closed;
  make_room();
  iovec bytes{.iov_base = in_.data() + end_, .iov_len = in_.size() - end_};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMaxKernelFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const int flags = MSG_CMSG_CLOEXEC | (wait == Wait::no ? MSG_DONTWAIT : 0);
  const ssize_t count = ::recvmsg(socket_.get(), &message, flags);
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::closed;
  if (count == 0) return Received::closed;
  end_ += static_cast<std::size_t>(count);
  if (message.msg_controllen != 0 && !keep_fds(message)) {
    broken_ = true;
    return Received::closed;
  }
  return Received::bytes;
}

bool MessageSocket::keep_fds(const msghdr& message) {
  // unix(7): a read never goes past the data a set of descriptors was sent with, but it may start with earlier data
  // that had none. Both clients send one message per call, so the descriptors are those of the last message that
  // begins in what we have.
  const std::uint64_t owner = last_message_start();
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      arrived_.push_back({owner, UniqueFd(fd)});
    }
  }
  // Cut off: our descriptor table is full. Going on would arm the wrong vectors.
  return (message.msg_flags & MSG_CTRUNC) == 0 && arrived_.size() <= kMaxWaitingFds;
}

std::uint64_t MessageSocket::last_message_start() const {
  std::size_t start = begin_;
  while (end_ - start >= Header::kSize) {
    const std::size_t size = Header::parse(ByteView(in_).subspan(start)).size;
    if (size < Header::kSize || size >= end_ - start) break;
    start += size;
  }
  return base_ + start;
}

std::optional<Message> MessageSocket::next() {
  handed_over_.clear();
  const ByteView rest = ByteView(in_).subspan(begin_, end_ - begin_);
  if (broken_ || rest.size() < Header::kSize) return std::nullopt;
  const Header header = Header::parse(rest);
  if (header.size < Header::kSize || header.size > kMaxMessageSize) {
    broken_ = true;
    return std::nullopt;
  }
  if (rest.size() < header.size) return std::nullopt;
  if (!arrived_.empty()) hand_over_fds();
  begin_ += header.size;
  return Message{header, rest.subspan(Header::kSize, header.size - Header::kSize), handed_over_};
}

void MessageSocket::hand_over_fds() {
  const std::uint64_t position = base_ + begin_;
  for (ArrivedFd& arrived : arrived_) {
    if (arrived.owner == position) handed_over_.push_back(std::move(arrived.fd));
  }
  std::erase_if(arrived_, [position](const ArrivedFd& arrived) { return arrived.owner <= position; });
}

MessageSocket::Flushed MessageSocket::flush(std::span<const int> fds) {
  PERIPLEX_CHECK(fds.size() <= kMaxKernelFds);
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMaxKernelFds * sizeof(int))];
  while (unsent() > 0) {
    iovec bytes{.iov_base = out_.data() + sent_, .iov_len = unsent()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
    }
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? Flushed::partly : Flushed::closed;
    }
    fds = {};  // they have left with the first byte
    sent_ += static_cast<std::size_t>(count);
    total_sent_ += static_cast<std::uint64_t>(count);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kMaxMessageSize) {
    out_.shrink_to_fit();
    out_.reserve(kBufferSize);
  }
  return Flushed::all;
}

}  // namespace periplex::vfio_user
