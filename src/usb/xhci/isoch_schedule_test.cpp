// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/isoch_schedule.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::xhci {
namespace {

constexpr std::optional<unsigned> kAnyFrame;

TEST(IsochScheduleTest, TheFirstTdGetsTheNextWholeInterval) {
  const IsochSchedule schedule(3);
  EXPECT_EQ(schedule.place(kAnyFrame, 16), 16u);
  EXPECT_EQ(schedule.place(kAnyFrame, 17), 24u);
}

TEST(IsochScheduleTest, OthersFollowWithoutAGapHoweverLateItIs) {
  IsochSchedule schedule(3);
  schedule.take(16);
  EXPECT_EQ(schedule.place(kAnyFrame, 17), 24u);
  EXPECT_EQ(schedule.place(kAnyFrame, 300), 24u);
  schedule.take(24);
  EXPECT_EQ(schedule.place(kAnyFrame, 300), 32u);
}

TEST(IsochScheduleTest, AFrameIdIsWaitedFor) {
  const IsochSchedule schedule(3);
  EXPECT_EQ(schedule.place(10, 16), 80u);
  EXPECT_EQ(schedule.place(2, 16), 16u) << "this very frame";
}

TEST(IsochScheduleTest, FrameIdsWrapAt2048) {
  const IsochSchedule schedule(3);
  EXPECT_EQ(schedule.place(1, 2047 * 8), 2049u * 8);
  EXPECT_EQ(schedule.place(5, 4096 * 8), 4101u * 8);
}

TEST(IsochScheduleTest, AFrameIdThatHasPassedIsMissed) {
  const IsochSchedule schedule(3);
  EXPECT_EQ(schedule.place(99, 800), std::nullopt);
  EXPECT_EQ(schedule.place(100, 801), std::nullopt) << "that has begun";
  EXPECT_EQ(schedule.place(100 + 895, 800), (100u + 895) * 8) << "the last one that is ahead";
  EXPECT_EQ(schedule.place(100 + 896, 800), std::nullopt);
}

TEST(IsochScheduleTest, AFrameIdThatWasInTimeWhenQueuedIsNotMissedByALateLoop) {
  IsochSchedule schedule(3);
  schedule.take(800);
  EXPECT_EQ(schedule.place(101, 900), 808u);
}

TEST(IsochScheduleTest, EightIntervalsShareAFrameId) {
  IsochSchedule schedule(0);
  for (Microframes at = 80; at < 88; ++at) {
    EXPECT_EQ(schedule.place(10, 80), at);
    schedule.take(at);
  }
  EXPECT_EQ(schedule.place(10, 80), std::nullopt) << "a ninth does not fit";
  EXPECT_EQ(schedule.place(11, 80), 88u);
}

TEST(IsochScheduleTest, ALongIntervalIsThatWhichContainsTheFrame) {
  const IsochSchedule schedule(6);
  EXPECT_EQ(schedule.place(17, 10), 128u);
}

TEST(IsochScheduleTest, WhatIsMuchTooLateIsGivenUp) {
  IsochSchedule schedule(3);
  schedule.take(0);
  EXPECT_EQ(schedule.catch_up(8 + IsochSchedule::kMaxLate), 0u);
  EXPECT_EQ(schedule.catch_up(9 + IsochSchedule::kMaxLate), IsochSchedule::kMaxLate / 8 + 1);
  EXPECT_EQ(schedule.place(kAnyFrame, 9 + IsochSchedule::kMaxLate), 16 + IsochSchedule::kMaxLate);
}

TEST(IsochScheduleTest, ARingThatRanDryBeginsAnew) {
  IsochSchedule schedule(3);
  schedule.take(16);
  schedule.end();
  EXPECT_FALSE(schedule.begun());
  EXPECT_EQ(schedule.place(kAnyFrame, 100), 104u);
  EXPECT_EQ(schedule.catch_up(100'000), 0u);
}

TEST(IsochScheduleTest, AnIntervalBeyondAllBoundsIsTheLongest) {
  EXPECT_EQ(IsochSchedule(255).length(), Microframes{1} << 18);
}

}  // namespace
}  // namespace periplex::usb::xhci
