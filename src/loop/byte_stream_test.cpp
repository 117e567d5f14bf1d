// SPDX-License-Identifier: Apache-2.0
#include "loop/byte_stream.hpp"

#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>

namespace periplex {
namespace {

using namespace std::chrono_literals;

class ByteStreamTest : public ::testing::Test {
 protected:
  ByteStreamTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    far = UniqueFd(ends[1]);
    start(UniqueFd(ends[0]), kLimit);
  }
  void start(UniqueFd socket, std::size_t limit) {
    stream.emplace(loop, std::move(socket),
                   ByteStream::Events{[this](ByteView bytes) { received += as_text(bytes); },
                                      [this](std::string text) { why = std::move(text); }, [this] { ++drained; }},
                   limit);
  }
  void turn() {
    for (int i = 0; i < 20; ++i) loop.run_once(0ns);
  }
  void say(std::string_view text) { EXPECT_EQ(::write(far.get(), text.data(), text.size()), std::ssize(text)); }
  std::string heard() {
    std::string text;
    std::array<char, 65536> bytes;
    for (;;) {
      const ssize_t count = ::read(far.get(), bytes.data(), bytes.size());
      if (count <= 0) return text;
      text.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }
  static Bytes bytes(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

  static constexpr std::size_t kLimit = std::size_t{4} << 20;
  EventLoop loop;
  UniqueFd far;
  std::string received;
  std::string why;
  unsigned drained = 0;
  std::optional<ByteStream> stream;
};

TEST_F(ByteStreamTest, CarriesBytesBothWays) {
  say("hello");
  stream->send(bytes("good "));
  stream->send(bytes("day"));
  EXPECT_EQ(heard(), "") << "nothing is sent from inside the call";
  turn();
  EXPECT_EQ(received, "hello");
  EXPECT_EQ(heard(), "good day");
  EXPECT_EQ(stream->queued(), 0u);
  EXPECT_EQ(drained, 1u) << "also where the other end never stopped taking";
}

TEST_F(ByteStreamTest, WhatTheOtherEndDoesNotTakeWaits) {
  std::string all;
  for (char c = 'a'; c <= 'l'; ++c) {
    all += std::string(256 * 1024, c);
    stream->send(Bytes(256 * 1024, static_cast<std::byte>(c)));
  }
  turn();
  EXPECT_GT(stream->queued(), 0u);
  std::string got;
  while (got.size() < all.size()) {
    got += heard();
    turn();
  }
  EXPECT_EQ(got, all);
  EXPECT_EQ(drained, 1u);
  EXPECT_EQ(why, "");
}

TEST_F(ByteStreamTest, ALimitThatIsPassedEndsTheConnection) {
  for (int i = 0; i < 40; ++i) stream->send(Bytes(256 * 1024));
  turn();
  EXPECT_NE(why, "");
  stream->send(bytes("more"));  // harmless
  turn();
}

TEST_F(ByteStreamTest, TheEndIsToldAfterTheLastBytes) {
  say("last words");
  far.reset();
  turn();
  EXPECT_EQ(received, "last words");
  EXPECT_NE(why, "");
}

TEST_F(ByteStreamTest, AStreamMayBeDestroyedFromInsideItsEvents) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  far = UniqueFd(ends[1]);
  stream.emplace(loop, UniqueFd(ends[0]), ByteStream::Events{[this](ByteView) { stream.reset(); }, {}, {}});
  say("x");
  stream->send(bytes("y"));
  turn();
  EXPECT_FALSE(stream);
}

TEST_F(ByteStreamTest, APausedStreamLeavesTheBytesWhereTheyAre) {
  stream->pause_reading(true);
  say("patience");
  turn();
  EXPECT_EQ(received, "");
  stream->pause_reading(false);
  turn();
  EXPECT_EQ(received, "patience");
}

TEST_F(ByteStreamTest, FinishSendsWhatIsQueued) {
  stream->send(bytes("bye"));
  stream->finish();
  turn();
  EXPECT_EQ(heard(), "bye");
  EXPECT_NE(why, "");
  EXPECT_EQ(::read(far.get(), &why[0], 1), 0) << "closed";
}

TEST_F(ByteStreamTest, OnlyStreamSocketsSuit) {
  EXPECT_TRUE(ByteStream::suits(far));
  EXPECT_FALSE(ByteStream::suits(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  EXPECT_FALSE(ByteStream::suits(UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))));
}

}  // namespace
}  // namespace periplex
