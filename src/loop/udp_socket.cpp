// SPDX-License-Identifier: Apache-2.0
#include "loop/udp_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <utility>

namespace periplex {
namespace {

constexpr int kDatagramsPerTurn = 64;  // others on the loop have their turns, too
constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(in6_pktinfo));
static_assert(sizeof(in_pktinfo) <= sizeof(in6_pktinfo));

Bytes copy(const void* from, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(from);
  return {bytes, bytes + size};
}

/// On which of our addresses it has come.
Bytes local_of(msghdr& message) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof info);
      // By which interface an answer leaves is for the routes to say, but where an address is one interface's.
      if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
      return copy(&info, sizeof info);
    }
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof info);
      info.ipi_spec_dst = info.ipi_addr;
      info.ipi_ifindex = 0;
      return copy(&info, sizeof info);
    }
  }
  return {};
}

void put_local(msghdr& message, const Bytes& local) {
  const bool six = local.size() == sizeof(in6_pktinfo);
  cmsghdr* const control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
  control->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
  control->cmsg_len = CMSG_LEN(local.size());
  std::memcpy(CMSG_DATA(control), local.data(), local.size());
  message.msg_controllen = CMSG_SPACE(local.size());
}

}  // namespace

UdpSocket::UdpSocket(EventLoop& loop, UniqueFd socket, OnDatagram on_datagram)
    : socket_(std::move(socket)),
      on_datagram_(std::move(on_datagram)),
      watch_(loop.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); })) {
  const int on = 1;
  (void)::setsockopt(socket_.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

UdpSocket::~UdpSocket() {
  *alive_ = false;
}

void UdpSocket::mark_urgent() {
  const int expedited = 46 << 2;
  (void)::setsockopt(socket_.get(), IPPROTO_IP, IP_TOS, &expedited, sizeof expedited);
  (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_TCLASS, &expedited, sizeof expedited);
}

void UdpSocket::send(const UdpPath& path, ByteView datagram) {
  iovec part{const_cast<std::byte*>(datagram.data()), datagram.size()};
  Bytes far = path.far;
  alignas(cmsghdr) std::array<char, kControlSize> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!far.empty()) {
    message.msg_name = far.data();
    message.msg_namelen = static_cast<socklen_t>(far.size());
  }
  if (!path.local.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    put_local(message, path.local);
  }
  (void)::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void UdpSocket::on_ready() {
  const std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kDatagramsPerTurn && *alive; ++i) {
    if (!receive()) return;
  }
}

/// Whether there may be more.
bool UdpSocket::receive() {
  std::array<std::byte, kMaxDatagram> bytes;
  sockaddr_storage far{};
  alignas(cmsghdr) std::array<char, kControlSize * 2> control{};
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_name = &far;
  message.msg_namelen = sizeof far;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
  // The kernel tells here what became of an earlier datagram: nobody listens, there is no route. It says so once.
  if (count < 0) return errno != EAGAIN;
  if ((message.msg_flags & MSG_TRUNC) != 0) return true;
  const UdpPath path{.far = copy(&far, message.msg_namelen), .local = local_of(message)};
  on_datagram_(path, ByteView(bytes).first(static_cast<std::size_t>(count)));
  return true;
}

std::expected<UniqueFd, int> connect_udp_beside(int tcp_socket) {
  sockaddr_storage far{};
  socklen_t size = sizeof far;
  if (::getpeername(tcp_socket, reinterpret_cast<sockaddr*>(&far), &size) != 0) return std::unexpected(errno);
  if (far.ss_family != AF_INET && far.ss_family != AF_INET6) return std::unexpected(EAFNOSUPPORT);
  UniqueFd socket(::socket(far.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!socket) return std::unexpected(errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&far), size) != 0) return std::unexpected(errno);
  return socket;
}

}  // namespace periplex
