// SPDX-License-Identifier: Apache-2.0
// Transfer batching as a guest of UHCI meets it: packets of 64 bytes, one request to the device side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr std::uint32_t kLarge = 64 * 1024;
constexpr EndpointAddress kIn(0x81);
constexpr EndpointAddress kOut(0x02);

class BatchingTest : public ::testing::Test {
 protected:
  BatchingTest() : BatchingTest(Options{}) {}
  explicit BatchingTest(const Options& options) : rig_(options) { rig_.bring_up(); }

  std::vector<GuestAddress> queue_out(std::uint32_t size) {
    return driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, size), 64);
  }
  std::vector<GuestAddress> queue_in(std::uint32_t size) {
    return driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, size), 64);
  }
  [[nodiscard]] std::size_t done(const std::vector<GuestAddress>& tds) const {
    return static_cast<std::size_t>(std::ranges::count_if(tds, [&](GuestAddress td) { return !driver_.active(td); }));
  }
  [[nodiscard]] Bytes sent(std::size_t index = 0) {
    const TransferData& data = rig_.device.at(index).data;
    return data.copy(data.size());
  }
  /// Until the walk has seen what the driver has queued.
  void look() { rig_.time.advance(FrameClock::kLongestPause); }

  Rig rig_;
  Driver& driver_ = rig_.driver;
};

class BatchingComparesDataTest : public BatchingTest {
 protected:
  BatchingComparesDataTest() : BatchingTest(Options{.verification = {.data = true}}) {}
};

TEST_F(BatchingTest, ASixtyFourKilobyteWriteIsOneRequest) {
  driver_.put(Rig::kBuffer, Rig::pattern(kLarge));
  const auto tds = queue_out(kLarge);
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(sent(), Rig::pattern(kLarge));
  EXPECT_EQ(done(tds), 0u);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_EQ(done(tds), tds.size()) << "in the same turn of the loop, not at 1,280 bytes a frame";
  EXPECT_EQ(rig_.counters(kOut).requests, 1u);
  EXPECT_EQ(rig_.counters(kOut).guest_packets, 1024u);
  EXPECT_EQ(rig_.pin.rises, 1u + 1u) << "one for this, one for SET_ADDRESS";
}

TEST_F(BatchingTest, ASixtyFourKilobyteReadIsOneRequest) {
  const auto tds = queue_in(kLarge);
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), kLarge);
  rig_.answer(Rig::pattern(kLarge));
  rig_.time.run_until_idle();
  EXPECT_EQ(done(tds), tds.size());
  EXPECT_EQ(driver_.get(Rig::kBuffer, kLarge), Rig::pattern(kLarge));
  EXPECT_EQ(rig_.counters(kIn).requests, 1u);
}

