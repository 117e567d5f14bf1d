// SPDX-License-Identifier: Apache-2.0
#include "apps/tcp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace periplex::apps {
namespace {

using ::testing::HasSubstr;

TEST(TcpEndpoint, IsReadInAllItsForms) {
  EXPECT_EQ(parse_endpoint("host", 7), (Endpoint{"host", 7}));
  EXPECT_EQ(parse_endpoint("10.0.0.1:3241", 7), (Endpoint{"10.0.0.1", 3241}));
  EXPECT_EQ(parse_endpoint("[fd00::1]", 7), (Endpoint{"fd00::1", 7}));
  EXPECT_EQ(parse_endpoint("[fd00::1]:9", 7), (Endpoint{"fd00::1", 9}));
  for (const char* wrong : {"", ":1", "h:", "h:0", "h:65536", "h:x", "fd00::1", "[fd00::1", "[::1]9", "[]:1"}) {
    EXPECT_FALSE(parse_endpoint(wrong, 7)) << wrong;
  }
}

TEST(TcpConnection, ReachesAListenerAndSaysWhatElseIsWrong) {
  const auto listening = listen_tcp({"127.0.0.1", 0});
  ASSERT_TRUE(listening) << listening.error().text;
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Endpoint there{"127.0.0.1", ntohs(address.sin_port)};
  EXPECT_TRUE(connect_tcp(there));
  EXPECT_THAT(listen_tcp(there).error().text, HasSubstr("cannot listen on port"));
}

TEST(TcpConnection, SaysThatNobodyListens) {
  std::uint16_t port = 0;
  {
    const auto listening = listen_tcp({"127.0.0.1", 0});
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ASSERT_EQ(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  const auto refused = connect_tcp({"127.0.0.1", port});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("Connection refused"));
  EXPECT_THAT(refused.error().advice, HasSubstr("nobody listens"));
}

}  // namespace
}  // namespace periplex::apps
