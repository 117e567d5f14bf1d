// SPDX-License-Identifier: Apache-2.0
#include "gate/worker_stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "link/testing/tls.hpp"

namespace periplex::gate {
namespace {

class WorkerStreamTest : public ::testing::Test {
 protected:
  WorkerStreamTest() {
    auto [own, far] = WorkerStream::make_pair();
    worker = std::move(far);
    stream = std::make_unique<WorkerStream>(
        loop, std::move(own),
        WorkerStream::Events{.received =
                                 [this](ByteView bytes) {
                                   const std::size_t taken = std::min(bytes.size(), room);
                                   room -= taken;
                                   received += taken;
                                   return taken;
                                 },
                             .consumed = [this](std::size_t count) { consumed += count; },
                             .ended = [this] { ++ended; }});
  }
  void turn() {
    for (int i = 0; i < 20; ++i) loop.run_once(Nanoseconds(0));
  }
  std::size_t take(std::size_t most) {
    Bytes bytes(most);
    const ssize_t count = ::recv(worker.get(), bytes.data(), bytes.size(), 0);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }

  EventLoop loop;
  UniqueFd worker;
  std::size_t room = 1 << 20, received = 0, consumed = 0;
  int ended = 0;
  std::unique_ptr<WorkerStream> stream;
};

TEST_F(WorkerStreamTest, BytesAreConsumedOnceTheWorkersSocketHasThem) {
  const std::size_t size = 8 << 20;
  stream->send(Bytes(size));
  turn();
  EXPECT_LT(consumed, size);
  EXPECT_EQ(consumed + stream->queued(), size);
  std::size_t taken = 0;
  ASSERT_TRUE(link::testing::run_until(loop, [&] { return (taken += take(1 << 20)) == size; }));
  EXPECT_EQ(consumed, size);
  EXPECT_EQ(stream->queued(), 0U);
}

TEST_F(WorkerStreamTest, NoMoreIsReadThanThereIsRoomFor) {
  room = 1000;
  const Bytes much(1 << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    const ssize_t count = ::send(worker.get(), much.data(), much.size(), MSG_DONTWAIT);
    if (count > 0) sent += static_cast<std::size_t>(count);
    turn();
  }
  EXPECT_EQ(received, 1000U);
  EXPECT_LT(sent, much.size());
  room = 10 << 20;
  stream->writable();
  turn();
  EXPECT_EQ(received, sent);
}

TEST_F(WorkerStreamTest, NoticesAWorkerThatIsGoneThoughThereIsNoRoom) {
  room = 0;
  ASSERT_EQ(::send(worker.get(), "x", 1, 0), 1);
  turn();
  EXPECT_EQ(ended, 0);
  worker.reset();
  turn();
  EXPECT_EQ(ended, 1);
}

TEST_F(WorkerStreamTest, WhatAWorkerSaidBeforeItEndedArrives) {
  ASSERT_EQ(::send(worker.get(), "last", 4, 0), 4);
  worker.reset();
  turn();
  EXPECT_EQ(received, 4U);
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace periplex::gate
