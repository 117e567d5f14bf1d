// SPDX-License-Identifier: Apache-2.0
#include "loop/udp_socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace periplex {
namespace {

/// A UDP socket bound to a port of its own, at any address of this computer.
UniqueFd bound(std::uint16_t& port, int family) {
  UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  auto* const address = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  socklen_t size = family == AF_INET6 ? sizeof six : sizeof four;
  if (::bind(socket.get(), address, size) != 0) return {};
  (void)::getsockname(socket.get(), address, &size);
  port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
  return socket;
}

UniqueFd connected_to(std::uint32_t address, std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(address);
  (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return socket;
}

class UdpFamilies : public ::testing::TestWithParam<int> {};

TEST_P(UdpFamilies, AnswersComeFromTheAddressThatWasAsked) {
  EventLoop loop;
  std::uint16_t port = 0;
  UniqueFd listening = bound(port, GetParam());
  ASSERT_TRUE(listening);
  std::unique_ptr<UdpSocket> server;
  server = std::make_unique<UdpSocket>(loop, std::move(listening),
                                       [&](const UdpPath& path, ByteView datagram) { server->send(path, datagram); });
  server->mark_urgent();
  // A socket that is connected to 127.0.0.2 hears that address only.
  std::vector<std::string> heard;
  UdpSocket client(loop, connected_to(0x7f000002, port),
                   [&](const UdpPath&, ByteView datagram) { heard.emplace_back(as_text(datagram)); });
  client.send({}, as_bytes("hello"));
  client.send({}, Bytes(UdpSocket::kMaxDatagram + 1));  // is lost
  client.send({}, as_bytes("again"));
  for (int i = 0; i < 100 && heard.size() < 2; ++i) loop.run_once(std::chrono::milliseconds(20));
  EXPECT_EQ(heard, (std::vector<std::string>{"hello", "again"}));
}
INSTANTIATE_TEST_SUITE_P(, UdpFamilies, ::testing::Values(AF_INET, AF_INET6),
                         [](const auto& chosen) { return chosen.param == AF_INET ? "IPv4" : "IPv6"; });

TEST(UdpSocket, GoesOnWhereNobodyListens) {
  EventLoop loop;
  std::uint16_t port = 0;
  {
    const UniqueFd closed = bound(port, AF_INET);
  }
  UdpSocket client(loop, connected_to(INADDR_LOOPBACK, port), [](const UdpPath&, ByteView) { ADD_FAILURE(); });
  for (int i = 0; i < 5; ++i) {
    client.send({}, as_bytes("hello"));
    loop.run_once(std::chrono::milliseconds(1));
  }
}

TEST(UdpSocket, MayBeDestroyedByWhatItBrings) {
  EventLoop loop;
  std::uint16_t port = 0;
  unsigned heard = 0;
  std::unique_ptr<UdpSocket> server;
  server = std::make_unique<UdpSocket>(loop, bound(port, AF_INET), [&](const UdpPath&, ByteView) {
    ++heard;
    server.reset();
  });
  UdpSocket client(loop, connected_to(INADDR_LOOPBACK, port), [](const UdpPath&, ByteView) {});
  client.send({}, as_bytes("one"));
  client.send({}, as_bytes("two"));
  for (int i = 0; i < 5; ++i) loop.run_once(std::chrono::milliseconds(1));
  EXPECT_EQ(heard, 1U);
}

TEST(UdpSocket, FindsTheAddressOfAConnectionBesideIt) {
  EXPECT_EQ(connect_udp_beside(UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0)).get()).error(), ENOTCONN);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const UniqueFd one(pair[0]);
  const UniqueFd two(pair[1]);
  EXPECT_EQ(connect_udp_beside(one.get()).error(), EAFNOSUPPORT);
}

}  // namespace
}  // namespace periplex
