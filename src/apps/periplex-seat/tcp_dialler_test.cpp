// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/tcp_dialler.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

namespace periplex::apps {
namespace {

constexpr Nanoseconds kPatience = std::chrono::seconds(20);

std::expected<UniqueFd, std::string> dial(EventLoop& loop, TcpDialler& dialler, unsigned failures = 0) {
  std::optional<std::expected<UniqueFd, std::string>> answer;
  dialler.dial(failures, [&](auto socket) { answer = std::move(socket); });
  const Nanoseconds end = loop.now() + kPatience;
  while (!answer && loop.now() < end) loop.run_once(std::chrono::milliseconds(100));
  return std::move(answer).value();
}

TEST(TcpDiallerTest, ReachesAListenerByItsAddress) {
  const auto listening = listen_tcp({"127.0.0.1", 0});
  ASSERT_TRUE(listening);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EventLoop loop;
  TcpDialler dialler(loop, {"127.0.0.1", ntohs(address.sin_port)});
  EXPECT_TRUE(dial(loop, dialler));
  EXPECT_TRUE(dial(loop, dialler, 7)) << "the only address there is, whatever failed before";
}

TEST(TcpDiallerTest, SaysThatANameIsNobodys) {
  EventLoop loop;
  TcpDialler dialler(loop, {"nobody.invalid", 1});
  const auto socket = dial(loop, dialler);
  ASSERT_FALSE(socket);
  EXPECT_THAT(socket.error(), ::testing::HasSubstr("nobody.invalid"));
}

TEST(TcpDiallerTest, AnAnswerForADiallerThatIsGoneIsForNobody) {
  EventLoop loop;
  bool answered = false;
  {
    TcpDialler dialler(loop, {"127.0.0.1", 1});
    dialler.dial(0, [&](auto) { answered = true; });
  }
  loop.run_once(std::chrono::milliseconds(10));
  EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace periplex::apps
