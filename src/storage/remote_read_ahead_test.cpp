// SPDX-License-Identifier: Apache-2.0
// Read-ahead between a guest and a disk that is a round trip away.
#include <gtest/gtest.h>

#include "storage/testing/remote_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::BenchOptions;
using testing::bytes;
using testing::cdb10;
using testing::pattern;
using testing::RemoteBench;
using usb::device::BulkOnlyStatus;

constexpr unsigned kChunk = 128;  // blocks: 64 KiB

/// Reads on from `lba` until what is read comes from here.
unsigned get_going(RemoteBench& bench, unsigned lba = 0) {
  for (unsigned i = 0; i < 6; ++i, lba += 16) {
    EXPECT_EQ(bench.read(lba, 16).data, bench.agent.content(lba, 16));
  }
  bench.agent.time.advance(200ms);
  const std::uint64_t round_trips = bench.target->counters().round_trips;
  EXPECT_LT(bench.read(lba, 16).took, 1ms);
  EXPECT_EQ(bench.target->counters().round_trips, round_trips);
  return lba + 16;
}

double rate_of_sequential_reads(RemoteBench& bench, unsigned blocks) {
  const Nanoseconds begin = bench.agent.time.now();
  for (unsigned lba = 0; lba < blocks; lba += kChunk) {
    EXPECT_EQ(bench.read(lba, kChunk).data, bench.agent.content(lba, kChunk));
  }
  const double seconds = std::chrono::duration<double>(bench.agent.time.now() - begin).count();
  return blocks * 512.0 / seconds;
}

TEST(RemoteReadAhead, SequentialReadsReachTheRateOfThePathAtAnyRoundTrip) {
  constexpr double kRate = 30e6;
  constexpr unsigned kBlocks = 131072;  // 64 MiB
  for (const bool uas : {false, true}) {
    for (const Nanoseconds round_trip : {Nanoseconds(2ms), Nanoseconds(10ms), Nanoseconds(50ms)}) {
      RemoteBench bench({.round_trip = round_trip, .rate = kRate, .agent_uas = uas, .blocks = kBlocks});
      EXPECT_GT(rate_of_sequential_reads(bench, kBlocks), 0.8 * kRate);
    }
  }
}

TEST(RemoteReadAhead, ALongerPathIsFilledAsWell) {
  constexpr double kRate = 30e6;
  constexpr unsigned kBlocks = 131072;  // 64 MiB
  RemoteBench bench({.round_trip = 1ms, .rate = kRate, .blocks = kBlocks});
  (void)rate_of_sequential_reads(bench, kBlocks / 4);
  bench.wire.set_round_trip(50ms);  // the seat has moved
  EXPECT_GT(rate_of_sequential_reads(bench, kBlocks), 0.7 * kRate);
  bench.wire.set_round_trip(5ms);
  EXPECT_GT(rate_of_sequential_reads(bench, kBlocks), 0.7 * kRate);
}

TEST(RemoteReadAhead, WithoutItEachReadCostsItsRoundTrip) {
  RemoteBench bench({.rate = 30e6, .remote = {.read_ahead = {.enabled = false}}, .blocks = 4096});
  EXPECT_LT(rate_of_sequential_reads(bench, 4096), 1.3e6);
}

TEST(RemoteReadAhead, WhatIsReadAheadIsNeverMoreThanTheLimit) {
  RemoteBench bench({.rate = 30e6, .remote = {.read_ahead = {.limit = 256 << 10}}, .blocks = 16384});
  const double rate = rate_of_sequential_reads(bench, 16384);
  EXPECT_LT(rate, 1.2 * (256 << 10) / 0.05) << "the limit, once each round trip";
  EXPECT_GT(rate, 2.5e6);
}

struct Disturbance {
  std::string_view what;
  std::function<void(RemoteBench&)> happens;
};

