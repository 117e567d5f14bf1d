// SPDX-License-Identifier: Apache-2.0
// A guest in front of a disk behind an attachment that holds.
#include <gtest/gtest.h>

#include "storage/attached/testing/attached_bench.hpp"
#include "usb/device/hid_keyboard.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::AttachedBench;
using testing::bytes;
using testing::cdb10;
using testing::pattern;

const Bytes kTestUnitReady(6);

TEST(AttachedDisk, TheGuestSeesWhoTheRealDiskIsInADeviceOfOurs) {
  AttachedBench bench;
  ASSERT_NE(bench.guest_device, nullptr);
  EXPECT_TRUE(bench.terminated.shown());
  const Bytes device = bench.control(0x80, 6, 0x0100, 0, 18);
  const Bytes real_device = bench.peripheral->description()->descriptors.front().bytes.value();
  ASSERT_EQ(device.size(), 18u);
  EXPECT_TRUE(std::ranges::equal(ByteView(device).subspan(8, 6), ByteView(real_device).subspan(8, 6)));
  bench.control(0x00, 9, 1, 0);
  EXPECT_FALSE(bench.run(kTestUnitReady).passed());
  EXPECT_EQ(bench.sense().asc, 0x29) << "it has been switched on";
  const auto inquiry = bench.run(bytes({0x12, 0, 0, 0, 36, 0}), 36);
  EXPECT_EQ(as_text(ByteView(inquiry.data).subspan(8, 28)), "Maker   Stick           1.23");
  EXPECT_EQ(ByteReader(bench.run(cdb10(0x25, 0, 0), 8).data).be32(), 4095u);
}

TEST(AttachedDisk, OneCommandCostsOneRoundTrip) {
  for (const bool agent_uas : {false, true}) {
    AttachedBench bench({.round_trip = 50ms, .agent_uas = agent_uas});
    bench.set_up();
    const Bytes data = pattern(65536, 9);
    for (const auto& ended : {bench.read(0, 128), bench.write(8, data), bench.run(kTestUnitReady)}) {
      EXPECT_TRUE(ended.passed());
      EXPECT_GE(ended.took, 50ms);
      EXPECT_LE(ended.took, 51ms) << "not three times as much";
    }
    EXPECT_EQ(bench.content(8, 128), data);
    EXPECT_EQ(bench.read(8, 128).data, data);
  }
}

TEST(AttachedDisk, SequentialReadsRunAtTheRateOfTheLink) {
  constexpr double kRate = 25e6;
  constexpr std::size_t kBlocks = 131072;
  AttachedBench bench({.round_trip = 50ms, .rate = kRate, .remote = {}, .blocks = kBlocks});
  bench.set_up();
  const Nanoseconds begin = bench.time.now();
  for (unsigned lba = 0; lba < kBlocks; lba += 256) {
    ASSERT_EQ(bench.read(lba, 256).data, bench.content(lba, 256));
  }
  const double seconds = std::chrono::duration<double>(bench.time.now() - begin).count();
  EXPECT_GT(kBlocks * 512 / seconds, 0.7 * kRate);
  EXPECT_GT(bench.terminated.counters()->read_ahead.hits, 400u);
}

TEST(AttachedDisk, TheLargestCommandTravelsInParts) {
  AttachedBench bench({.blocks = 2 * 65536 + 16});
  bench.set_up();
  constexpr std::uint32_t kBlocks = kMaxData / 512;
  const auto transfer = [](unsigned opcode) {
    return bytes({opcode, 0, 0, 0, 0, 16, (kBlocks >> 24) & 255, (kBlocks >> 16) & 255, (kBlocks >> 8) & 255,
                  kBlocks & 255, 0, 0});
  };
  const auto read = bench.run(transfer(0xa8), kMaxData);
  EXPECT_TRUE(read.passed());
  EXPECT_EQ(read.data, bench.content(16, kBlocks));
  const Bytes data = pattern(kMaxData, 77);
  EXPECT_TRUE(bench.run(transfer(0xaa), 0, data).passed());
  EXPECT_EQ(bench.content(16, kBlocks), data);
  EXPECT_TRUE(bench.worker_failure.empty());
  EXPECT_TRUE(bench.to_worker.failure.empty());
}

