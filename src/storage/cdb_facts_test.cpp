// SPDX-License-Identifier: Apache-2.0
#include "storage/cdb_facts.hpp"

#include <gtest/gtest.h>

#include "storage/testing/agent_bench.hpp"

namespace periplex::storage {
namespace {

using testing::bytes;
using testing::cdb10;
constexpr auto kIn = DataDirection::to_host;
constexpr auto kOut = DataDirection::from_host;

std::optional<DataStage> stage(std::initializer_list<unsigned> cdb, std::uint32_t block_size = 512) {
  return data_stage_of(Cdb(bytes(cdb)), block_size);
}

TEST(CdbFacts, KnowsTheDataStagesOfDisks) {
  EXPECT_EQ(stage({0x00}), DataStage{});
  EXPECT_EQ(stage({0x12, 0, 0, 0x01, 0x02}), (DataStage{kIn, 0x102}));
  EXPECT_EQ(stage({0x08, 0, 0, 0, 0}), (DataStage{kIn, 256 * 512}));
  EXPECT_EQ(data_stage_of(Cdb(cdb10(0x28, 5, 3)), 4096), (DataStage{kIn, 3 * 4096}));
  EXPECT_EQ(data_stage_of(Cdb(cdb10(0x2a, 5, 3)), 512), (DataStage{kOut, 3 * 512}));
  EXPECT_EQ(data_stage_of(Cdb(cdb10(0x28, 5, 0)), 512), DataStage{});
  EXPECT_EQ(stage({0x42, 0, 0, 0, 0, 0, 0, 0, 24}), (DataStage{kOut, 24}));
  EXPECT_EQ(stage({0x93, 0x01}), DataStage{}) << "NDOB";
  EXPECT_EQ(stage({0x93, 0x00}), (DataStage{kOut, 512}));
  EXPECT_EQ(stage({0x2f, 0x02, 0, 0, 0, 0, 0, 0, 2}), (DataStage{kOut, 1024})) << "BYTCHK";
  EXPECT_EQ(stage({0x2f, 0x00, 0, 0, 0, 0, 0, 0, 2}), DataStage{});
}

TEST(CdbFacts, KnowsThoseOfAtaPassThrough) {
  // SMART READ DATA: PIO in, T_DIR, BYT_BLOK, T_LENGTH 2.
  EXPECT_EQ(stage({0x85, 0x08, 0x0e, 0, 0, 0, 1}), (DataStage{kIn, 512}));
  EXPECT_EQ(stage({0xa1, 0x08, 0x0e, 0, 1}), (DataStage{kIn, 512}));
  EXPECT_EQ(stage({0xa1, 0x06, 0x20}), DataStage{}) << "CHECK POWER MODE";
  EXPECT_EQ(stage({0xa1, 0x08, 0x0f, 0, 1}), std::nullopt) << "the transport is to say";
}

TEST(CdbFacts, SaysNothingOfWhatItDoesNotKnow) {
  EXPECT_EQ(stage({0xc0}), std::nullopt);
  EXPECT_EQ(stage({0x04, 0x10}), std::nullopt);
  EXPECT_EQ(data_stage_of(Cdb(cdb10(0x28, 5, 3)), 0), std::nullopt);
}

TEST(CdbFacts, WhatIsNotKnownMayChangeTheMedium) {
  for (const unsigned opcode :
       {0x2au, 0x8au, 0x42u, 0x41u, 0x93u, 0x04u, 0x1bu, 0x15u, 0x55u, 0x85u, 0xa1u, 0xc0u, 0x89u}) {
    EXPECT_FALSE(leaves_medium_alone(Cdb(bytes({opcode})))) << opcode;
  }
  for (const unsigned opcode : {0x00u, 0x12u, 0x28u, 0x88u, 0x25u, 0x9eu, 0x1au, 0x35u}) {
    EXPECT_TRUE(leaves_medium_alone(Cdb(bytes({opcode})))) << opcode;
  }
}

TEST(CdbFacts, ForcedAndProtectedReadsAreNotPlain) {
  EXPECT_TRUE(is_plain_read(Cdb(bytes({0x28, 0x10}))));
  EXPECT_FALSE(is_plain_read(Cdb(bytes({0x28, 0x08}))));
  EXPECT_FALSE(is_plain_read(Cdb(bytes({0x28, 0x20}))));
  EXPECT_FALSE(is_plain_read(Cdb(bytes({0x08}))));
  EXPECT_FALSE(is_plain_write(Cdb(bytes({0x8a, 0x08}))));
  EXPECT_TRUE(is_plain_write(Cdb(bytes({0x2a}))));
}

TEST(CdbFacts, ALongWayOrALongReadTakesTheLongForm) {
  EXPECT_EQ(hex(read_cdb({8, 240})), "28 00 00 00 00 08 00 00 f0 00");
  EXPECT_EQ(hex(read_cdb({0xffffffff, 1})), "88 00 00 00 00 00 ff ff ff ff 00 00 00 01 00 00");
}

}  // namespace
}  // namespace periplex::storage
