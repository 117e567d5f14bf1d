// SPDX-License-Identifier: Apache-2.0
#include "loop/message_socket.hpp"

#include <array>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/acceptor.hpp"
#include "loop/unix_listener.hpp"

namespace periplex {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class MessageSocketTest : public ::testing::Test {
 protected:
  MessageSocketTest() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    far = UniqueFd(ends[1]);
    socket = std::make_unique<MessageSocket>(loop, UniqueFd(ends[0]),
                                             MessageSocket::Events{[this](std::string_view text, UniqueFd descriptor) {
                                                                     texts.emplace_back(text);
                                                                     descriptors.push_back(std::move(descriptor));
                                                                   },
                                                                   [this] { ++closed; }});
  }
  void turn() {
    for (int i = 0; i < 5; ++i) loop.run_once(0ns);
  }

  EventLoop loop;
  UniqueFd far;
  std::vector<std::string> texts;
  std::vector<UniqueFd> descriptors;
  int closed = 0;
  std::unique_ptr<MessageSocket> socket;
};

TEST_F(MessageSocketTest, KeepsMessagesApart) {
  ASSERT_EQ(::send(far.get(), "one", 3, 0), 3);
  ASSERT_EQ(::send(far.get(), "two", 3, 0), 3);
  turn();
  EXPECT_THAT(texts, ElementsAre("one", "two"));
  EXPECT_FALSE(descriptors.at(0));
  EXPECT_TRUE(socket->send("three"));
  std::array<char, 16> text;
  EXPECT_EQ(::recv(far.get(), text.data(), text.size(), 0), 5);
}

TEST_F(MessageSocketTest, CarriesADescriptor) {
  EventLoop other_loop;
  std::array<int, 2> pipe{-1, -1};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  MessageSocket other(other_loop, std::move(far), {[](std::string_view, UniqueFd) {}, [] {}});
  EXPECT_TRUE(other.send("pipe", write_end.get()));
  write_end.reset();
  turn();
  ASSERT_EQ(descriptors.size(), 1U);
  ASSERT_TRUE(descriptors[0]);
  EXPECT_EQ(::write(descriptors[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
}

TEST_F(MessageSocketTest, AMessageThatIsTooLongEndsIt) {
  const std::string text(MessageSocket::kMaxText + 1, 'x');
  ASSERT_EQ(::send(far.get(), text.data(), text.size(), 0), std::ssize(text));
  turn();
  EXPECT_THAT(texts, ElementsAre());
  EXPECT_EQ(closed, 1);
  EXPECT_FALSE(socket->send("x"));
}

TEST_F(MessageSocketTest, TellsThatTheOtherEndIsGone) {
  ASSERT_EQ(::send(far.get(), "last", 4, 0), 4);
  far.reset();
  turn();
  EXPECT_THAT(texts, ElementsAre("last"));
  EXPECT_EQ(closed, 1);
}

TEST_F(MessageSocketTest, SaysWhenTheOtherEndDoesNotTake) {
  bool taken = true;
  for (int i = 0; i < 100'000 && taken; ++i) taken = socket->send("x");
  EXPECT_FALSE(taken);
  turn();
  EXPECT_EQ(closed, 0);
}

TEST_F(MessageSocketTest, ReachesAListener) {
  const std::string path = ::testing::TempDir() + fmt::format("periplex-messages-{}.sock", ::getpid());
  EXPECT_FALSE(connect_messages(path));
  UniqueFd client;
  Acceptor acceptor(loop, listen_unix({.path = path, .messages = true}).value(),
                    [&](UniqueFd accepted) { client = std::move(accepted); });
  acceptor.start();
  EXPECT_TRUE(connect_messages(path));
  turn();
  EXPECT_TRUE(client);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace periplex
