// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/message_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace periplex::vfio_user {
namespace {

class MessageSocketTest : public ::testing::Test {
 protected:
  MessageSocketTest() : MessageSocketTest(pair()) {}

  static void add(Bytes& out, std::uint16_t id, std::size_t payload) {
    const Header header{.id = id, .command = Command::region_write, .size = static_cast<std::uint32_t>(16 + payload)};
    const auto packed = header.packed();
    out.insert(out.end(), packed.begin(), packed.end());
    out.resize(out.size() + payload, std::byte(id));
  }
  void send(std::uint16_t id, std::size_t payload, std::span<const int> fds = {}) {
    add(near.out(), id, payload);
    EXPECT_EQ(near.flush(fds), MessageSocket::Flushed::all);
  }
  /// Bytes as they are, without a header of ours.
  void send_raw(ByteView bytes) { EXPECT_EQ(::write(near.fd(), bytes.data(), bytes.size()), std::ssize(bytes)); }

  MessageSocket near;
  MessageSocket far;

 private:
  explicit MessageSocketTest(std::pair<UniqueFd, UniqueFd> ends)
      : near(std::move(ends.first)), far(std::move(ends.second)) {}
  static std::pair<UniqueFd, UniqueFd> pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

using Received = MessageSocket::Received;

TEST_F(MessageSocketTest, HandsOutEveryMessageOfOneRead) {
  for (std::uint16_t id = 1; id <= 100; ++id) send(id, id);
  ASSERT_EQ(far.receive(), Received::bytes);
  for (std::uint16_t id = 1; id <= 100; ++id) {
    const auto message = far.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->header.id, id);
    EXPECT_EQ(message->payload.size(), id);
  }
  EXPECT_FALSE(far.next());
  EXPECT_EQ(far.receive(), Received::nothing);
}

TEST_F(MessageSocketTest, PutsAMessageTogetherFromSingleBytes) {
  Bytes bytes;
  add(bytes, 7, 5);
  for (const std::byte& byte : bytes) {
    EXPECT_FALSE(far.next());
    send_raw({&byte, 1});
    ASSERT_EQ(far.receive(), Received::bytes);
  }
  const auto message = far.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->header.id, 7);
  EXPECT_EQ(message->payload.size(), 5u);
}

TEST_F(MessageSocketTest, CarriesTheLargestMessage) {
  add(near.out(), 9, kMaxMessageSize - Header::kSize);
  std::optional<Message> message;
  while (!message) {
    (void)near.flush();
    ASSERT_EQ(far.receive(), Received::bytes);
    message = far.next();
  }
  EXPECT_EQ(message->header.size, kMaxMessageSize);
  EXPECT_EQ(message->payload.back(), std::byte{9});
  send(10, 4);
  ASSERT_EQ(far.receive(), Received::bytes);
  EXPECT_EQ(far.next()->header.id, 10);
}

TEST_F(MessageSocketTest, DescriptorsGoToTheMessageTheyWereSentWith) {
  const UniqueFd event(::eventfd(5, 0));
  const int two[] = {event.get(), event.get()};
  const int one[] = {event.get()};
  send(1, 8);
  send(2, 8);
  send(3, 8, two);
  send(4, 8);
  send(5, 8, one);
  std::vector<std::size_t> counts;
  while (far.receive() == Received::bytes) {
    while (const auto message = far.next()) {
      counts.push_back(message->fds.size());
      for (const UniqueFd& fd : message->fds) {
        EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
      }
    }
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{0, 0, 2, 0, 1}));
}

TEST_F(MessageSocketTest, DescriptorsOfAMessageThatArrivesInPiecesStayWithIt) {
  const UniqueFd event(::eventfd(0, 0));
  const int one[] = {event.get()};
  Bytes bytes;
  add(bytes, 1, 4);
  add(bytes, 2, 40);
  const ByteView all(bytes);
  near.out().assign(all.begin(), all.begin() + 30);  // message 1 and 10 bytes of message 2's header
  ASSERT_EQ(near.flush(one), MessageSocket::Flushed::all);
  ASSERT_EQ(far.receive(), Received::bytes);
  const auto first = far.next();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->fds.empty());
  EXPECT_FALSE(far.next());
  send_raw(all.subspan(30));
  ASSERT_EQ(far.receive(), Received::bytes);
  const auto second = far.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->fds.size(), 1u);
}

TEST_F(MessageSocketTest, DescriptorsNobodyTakesAreClosed) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int one[] = {writer.get()};
  send(1, 0, one);
  writer.reset();
  ASSERT_EQ(far.receive(), Received::bytes);
  ASSERT_TRUE(far.next());
  EXPECT_FALSE(far.next());
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "the last writing end is closed";
}

TEST_F(MessageSocketTest, AnImpossibleSizeBreaksTheFraming) {
  for (const std::uint32_t size : {0u, 15u, kMaxMessageSize + 1, ~0u}) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd sender(ends[0]);
    MessageSocket receiver{UniqueFd(ends[1])};
    const auto header = Header{.size = size}.packed();
    ASSERT_EQ(::write(sender.get(), header.data(), header.size()), 16);
    ASSERT_EQ(receiver.receive(), Received::bytes);
    EXPECT_FALSE(receiver.next());
    EXPECT_TRUE(receiver.broken());
    EXPECT_EQ(receiver.receive(), Received::closed);
  }
}

TEST_F(MessageSocketTest, HoldsBackWhatTheSocketDoesNotTake) {
  const std::size_t size = kMaxMessageSize - Header::kSize;
  add(near.out(), 1, size);
  add(near.out(), 2, size);
  EXPECT_EQ(near.flush(), MessageSocket::Flushed::partly);
  EXPECT_GT(near.unsent(), 0u);
  unsigned messages = 0;
  while (messages < 2) {
    if (far.receive() == Received::nothing) (void)near.flush();
    while (far.next()) ++messages;
  }
  EXPECT_EQ(near.unsent(), 0u);
  EXPECT_EQ(near.sent_bytes(), far.received_bytes());
}

TEST_F(MessageSocketTest, APeerThatIsGoneIsNoSignal) {
  {
    const MessageSocket gone = std::move(far);
  }
  add(near.out(), 1, 0);
  EXPECT_EQ(near.flush(), MessageSocket::Flushed::closed);
  EXPECT_EQ(near.receive(), Received::closed);
}

}  // namespace
}  // namespace periplex::vfio_user