TEST(AttachedDisk, ABadSectorsSenseArrives) {
  AttachedBench bench;
  bench.set_up();
  bench.medium->inner.failure = usb::device::BlockFailure{usb::device::BlockError::medium_error, 10 * 512};
  const auto failed = bench.read(8, 4);
  EXPECT_EQ(failed.status, usb::device::BulkOnlyStatus::failed);
  EXPECT_EQ(failed.data, bench.content(8, 2));
  const SenseSummary sense = bench.sense();
  EXPECT_EQ(sense.key, 3);
  EXPECT_EQ(sense.asc, 0x11);
}

TEST(AttachedDisk, AWriteProtectedDiskSaysSo) {
  AttachedBench bench({.read_only = true});
  bench.set_up();
  EXPECT_FALSE(bench.write(0, pattern(512, 5)).passed());
  EXPECT_EQ(bench.sense().key, 7);
  const auto mode = bench.run(bytes({0x1a, 0, 0x3f, 0, 192, 0}), 192);
  ASSERT_GE(mode.data.size(), 4u);
  EXPECT_NE(mode.data[2] & std::byte{0x80}, std::byte{0}) << "WP";
}

TEST(AttachedDisk, AChangeOfTheMediumIsTold) {
  AttachedBench bench({.remote = {}});
  bench.set_up();
  for (unsigned lba = 0; lba < 1024; lba += 64) (void)bench.read(lba, 64);
  bench.disk->insert(std::make_unique<usb::device::testing::FakeBlock>(64));
  bench.time.advance(3s);
  EXPECT_FALSE(bench.run(kTestUnitReady).passed());
  EXPECT_EQ(bench.sense().asc, 0x28);
  EXPECT_EQ(ByteReader(bench.run(cdb10(0x25, 0, 0), 8).data).be32(), 63u);
  EXPECT_EQ(bench.read(0, 1).data, Bytes(512)) << "nothing of the old one";
}

TEST(AttachedDisk, WithoutTheExtensionItIsTunnelled) {
  AttachedBench bench;
  bench.peripheral = std::make_unique<attachment::RemotePeripheral>(bench, bench.time, bench.instances.source());
  bench.guest_device = nullptr;
  bench.link.cut();
  bench.link.connect();
  bench.time.advance(1s);
  ASSERT_NE(bench.guest_device, nullptr);
  bench.control(0x00, 9, 1, 0);
  (void)bench.run(kTestUnitReady);  // the agent's reset may be told
  const auto read = bench.read(0, 8);
  EXPECT_EQ(read.data, bench.content(0, 8));
  EXPECT_GT(read.took, 120ms) << "three stages, three round trips";
  EXPECT_FALSE(bench.disk_server->counters()) << "the agent has left the disk alone";
}

TEST(AttachedDisk, WhatIsNoDiskIsTunnelled) {
  AttachedBench bench;
  usb::device::HidKeyboard keyboard("keys", usb::Speed::full, bench.time);
  bench.link.cut();
  bench.server = std::make_unique<attachment::DeviceServer>(keyboard, "unit", bench.to_worker, bench.time,
                                                            bench.instances.source(), attachment::ServerOptions{},
                                                            bench.disk_server.get());
  bench.link.connect();
  bench.time.advance(2s);
  ASSERT_NE(bench.guest_device, nullptr);
  EXPECT_FALSE(bench.terminated.shown());
  EXPECT_EQ(bench.guest_device->speed(), usb::Speed::full);
  EXPECT_EQ(bench.control(0x80, 6, 0x0100, 0, 18).size(), 18u);
  bench.peripheral.reset();
  bench.server.reset();
  bench.time.run_until_idle();
}

TEST(AttachedDisk, ADiskThatCannotBeDrivenIsTunnelled) {
  AttachedBench bench;
  bench.link.cut();
  // It is described, but does not take a configuration.
  bench.real->on_submit = [](const usb::Transfer& transfer) {
    const bool configures = transfer.setup && transfer.setup->request == 9;
    return configures ? testing::MeddlingDevice::Fate::fail : testing::MeddlingDevice::Fate::pass;
  };
  bench.restart_agent();
  bench.time.advance(2s);
  ASSERT_NE(bench.guest_device, nullptr);
  EXPECT_FALSE(bench.terminated.shown());
}

}  // namespace
}  // namespace periplex::storage