TEST_F(BatchingTest, AShortAnswerEndsTheDataSetAtTheRightPacket) {
  const auto tds = queue_in(120 * 1024);
  look();
  rig_.answer(Rig::pattern(50'000));
  rig_.time.run_until_idle();
  const std::size_t last = 50'000 / 64;
  EXPECT_EQ(done(tds), last + 1);
  EXPECT_EQ(driver_.actual(tds[last - 1]), 64u);
  EXPECT_EQ(driver_.actual(tds[last]), 50'000u % 64);
  EXPECT_EQ(driver_.element(rig_.queue) & ~0xfu, tds[last].value);
  EXPECT_EQ(driver_.get(Rig::kBuffer, 50'000), Rig::pattern(50'000));
  EXPECT_EQ(driver_.get(Rig::kBuffer + 50'000, 64), Bytes(64)) << "nothing behind the end";
}

TEST_F(BatchingTest, AnAnswerThatEndsOnAPacketIsFollowedByAnEmptyOne) {
  const auto tds = queue_in(256);
  look();
  rig_.answer(Rig::pattern(128));
  rig_.time.run_until_idle();
  EXPECT_EQ(done(tds), 3u);
  EXPECT_EQ(driver_.actual(tds[2]), 0u);
}

TEST_F(BatchingTest, ADriverThatQueuesOnlyAPartGetsThatPart) {
  const auto first = queue_in(512);
  look();
  ASSERT_EQ(rig_.device.at(0).data.size(), 512u);
  rig_.answer(Rig::pattern(512));
  rig_.time.run_until_idle();
  EXPECT_EQ(done(first), first.size());
  const auto second = queue_in(512);
  look();
  rig_.answer(Rig::pattern(512, 9));
  rig_.time.run_until_idle();
  EXPECT_EQ(done(second), second.size());
  EXPECT_EQ(driver_.get(Rig::kBuffer, 512), Rig::pattern(512, 9));
}

TEST_F(BatchingTest, DataSetsThatAreQueuedAlreadyAreInFlightTogether) {
  const auto first = queue_out(1024);
  const auto second = driver_.make_data_set(Rig::packet(kPidOut, 2, 2048), 64);
  driver_.write32(first.back(), static_cast<std::uint32_t>(second.front().value) | Driver::kDepthFirst);
  look();
  ASSERT_EQ(rig_.device.held(), 2u);
  rig_.device.complete_ok();
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_EQ(done(first) + done(second), 48u);
}

TEST_F(BatchingTest, ADriverThatRewritesADescriptorGetsTheNewOneCarriedOut) {
  driver_.put(Rig::kBuffer, Rig::pattern(128));
  const auto tds = queue_out(128);
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  Packet other = Rig::packet(kPidOut, 2, 64);
  other.buffer = Rig::kBuffer + 0x1000;
  driver_.put(other.buffer, Rig::pattern(64, 77));
  driver_.rewrite(tds[0], other, static_cast<std::uint32_t>(tds[1].value));
  look();
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  rig_.time.run_until_idle();
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(64), Rig::pattern(64, 77));
  EXPECT_EQ(rig_.counters(kOut).resubmissions, 1u);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_EQ(done(tds), 2u);
}

TEST_F(BatchingComparesDataTest, ADriverThatRewritesThePendingBufferGetsTheNewDataOnTheDevice) {
  driver_.put(Rig::kBuffer, Rig::pattern(256));
  const auto tds = queue_out(256);
  look();
  driver_.put(Rig::kBuffer, Rig::pattern(256, 42));
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  look();
  EXPECT_EQ(done(tds), 0u) << "what the device got is not what is queued";
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(sent(), Rig::pattern(256, 42));
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_EQ(done(tds), tds.size());
}

TEST_F(BatchingTest, AnUnlinkedQueueIsNeverTouchedAgain) {
  const auto tds = queue_in(kLarge);
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  // The kernel's time-out: out of the schedule, one frame, and the memory is somebody else's.
  driver_.unlink_queue(driver_.asynchronous());
  const std::uint16_t before = driver_.frame_number();
  while (driver_.frame_number() == before) rig_.time.advance(100us);
  const Bytes descriptors = driver_.get(tds.front(), tds.size() * 32);
  const Bytes buffer = driver_.get(Rig::kBuffer, kLarge);
  rig_.device.answers_cancels = false;
  rig_.answer(Rig::pattern(kLarge));
  rig_.time.advance(50ms);
  EXPECT_EQ(driver_.get(tds.front(), tds.size() * 32), descriptors);
  EXPECT_EQ(driver_.get(Rig::kBuffer, kLarge), buffer);
}

TEST_F(BatchingTest, AnUnlinkedQueueIsCancelledOnTheDeviceSide) {
  (void)queue_in(kLarge);
  look();
  driver_.unlink_queue(driver_.asynchronous());
  rig_.time.advance(70ms);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(BatchingTest, APacketThatWasUnlinkedAndIsQueuedAgainIsSentAgain) {
  // The same descriptor and buffer, as allocators give them; only the data is new.
  driver_.put(Rig::kBuffer, Rig::pattern(64));
  const Packet packet{.pid = kPidOut, .device = Rig::kAddress, .endpoint = 2, .buffer = Rig::kBuffer, .length = 64};
  const GuestAddress td = driver_.make(packet);
  driver_.set_element(rig_.queue, static_cast<std::uint32_t>(td.value));
  look();
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.device.answers_cancels = false;  // its far side is slow
  const std::uint32_t linked = driver_.read32(driver_.asynchronous());
  driver_.unlink_queue(driver_.asynchronous());
  const std::uint16_t before = driver_.frame_number();
  while (driver_.frame_number() == before) rig_.time.advance(100us);
  driver_.put(Rig::kBuffer, Rig::pattern(64, 99));
  driver_.write32(driver_.asynchronous(), linked);
  rig_.time.advance(3ms);
  rig_.device.complete_ok();  // the first one had been carried out
  rig_.time.advance(3ms);
  EXPECT_TRUE(driver_.active(td));
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(sent(), Rig::pattern(64, 99));
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_FALSE(driver_.active(td));
}

TEST_F(BatchingTest, AnIdleEndpointIsCancelledAsSoonAsABusyOne) {
  for (unsigned i = 0; i < 3; ++i) {
    (void)queue_out(64);
    look();
    rig_.device.complete_ok();
    rig_.time.advance(500ms);
  }
  (void)queue_out(64);
  rig_.time.advance(20ms);
  driver_.unlink_queue(driver_.asynchronous());
  rig_.time.advance(70ms);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
}

TEST_F(BatchingTest, WhatIsAnsweredWhileTheControllerIsStoppedIsGivenBackWhenItRuns) {
  const auto tds = queue_out(1024);
  look();
  driver_.stop();
  rig_.device.complete_ok();
  rig_.time.advance(100ms);
  EXPECT_EQ(done(tds), 0u) << "a stopped controller writes nothing";
  driver_.run();
  look();
  EXPECT_EQ(done(tds), tds.size());
  EXPECT_EQ(rig_.counters(kOut).requests, 1u);
}

TEST_F(BatchingTest, TheRequestGoesOutBeforeAFrameHasPassed) {
  rig_.time.advance(1s);
  (void)queue_out(1024);
  (void)driver_.frame_number();  // drivers do, and it is as good as a doorbell
  EXPECT_EQ(rig_.device.held(), 1u);
}

}  // namespace
}  // namespace periplex::usb::uhci
