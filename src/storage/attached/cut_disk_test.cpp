// SPDX-License-Identifier: Apache-2.0
// A disk behind an attachment whose connection is cut again and again: no wrong byte, and nothing twice.
#include <algorithm>
#include <gtest/gtest.h>

#include "storage/attached/testing/attached_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::AttachedBench;
using testing::cdb10;
using testing::pattern;

struct Way {
  bool agent_uas;
  RemoteOptions remote;
  std::uint32_t seed;
};

class CutDisk : public ::testing::TestWithParam<Way> {};

TEST_P(CutDisk, KeepsEveryByteAndDoesNothingTwice) {
  constexpr unsigned kBlocks = 16384;
  const Way& way = GetParam();
  AttachedBench bench({.round_trip = 10ms,
                       .rate = 20e6,
                       .agent_uas = way.agent_uas,
                       .remote = way.remote,
                       .blocks = kBlocks,
                       .seed = way.seed});
  bench.set_up();
  std::ranges::fill(bench.medium->reads, 0u);
  Bytes expected = bench.medium->inner.content;
  bench.chaos = true;
  for (unsigned lba = 0, seed = way.seed; lba < kBlocks; ++seed) {
    const unsigned blocks = std::min<unsigned>(1 + bench.random() % 256, kBlocks - lba);
    const Bytes before(expected.begin() + lba * 512, expected.begin() + (lba + blocks) * 512);
    const auto read = bench.read(lba, blocks);
    ASSERT_TRUE(read.passed());
    ASSERT_EQ(read.data, before) << "at " << lba;
    const Bytes data = pattern(std::size_t{blocks} * 512, 1000 + seed);
    ASSERT_TRUE(bench.write(lba, data).passed());
    std::ranges::copy(data, expected.begin() + lba * 512);
    lba += blocks;
  }
  bench.chaos = false;
  if (!bench.link.up()) bench.link.connect();
  ASSERT_TRUE(bench.run(cdb10(0x35, 0, 0)).passed());
  EXPECT_TRUE(bench.medium->inner.content == expected);
  EXPECT_TRUE(std::ranges::all_of(bench.medium->writes, [](unsigned times) { return times == 1; }));
  if (!way.remote.read_ahead.enabled) {
    EXPECT_TRUE(std::ranges::all_of(bench.medium->reads, [](unsigned times) { return times == 1; }));
  }
  EXPECT_GT(bench.link.cuts, 100u);
  EXPECT_EQ(bench.arrivals, 1u);
  EXPECT_EQ(bench.departures, 0u);
}

TEST_P(CutDisk, ReadsOnThroughTheCuts) {
  constexpr unsigned kBlocks = 32768;
  const Way& way = GetParam();
  AttachedBench bench({.round_trip = 10ms,
                       .rate = 20e6,
                       .agent_uas = way.agent_uas,
                       .remote = way.remote,
                       .blocks = kBlocks,
                       .seed = way.seed + 100});
  bench.set_up();
  bench.chaos = true;
  for (unsigned lba = 0; lba < kBlocks; lba += 128) {
    ASSERT_EQ(bench.read(lba, 128).data, bench.content(lba, 128));
  }
  EXPECT_GT(bench.link.cuts, 20u);
  EXPECT_EQ(bench.departures, 0u);
}

constexpr RemoteOptions kPlain = {.read_ahead = {.enabled = false}, .write_back = {}};

INSTANTIATE_TEST_SUITE_P(Ways, CutDisk,
                         ::testing::Values(Way{false, kPlain, 1}, Way{true, kPlain, 2}, Way{false, {}, 3},
                                           Way{true, {}, 4}));

TEST(CutDiskMessage, ALongOneArrivesThoughNoConnectionLastsLongEnoughForIt) {
  AttachedBench bench({.round_trip = 10ms, .rate = 4e6, .blocks = 65536});
  bench.set_up();
  const Bytes data = pattern(std::size_t{8} << 20, 3);
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x2a, 0, 16384), static_cast<std::uint32_t>(data.size()), false)));
  (void)bench.wait(bench.out(data));
  const auto csw = bench.in(13);
  // 2 s are needed, and 200 ms are given at a time.
  for (int i = 0; i < 30 && !bench.ended(csw); ++i) {
    bench.time.advance(200ms);
    bench.link.cut();
    bench.time.advance(50ms);
    bench.link.connect();
  }
  EXPECT_TRUE(bench.ended(csw));
  EXPECT_EQ(bench.content(0, 16384), data);
}

}  // namespace
}  // namespace periplex::storage
