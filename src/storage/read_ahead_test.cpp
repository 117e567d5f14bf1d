// SPDX-License-Identifier: Apache-2.0
#include "storage/read_ahead.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "storage/testing/agent_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::pattern;
using BlockRange = ReadAhead::BlockRange;
using Found = ReadAhead::Found;

/// A guest's reads and a disk that answers when the test says so.
class Bench final : public ReadAhead::Fetcher, public ReadAhead::Reader {
 public:
  explicit Bench(const ReadAheadOptions& options = {}) : ahead(options, time, *this) {
    ahead.set_geometry(512, 100000);
  }

  struct Asked {
    std::uint64_t ticket;
    BlockRange range;
    bool abandoned = false;
  };
  std::uint64_t fetch(BlockRange range) override {
    asked.push_back({++tickets_, range});
    return tickets_;
  }
  void abandon(std::uint64_t ticket) override {
    for (Asked& each : asked) each.abandoned = each.abandoned || each.ticket == ticket;
  }
  void on_prefetched(Bytes bytes) override { served.push_back(std::move(bytes)); }
  void on_not_prefetched() override { ++refused; }

  Found read(std::uint64_t lba, std::uint64_t blocks) { return ahead.read({lba, blocks}, *this, data); }
  static Bytes content(BlockRange range) {
    return pattern(range.blocks * 512,
                   static_cast<unsigned>(range.lba * (512 + 7)));  // as the whole disk's would go on
  }
  /// Answers the oldest that has not been answered.
  void answer(bool good = true) {
    const Asked next = asked.at(answered_++);
    ahead.on_fetched(next.ticket, good, good ? content(next.range) : Bytes{});
  }
  void answer_all() {
    for (const std::size_t end = asked.size(); answered_ < end;) answer();
  }
  /// Three reads of 8 blocks: sequential enough.
  void get_going() {
    for (const std::uint64_t lba : {0u, 8u, 16u, 24u}) EXPECT_EQ(read(lba, 8), lba < 24 ? Found::no : Found::later);
  }
  [[nodiscard]] std::uint64_t outstanding() const { return asked.size() - answered_; }

  periplex::testing::VirtualTime time;
  std::vector<Asked> asked;
  std::vector<Bytes> served;
  unsigned refused = 0;
  Bytes data;
  ReadAhead ahead;

 private:
  std::uint64_t tickets_ = 0;
  std::size_t answered_ = 0;
};

TEST(ReadAhead, BeginsWithTheThirdReadInARow) {
  Bench bench;
  EXPECT_EQ(bench.read(0, 8), Found::no);
  EXPECT_EQ(bench.read(8, 8), Found::no);
  EXPECT_TRUE(bench.asked.empty());
  EXPECT_EQ(bench.read(16, 8), Found::no);
  ASSERT_EQ(bench.asked.size(), 2u);
  EXPECT_EQ(bench.asked[0].range, (BlockRange{24, 240}));
  EXPECT_EQ(bench.asked[1].range, (BlockRange{264, 240}));
}

TEST(ReadAhead, RandomReadsStartNothing) {
  Bench bench;
  for (const std::uint64_t lba : {0u, 100u, 108u, 50u, 900u, 908u, 17u}) EXPECT_EQ(bench.read(lba, 8), Found::no);
  EXPECT_TRUE(bench.asked.empty());
}

TEST(ReadAhead, ServesWhatHasArrivedAndLetsWaitForWhatIsOnItsWay) {
  Bench bench;
  bench.get_going();
  EXPECT_TRUE(bench.served.empty());
  bench.answer();
  ASSERT_EQ(bench.served.size(), 1u);
  EXPECT_EQ(bench.served[0], Bench::content({24, 8}));
  EXPECT_EQ(bench.read(32, 8), Found::here);
  EXPECT_EQ(bench.data, Bench::content({32, 8}));
  EXPECT_EQ(bench.read(40, 300), Found::later) << "it lies across two pieces";
  bench.answer();
  EXPECT_EQ(bench.served.back(), Bench::content({40, 300}));
}

TEST(ReadAhead, SmallReadsBecomeLargerPieces) {
  constexpr std::uint64_t kUsual = ReadAhead::kPiece / 512;
  for (const auto& [guest, piece] : {std::pair(8u, kUsual), std::pair(128u, kUsual), std::pair(512u, 512ul)}) {
    Bench bench;
    for (std::uint64_t lba = 0; lba < 3 * guest; lba += guest) EXPECT_EQ(bench.read(lba, guest), Found::no);
    ASSERT_FALSE(bench.asked.empty());
    for (const Bench::Asked& each : bench.asked) EXPECT_EQ(each.range.blocks, piece);
  }
}

TEST(ReadAhead, ASmallLimitIsEnoughForTwoPieces) {
  Bench bench({.limit = 64 << 10});
  for (const std::uint64_t lba : {0u, 8u, 16u}) EXPECT_EQ(bench.read(lba, 8), Found::no);
  ASSERT_EQ(bench.asked.size(), 2u);
  for (const Bench::Asked& each : bench.asked) EXPECT_EQ(each.range.blocks, 64u);
}

TEST(ReadAhead, ASwitchTurnsItOff) {
  Bench bench({.enabled = false});
  for (std::uint64_t lba = 0; lba < 80; lba += 8) EXPECT_EQ(bench.read(lba, 8), Found::no);
  EXPECT_TRUE(bench.asked.empty());
}

