// SPDX-License-Identifier: Apache-2.0
#include "machine/stream_listener.hpp"

#include <array>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/unix_listener.hpp"

namespace periplex::machine {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

/// The listener, and gates that connect to it.
class StreamListenerTest : public ::testing::Test {
 protected:
  struct Gate {
    std::vector<std::string> heard;
    bool closed = false;
    std::unique_ptr<MessageSocket> socket;
  };
  ~StreamListenerTest() override { ::unlink(path.c_str()); }

  std::unique_ptr<Gate> connect() {
    auto gate = std::make_unique<Gate>();
    gate->socket = std::make_unique<MessageSocket>(
        loop, connect_messages(path).value(),
        MessageSocket::Events{[&to = *gate](std::string_view text, UniqueFd) { to.heard.emplace_back(text); },
                              [&to = *gate] { to.closed = true; }});
    turn();
    return gate;
  }
  void turn() {
    for (int i = 0; i < 10; ++i) loop.run_once(Nanoseconds(0));
  }
  static std::pair<UniqueFd, UniqueFd> pair(int type = SOCK_STREAM) {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }

  EventLoop loop;
  const std::string path = ::testing::TempDir() + fmt::format("periplex-streams-{}.sock", ::getpid());
  std::vector<std::string> arrived;
  StreamListener listener{loop, listen_unix({.path = path, .messages = true}).value(),
                          [this](std::string_view name, UniqueFd) { arrived.emplace_back(name); }};
};

TEST_F(StreamListenerTest, TellsTheGateWhatIsWaitedFor) {
  listener.want("desk/keys");
  listener.want("desk/stick");
  const auto gate = connect();
  EXPECT_THAT(gate->heard, UnorderedElementsAre("+desk/keys", "+desk/stick"));
  gate->heard.clear();
  listener.leave("desk/keys");
  listener.want("desk/mouse");
  turn();
  EXPECT_THAT(gate->heard, ElementsAre("-desk/keys", "+desk/mouse"));
}

TEST_F(StreamListenerTest, PassesStreamsOnThatAreWaitedFor) {
  listener.want("desk/keys");
  const auto gate = connect();
  const auto [here, there] = pair();
  EXPECT_TRUE(gate->socket->send("desk/keys", here.get()));
  EXPECT_TRUE(gate->socket->send("desk/stick", here.get()));
  EXPECT_TRUE(gate->socket->send("desk/keys"));
  const auto [datagrams, more] = pair(SOCK_DGRAM);
  EXPECT_TRUE(gate->socket->send("desk/keys", datagrams.get()));
  turn();
  EXPECT_THAT(arrived, ElementsAre("desk/keys"));
  EXPECT_FALSE(gate->closed);
}

TEST_F(StreamListenerTest, ANewGateTakesThePlaceOfTheOld) {
  listener.want("desk/keys");
  const auto first = connect();
  const auto second = connect();
  EXPECT_TRUE(first->closed);
  EXPECT_FALSE(second->closed);
  EXPECT_THAT(second->heard, ElementsAre("+desk/keys"));
  second->socket.reset();
  turn();
  EXPECT_FALSE(listener.gate_present());
}

}  // namespace
}  // namespace periplex::machine
