// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/server.hpp"

#include <filesystem>
#include <gtest/gtest.h>

#include "vfio_user/shared_ram.hpp"
#include "vfio_user/testing/served_function.hpp"

namespace periplex::vfio_user {
namespace {

using testing::events;
using testing::make_event;
using testing::open_descriptors;
using testing::ScratchFunction;

constexpr std::uint64_t kRamSize = 1 << 20;

class ServerTest : public testing::ServedFunction {};

TEST_F(ServerTest, ServesRegistersMemoryAndInterrupts) {
  Client client = negotiated();
  SharedRam ram(kRamSize);
  ASSERT_TRUE(client.dma_map(0, kRamSize, ram.fd()));
  ram.bytes()[100] = std::byte{0x5a};
  EXPECT_EQ(server.memory().read<std::uint8_t>(guest::GuestAddress(100)), 0x5a);

  ASSERT_TRUE(client.write<std::uint32_t>(0, 0x80, 0x1234'5678));
  EXPECT_EQ(client.read<std::uint32_t>(0, 0x80).value(), 0x1234'5678u);
  EXPECT_EQ(client.read<std::uint16_t>(kRegionConfig, 0).value(), 0x1234);

  const UniqueFd event = make_event();
  const int fds[] = {event.get()};
  ASSERT_TRUE(client.arm(kIrqMsix, 5, fds));
  ASSERT_TRUE(client.post<std::uint8_t>(0, ScratchFunction::kMessage, 5));
  turn_until([&] { return events(event) == 1; });
}

TEST_F(ServerTest, PostedWritesTakeEffectBeforeALaterRead) {
  Client client = negotiated();
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(client.post<std::uint32_t>(0, 0x100, i));
  EXPECT_EQ(client.read<std::uint32_t>(0, 0x100).value(), 999u);
  EXPECT_EQ(function.writes.size(), 1000u);
  EXPECT_GE(server.statistics().messages, 1002u);
}

TEST_F(ServerTest, ALostClientTakesEverythingWithIt) {
  const std::ptrdiff_t before = open_descriptors();
  const UniqueFd event = make_event();
  {
    Client client = negotiated();
    const SharedRam ram(kRamSize);
    ASSERT_TRUE(client.dma_map(0, kRamSize, ram.fd()));
    const std::vector<int> fds(16, event.get());
    ASSERT_TRUE(client.arm(kIrqMsix, 0, fds));
    EXPECT_TRUE(server.connected());
    EXPECT_EQ(server.statistics().mapped_bytes, kRamSize);
  }
  turn_until([&] { return !server.connected(); });
  EXPECT_EQ(server.statistics().mapped_bytes, 0u);
  EXPECT_EQ(function.disconnects, 1u);
  EXPECT_EQ(open_descriptors(), before + 1) << "all but the test's own event";
  server.interrupts().send_message(0);
  EXPECT_EQ(events(event), 0u);
}

TEST_F(ServerTest, TheNextClientIsServedWhenTheFirstHasGone) {
  for (unsigned i = 0; i < 10; ++i) {
    Client client = negotiated();
    EXPECT_TRUE(client.read<std::uint32_t>(0, 0));
  }
  EXPECT_EQ(server.statistics().clients, 10u);
}

TEST_F(ServerTest, ASecondClientWaitsForTheFirst) {
  auto first = std::make_optional(negotiated());
  const UniqueFd second = connect_socket();
  EXPECT_EQ(server.statistics().clients, 1u);
  EXPECT_TRUE(first->device_info());
  first.reset();
  turn_until([&] { return server.statistics().clients == 2; });
}

TEST_F(ServerTest, AClientThatCannotBeUnderstoodIsLeft) {
  const UniqueFd socket = connect_socket();
  const Bytes garbage(64, std::byte{0xee});
  ASSERT_EQ(::write(socket.get(), garbage.data(), garbage.size()), 64);
  turn_until([&] { return !server.connected(); });
  std::byte byte{};
  EXPECT_EQ(::read(socket.get(), &byte, 1), 0);
}

TEST_F(ServerTest, AClientThatTakesNoRepliesIsNotListenedToAnyMore) {
  Client client = negotiated();
  const auto request = RegionAccess{.region = 0, .count = kMaxDataSize}.packed();
  // Each of these 32-byte requests is worth a reply of one MiB.
  for (unsigned i = 0; i < 50; ++i) ASSERT_TRUE(client.send(Command::region_read, request));
  for (unsigned i = 0; i < 100; ++i) turn();
  EXPECT_LT(server.statistics().messages, 10u);
  for (unsigned i = 0; i < 50; ++i) {
    const auto reply = client.receive();
    ASSERT_TRUE(reply) << i;
    EXPECT_EQ(reply->payload.size(), RegionAccess::kSize + kMaxDataSize);
  }
  EXPECT_TRUE(client.device_info()) << "and is heard again";
}

TEST_F(ServerTest, TheLoopsSpinFindsMessagesWithoutEpoll) {
  loop.set_max_spin(std::chrono::seconds(1));
  Client client = negotiated();
  ASSERT_TRUE(client.send(Command::device_get_info, DeviceInfo{}.packed()));
  const std::uint64_t messages = server.statistics().messages;
  const std::uint64_t sleeps = loop.wakeups();
  loop.run_once(std::chrono::milliseconds(1));  // the first turn grants the spin its budget
  if (server.statistics().messages == messages) loop.run_once(std::chrono::milliseconds(1));
  EXPECT_EQ(server.statistics().messages, messages + 1);
  EXPECT_LE(loop.wakeups(), sleeps + 1);
  EXPECT_TRUE(client.receive());
}

TEST_F(ServerTest, StoppingEndsTheConnectionAndAcceptsNoMore) {
  Client client = negotiated();
  server.stop();
  EXPECT_FALSE(server.connected());
  EXPECT_EQ(function.disconnects, 1u);
  EXPECT_EQ(client.device_info().error().failure, Client::Failure::disconnected);
  server.stop();
}

}  // namespace
}  // namespace periplex::vfio_user
