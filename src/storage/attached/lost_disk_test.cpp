// SPDX-License-Identifier: Apache-2.0
// How a disk behind an attachment is lost, and what sides that do wrong come to.
#include <gtest/gtest.h>

#include "storage/attached/parts.hpp"
#include "storage/attached/testing/attached_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::AttachedBench;
using testing::bytes;
using testing::cdb10;
using testing::MeddlingDevice;
using testing::pattern;

const Bytes kTestUnitReady(6);

TEST(LostDisk, ARestartedAgentIsAnUnplugAndThenAnotherDisk) {
  AttachedBench bench;
  bench.set_up();
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  const auto data = bench.in(512);
  bench.time.advance(10ms);
  bench.restart_agent();
  bench.time.advance(3s);
  EXPECT_TRUE(bench.ended(data));
  EXPECT_EQ(bench.statuses[data], usb::Status::disconnected);
  EXPECT_EQ(bench.departures, 1u);
  EXPECT_EQ(bench.arrivals, 2u);
  ASSERT_TRUE(bench.terminated.shown());
  bench.set_up();
  EXPECT_EQ(bench.read(3, 4).data, bench.content(3, 4));
}

TEST(LostDisk, AConnectionThatStaysAwayIsAnUnplug) {
  AttachedBench bench;
  bench.set_up();
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  const auto data = bench.in(512);
  bench.link.cut();
  bench.time.advance(19s);
  EXPECT_FALSE(bench.ended(data));
  bench.time.advance(2s);
  EXPECT_TRUE(bench.ended(data));
  EXPECT_EQ(bench.departures, 1u);
  bench.link.connect();
  bench.time.advance(2s);
  EXPECT_EQ(bench.arrivals, 2u);
  bench.set_up();
  EXPECT_EQ(bench.read(3, 4).data, bench.content(3, 4));
}

TEST(LostDisk, ADiskThatIsUnpluggedAtTheAgentLeavesTheGuestToo) {
  AttachedBench bench;
  bench.set_up();
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  const auto data = bench.in(512);
  bench.server->device_gone("unplugged");
  bench.time.advance(1s);
  EXPECT_TRUE(bench.ended(data));
  EXPECT_EQ(bench.guest_device, nullptr);
  EXPECT_EQ(bench.peripheral->state().why, "unplugged");
  EXPECT_EQ(bench.arrivals, 1u);
}

TEST(LostDisk, ADiskThatStopsAnsweringIsUnplugged) {
  AttachedBench bench;
  bench.set_up();
  bench.real->on_submit = [](const usb::Transfer&) { return MeddlingDevice::Fate::fail; };
  bench.real->failure = usb::Status::error;
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  bench.time.advance(60s);
  EXPECT_EQ(bench.departures, 1u);
  EXPECT_FALSE(bench.terminated.shown());
}

TEST(LostDisk, WhatAWorkerLeftInMidCommandIsResetBeforeTheNext) {
  AttachedBench bench;
  bench.set_up();
  bool swallowing = true;
  bench.real->on_submit = [&](const usb::Transfer& transfer) {
    const bool data = transfer.endpoint() == usb::EndpointAddress(0x02) && transfer.data.size() == 4096;
    return data && swallowing ? MeddlingDevice::Fate::swallow : MeddlingDevice::Fate::pass;
  };
  const unsigned resets = bench.real->resets;
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x2a, 0, 8), 4096, false)));
  (void)bench.wait(bench.out(pattern(4096, 50)));
  bench.time.advance(1s);
  bench.restart_agent();
  swallowing = false;
  bench.time.advance(3s);
  EXPECT_GT(bench.real->resets, resets);
  bench.set_up();
  EXPECT_EQ(bench.read(0, 8).data, pattern(8 * 512)) << "no command was taken for data";
}

TEST(LostDisk, WhatTheGuestPilesUpWithoutAConnectionIsBounded) {
  AttachedBench bench({.blocks = 65536});
  bench.set_up();
  bench.link.cut();
  const Bytes data = pattern(kMaxData, 3);
  unsigned refused = 0;
  for (int i = 0; i < 8; ++i) {
    (void)bench.wait(bench.out(bench.cbw(cdb10(0x2a, 0, 0xffff), 0xffff * 512, false)), 1s);
    (void)bench.wait(bench.out(Bytes(data.begin(), data.begin() + 0xffff * 512)), 1s);
    const auto csw = bench.in(13);
    bench.time.advance(10ms);
    if (bench.ended(csw)) {
      ++refused;
      continue;
    }
    bench.guest_device->cancel(csw);
    bench.control(0x21, 0xff, 0, 0);
    bench.control(0x02, 1, 0, 0x81);
    bench.control(0x02, 1, 0, 0x02);
  }
  EXPECT_EQ(refused, 4u);
  bench.link.connect();
  bench.time.advance(2s);
  EXPECT_TRUE(bench.run(kTestUnitReady).passed());
  EXPECT_EQ(bench.departures, 0u);
}

TEST(LostDisk, AnAgentThatSendsNoMessagesEndsTheSession) {
  for (const Bytes& wrong : {Bytes{kLastPart}, Bytes{kLastPart, std::byte{0x99}}, Bytes{kOpenDisk}}) {
    AttachedBench bench;
    ASSERT_NE(bench.guest_device, nullptr);
    EXPECT_FALSE(bench.terminated.on_message(wrong));
  }
}

TEST(LostDisk, AWorkerThatSendsNoMessagesEndsItsSession) {
  AttachedBench bench;
  const Bytes part = Bytes{kPart, std::byte{1}};
  EXPECT_FALSE(bench.disk_server->on_message(Bytes{kOpenDisk})) << "twice";
  EXPECT_FALSE(bench.disk_server->on_message(Bytes{kNoDisk}));
  EXPECT_TRUE(bench.disk_server->on_message(part));
  Bytes long_part(kMaxMessage, std::byte{1});
  long_part[0] = kPart;
  EXPECT_TRUE(bench.disk_server->on_message(long_part));
  EXPECT_FALSE(bench.disk_server->on_message(part)) << "longer than any message";
  AttachedBench other;
  EXPECT_FALSE(other.disk_server->on_message(Bytes{kLastPart, std::byte{0x99}}));
}

}  // namespace
}  // namespace periplex::storage