TEST(RemoteReadAhead, WhateverMightChangeTheMediumEndsIt) {
  const std::vector<Disturbance> cases = {
      {"WRITE", [](RemoteBench& bench) { EXPECT_TRUE(bench.write(112, pattern(512, 77)).passed()); }},
      {"WRITE elsewhere", [](RemoteBench& bench) { EXPECT_TRUE(bench.write(4000, pattern(512, 77)).passed()); }},
      {"WRITE SAME", [](RemoteBench& bench) { (void)bench.run(cdb10(0x41, 112, 1), 0, pattern(512, 5)); }},
      {"UNMAP",
       [](RemoteBench& bench) {
         (void)bench.run(bytes({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}), 0,
                         bytes({0, 22, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 112, 0, 0, 0, 1, 0, 0, 0, 0}));
       }},
      {"FORMAT UNIT", [](RemoteBench& bench) { (void)bench.run(bytes({4, 0, 0, 0, 0, 0})); }},
      {"START STOP UNIT", [](RemoteBench& bench) { (void)bench.run(bytes({0x1b, 0, 0, 0, 1, 0})); }},
      {"MODE SELECT", [](RemoteBench& bench) { (void)bench.run(bytes({0x15, 0x10, 0, 0, 4, 0}), 0, Bytes(4)); }},
      {"an unknown command", [](RemoteBench& bench) { (void)bench.run(bytes({0xc1, 0, 0, 0, 0, 0})); }},
      {"a failed command", [](RemoteBench& bench) { (void)bench.read(100000, 1); }},
      {"a port reset",
       [](RemoteBench& bench) {
         bench.device->reset();
         bench.control(0x00, 0x09, 1, 0, 0);
         (void)bench.run(Bytes(6));
       }},
      {"a new medium",
       [](RemoteBench& bench) {
         auto other = std::make_unique<usb::device::testing::FakeBlock>(4096);
         bench.agent.medium = other.get();
         bench.agent.disk->insert(std::move(other));
         (void)bench.run(Bytes(6));
       }},
  };
  for (const Disturbance& each : cases) {
    RemoteBench bench;
    const unsigned lba = get_going(bench);
    ASSERT_EQ(lba, 112u);
    each.happens(bench);
    const auto read = bench.read(lba, 16);
    EXPECT_GE(read.took, 50ms) << each.what;
    EXPECT_EQ(read.data, bench.agent.content(lba, 16)) << each.what;
  }
}

TEST(RemoteReadAhead, WhatLeavesTheMediumAloneDoesNot) {
  RemoteBench bench;
  unsigned lba = get_going(bench);
  for (const Bytes& cdb : {Bytes(6), bytes({0x1e, 0, 0, 0, 1, 0}), cdb10(0x35, 0, 0)}) {
    EXPECT_TRUE(bench.run(cdb).passed());
    EXPECT_LT(bench.read(lba, 1).took, 1ms);
    ++lba;
  }
}

TEST(RemoteReadAhead, AReadThatMustComeFromTheMediumDoes) {
  RemoteBench bench;
  const unsigned lba = get_going(bench);
  Bytes forced = cdb10(0x28, lba, 1);
  forced[1] = std::byte{0x08};
  EXPECT_GE(bench.run(forced, 512).took, 50ms);
}

TEST(RemoteReadAhead, AnErrorInWhatIsReadAheadIsTheGuestsOwnWhenItGetsThere) {
  RemoteBench bench;
  bench.agent.medium->failure = usb::device::BlockFailure{usb::device::BlockError::medium_error, 200 * 512};
  unsigned lba = 0;
  for (; lba < 192; lba += 16) {
    const auto read = bench.read(lba, 16);
    EXPECT_TRUE(read.passed());
    EXPECT_EQ(read.data, bench.agent.content(lba, 16));
  }
  const auto read = bench.read(lba, 16);
  EXPECT_EQ(read.status, BulkOnlyStatus::failed);
  EXPECT_EQ(read.data, bench.agent.content(lba, 8)) << "up to the bad block, as without read-ahead";
  const SenseSummary sense = bench.sense();
  EXPECT_EQ(sense.key, 3);
  EXPECT_EQ(sense.asc, 0x11);
}

TEST(RemoteReadAhead, AUnitAttentionThatMetAReadAheadIsTheGuestsNextOutcome) {
  RemoteBench bench;
  const unsigned lba = get_going(bench);
  auto other = std::make_unique<usb::device::testing::FakeBlock>(4096);
  bench.agent.medium = other.get();
  bench.agent.disk->insert(std::move(other));
  // The guest goes on; what is read ahead of it now meets the attention.
  unsigned at = lba;
  RemoteBench::Ended read;
  do {
    read = bench.read(at, 16);
    at += 16;
  } while (read.passed() && at < 4000);
  EXPECT_LT(at, lba + 1024) << "within what was there already";
  EXPECT_EQ(bench.sense().asc, 0x28);
  EXPECT_EQ(bench.read(0, 1).data, bench.agent.content(0, 1));
  EXPECT_TRUE(bench.run(Bytes(6)).passed()) << "told once";
}

TEST(RemoteReadAhead, CountsHitsMissesAndWaste) {
  RemoteBench bench;
  (void)get_going(bench);
  EXPECT_TRUE(bench.write(0, pattern(512)).passed());
  const RemoteCounters counters = bench.target->counters();
  EXPECT_EQ(counters.read_ahead.hits + counters.read_ahead.misses, 7u);
  EXPECT_GE(counters.read_ahead.hits, 4u);
  EXPECT_GT(counters.read_ahead.wasted_bytes, 0u);
  EXPECT_LT(counters.read_ahead.wasted_bytes, counters.read_ahead.fetched_bytes);
}

}  // namespace
}  // namespace periplex::storage
