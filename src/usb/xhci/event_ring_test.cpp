// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/event_ring.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint64_t kTable = 0x1000;
constexpr std::uint64_t kFirst = 0x2000;
constexpr std::uint64_t kSecond = 0x8000;  // not behind the first: segments lie anywhere

class EventRingTest : public ::testing::Test {
 protected:
  void entry(unsigned index, std::uint64_t base, std::uint64_t size) {
    ASSERT_TRUE(memory_->write(GuestAddress(kTable + index * 16), base));
    ASSERT_TRUE(memory_->write(GuestAddress(kTable + index * 16 + 8), size));
  }
  bool start(unsigned segments) { return ring_.start(GuestAddress(kTable), segments); }
  void write(unsigned number) {
    ASSERT_TRUE(ring_.write(command_completion_event(GuestAddress(number), CompletionCode::success, SlotId(0))));
  }
  std::uint64_t parameter(std::uint64_t at) { return memory_->read<std::uint64_t>(GuestAddress(at)).value(); }
  bool cycle(std::uint64_t at) { return (memory_->read<std::uint32_t>(GuestAddress(at + 12)).value() & 1) != 0; }

  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(0x10000);
  EventRing ring_{*memory_};
};

TEST_F(EventRingTest, WritesWithCycleStateOneFirst) {
  entry(0, kFirst, 16);
  ASSERT_TRUE(start(1));
  ring_.set_dequeue(GuestAddress(kFirst));
  write(77);
  EXPECT_EQ(parameter(kFirst), 77u);
  EXPECT_TRUE(cycle(kFirst));
  EXPECT_FALSE(cycle(kFirst + 16));
  EXPECT_FALSE(ring_.empty());
  EXPECT_EQ(ring_.room(), 14u);
}

TEST_F(EventRingTest, IsFullWhenEnqueueWouldMeetDequeue) {
  entry(0, kFirst, 16);
  ASSERT_TRUE(start(1));
  EXPECT_EQ(ring_.room(), 15u);
  for (unsigned i = 0; i < 15; ++i) write(i);
  EXPECT_EQ(ring_.room(), 0u);
  ring_.set_dequeue(GuestAddress(kFirst + 3 * 16));
  EXPECT_EQ(ring_.room(), 3u);
}

TEST_F(EventRingTest, TogglesItsCycleStateWhenItBeginsAgain) {
  entry(0, kFirst, 16);
  ASSERT_TRUE(start(1));
  for (unsigned i = 0; i < 15; ++i) write(i);
  ring_.set_dequeue(GuestAddress(kFirst + 15 * 16));
  write(15);
  write(16);
  EXPECT_TRUE(cycle(kFirst + 15 * 16));
  EXPECT_EQ(parameter(kFirst), 16u);
  EXPECT_FALSE(cycle(kFirst));
}

TEST_F(EventRingTest, GoesThroughSeveralSegmentsInTheTablesOrder) {
  entry(0, kSecond, 16);
  entry(1, kFirst, 20);
  ASSERT_TRUE(start(2));
  ring_.set_dequeue(GuestAddress(kSecond));
  EXPECT_EQ(ring_.room(), 35u);
  for (unsigned i = 0; i < 35; ++i) write(i);
  EXPECT_EQ(parameter(kSecond + 15 * 16), 15u);
  EXPECT_EQ(parameter(kFirst), 16u);
  EXPECT_TRUE(cycle(kFirst)) << "the cycle state changes with the ring, not with the segment";
  ring_.set_dequeue(GuestAddress(kFirst + 2 * 16));
  EXPECT_EQ(ring_.room(), 18u);
  write(35);
  write(36);
  EXPECT_EQ(parameter(kSecond), 36u);
  EXPECT_FALSE(cycle(kSecond));
}

TEST_F(EventRingTest, IgnoresADequeuePointerInNoSegment) {
  entry(0, kFirst, 16);
  ASSERT_TRUE(start(1));
  write(1);
  ring_.set_dequeue(GuestAddress(kFirst + 16 * 16));
  ring_.set_dequeue(GuestAddress(0));
  ring_.set_dequeue(GuestAddress(0xffff'ffff'ffff'fff0));
  EXPECT_EQ(ring_.room(), 14u);
}

TEST_F(EventRingTest, IgnoresTheReservedBitsOfASegmentsBase) {
  entry(0, kFirst | 0x3f, 16);
  ASSERT_TRUE(start(1));
  write(5);
  EXPECT_EQ(parameter(kFirst), 5u);
}

TEST_F(EventRingTest, RefusesSegmentSizesThatTheManualForbids) {
  entry(0, kFirst, 15);
  EXPECT_FALSE(start(1));
  entry(0, kFirst, 4097);
  EXPECT_FALSE(start(1));
  EXPECT_FALSE(ring_.started());
  entry(0, kFirst, 16);
  entry(1, kSecond, 0);
  EXPECT_TRUE(start(1));
  EXPECT_FALSE(start(2));
}

TEST_F(EventRingTest, RefusesMoreSegmentsThanItSaysItSupports) {
  for (unsigned i = 0; i < EventRing::kMaxSegments; ++i) entry(i, kFirst, 16);
  EXPECT_TRUE(start(EventRing::kMaxSegments));
  EXPECT_FALSE(start(EventRing::kMaxSegments + 1));
  EXPECT_FALSE(start(0));
}

TEST_F(EventRingTest, ReportsATableOrSegmentOutsideMemory) {
  EXPECT_FALSE(ring_.start(GuestAddress(0x7'0000'0000), 1));
  entry(0, 0x7'0000'0000, 16);
  ASSERT_TRUE(start(1));
  EXPECT_FALSE(ring_.write(mfindex_wrap_event()));
}

TEST_F(EventRingTest, HasNoRoomWhileItIsStopped) {
  EXPECT_EQ(ring_.room(), 0u);
  entry(0, kFirst, 16);
  ASSERT_TRUE(start(1));
  write(1);
  ring_.stop();
  EXPECT_FALSE(ring_.started());
  EXPECT_TRUE(ring_.empty());
}

}  // namespace
}  // namespace periplex::usb::xhci