TEST(ReadAhead, NeverReadsBeyondTheLastBlock) {
  Bench bench;
  bench.ahead.set_geometry(512, 40);
  for (const std::uint64_t lba : {0u, 8u, 16u}) EXPECT_EQ(bench.read(lba, 8), Found::no);
  ASSERT_EQ(bench.asked.size(), 1u);
  EXPECT_EQ(bench.asked[0].range, (BlockRange{24, 16}));
  bench.answer();
  EXPECT_EQ(bench.read(24, 16), Found::here);
  EXPECT_EQ(bench.read(40, 8), Found::no) << "the guest's own error";
  EXPECT_EQ(bench.read(~std::uint64_t{0}, 8), Found::no);
}

TEST(ReadAhead, NothingIsReadAheadOfAUnitWhoseSizeIsNotKnown) {
  Bench bench;
  bench.ahead.set_geometry(512, 0);
  for (std::uint64_t lba = 0; lba < 80; lba += 8) EXPECT_EQ(bench.read(lba, 8), Found::no);
  EXPECT_TRUE(bench.asked.empty());
  bench.ahead.set_geometry(0xffffffff, 1000);
  for (std::uint64_t lba = 0; lba < 80; lba += 8) EXPECT_EQ(bench.read(lba, 8), Found::no);
  EXPECT_TRUE(bench.asked.empty());
}

TEST(ReadAhead, TheWindowGrowsEachRoundTripUntilTheRateGrowsNoMoreAndStaysBelowTheLimit) {
  Bench bench({.limit = 4 << 20});
  bench.get_going();
  std::uint64_t lba = 32;
  std::uint64_t before = bench.ahead.window();
  for (unsigned round_trip = 0; round_trip < 12; ++round_trip) {
    bench.time.advance(50ms);
    bench.answer_all();
    while (bench.read(lba, 8) == Found::here) lba += 8;
    lba += 8;
    EXPECT_GE(bench.ahead.window(), before);
    before = bench.ahead.window();
    EXPECT_LE(bench.outstanding() * 240 * 512, 4u << 20);
  }
  EXPECT_EQ(before, 4u << 20);
}

TEST(ReadAhead, WhatMightChangeTheMediumDropsAllBeforeAndAfter) {
  Bench bench;
  bench.get_going();
  bench.answer();
  EXPECT_EQ(bench.read(32, 8), Found::here);
  bench.ahead.hold();
  EXPECT_TRUE(bench.asked[1].abandoned);
  EXPECT_EQ(bench.read(40, 8), Found::no);
  EXPECT_EQ(bench.read(48, 8), Found::no);
  EXPECT_EQ(bench.outstanding(), 1u) << "nothing is read ahead meanwhile";
  bench.answer();  // of the one that was abandoned: too late
  EXPECT_EQ(bench.read(264, 8), Found::no);
  bench.ahead.release();
  EXPECT_EQ(bench.read(272, 8), Found::no);
  EXPECT_EQ(bench.read(280, 8), Found::no);
  EXPECT_GT(bench.outstanding(), 0u) << "it begins anew";
}

TEST(ReadAhead, WhoWaitsForWhatIsDroppedReadsForHimself) {
  Bench bench;
  bench.get_going();
  bench.ahead.drop();
  EXPECT_EQ(bench.refused, 1u);
  EXPECT_TRUE(bench.served.empty());
  EXPECT_EQ(bench.ahead.counters().hits, 0u);
}

TEST(ReadAhead, APieceThatFailsHidesNothing) {
  Bench bench;
  bench.get_going();
  bench.answer(false);
  EXPECT_EQ(bench.refused, 1u);
  EXPECT_EQ(bench.read(32, 8), Found::no);
  EXPECT_EQ(bench.outstanding(), 1u) << "nothing more is asked for before the guest has gone on";
}

TEST(ReadAhead, APieceOfTheWrongLengthIsAFailure) {
  Bench bench;
  bench.get_going();
  bench.ahead.on_fetched(bench.asked[0].ticket, true, Bytes(512));
  EXPECT_EQ(bench.refused, 1u);
}

TEST(ReadAhead, ARandomReadInBetweenDoesNotEndTheSequence) {
  Bench bench;
  bench.get_going();
  bench.answer();
  EXPECT_EQ(bench.read(90000, 1), Found::no);
  EXPECT_EQ(bench.read(32, 8), Found::here);
}

TEST(ReadAhead, ManyReadsElsewhereDo) {
  Bench bench;
  bench.get_going();
  bench.answer();
  for (unsigned i = 0; i < ReadAhead::kMaxMissesInARow; ++i) EXPECT_EQ(bench.read(90000 - i * 10, 1), Found::no);
  EXPECT_EQ(bench.read(32, 8), Found::no);
  EXPECT_GT(bench.ahead.counters().wasted_bytes, 0u);
}

TEST(ReadAhead, WhatHasLainForLongIsNotServed) {
  Bench bench;
  bench.get_going();
  bench.answer_all();
  EXPECT_EQ(bench.read(32, 8), Found::here);
  bench.time.advance(3s);
  EXPECT_EQ(bench.read(40, 8), Found::no);
}

TEST(ReadAhead, AReaderThatForgetsIsNotCalled) {
  Bench bench;
  bench.get_going();
  bench.ahead.forget(bench);
  bench.answer_all();
  EXPECT_TRUE(bench.served.empty());
}

}  // namespace
}  // namespace periplex::storage
