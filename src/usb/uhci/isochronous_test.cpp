// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr std::uint32_t kPacket = 192;
constexpr unsigned kFrames = 200;  // that hold a packet, from the present one on

class IsochronousTest : public ::testing::Test {
 protected:
  IsochronousTest() { rig_.bring_up(); }

  [[nodiscard]] static GuestAddress buffer(unsigned index) { return Rig::kBuffer + std::uint64_t{index} * kPacket; }
  [[nodiscard]] static Bytes samples(unsigned index) { return Rig::pattern(kPacket, index * 13); }

  /// A packet in each of the next frames, in front of what the frame list holds, as drivers do.
  void queue_stream(std::uint8_t pid, unsigned first_frame) {
    for (unsigned i = 0; i < kFrames; ++i) {
      const GuestAddress entry = driver_.frame_entry(first_frame + i);
      Packet packet = Rig::packet(pid, 3, kPacket);
      packet.buffer = buffer(i);
      packet.isochronous = true;
      packet.interrupt_on_complete = i % 10 == 9;
      if (pid == kPidOut) driver_.put(buffer(i), samples(i));
      tds_.push_back(driver_.make(packet, driver_.read32(entry)));
      driver_.write32(entry, static_cast<std::uint32_t>(tds_.back().value));
    }
  }
  /// The device side answers all it holds, with the samples that follow.
  void serve() {
    while (rig_.device.held() > 0) {
      Transfer& transfer = rig_.device.at(0);
      for (IsochronousPacket& packet : transfer.packets) {
        packet.actual = packet.length;
        Bytes bytes = samples(served_++);
        if (transfer.direction() == Direction::in) {
          transfer.data.write(packet.offset, bytes);
        } else {
          Bytes got(packet.length);
          transfer.data.read(packet.offset, got);
          EXPECT_EQ(got, bytes) << "packet " << served_ - 1;
        }
      }
      rig_.device.complete_ok();
    }
  }
  [[nodiscard]] unsigned done() const {
    return static_cast<unsigned>(std::ranges::count_if(tds_, [&](GuestAddress td) { return !driver_.active(td); }));
  }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  std::vector<GuestAddress> tds_;
  unsigned served_ = 0;
};

TEST_F(IsochronousTest, EveryPacketIsDoneInItsOwnFrame) {
  const unsigned first = driver_.frame_number() + 5u;
  queue_stream(kPidOut, first);
  for (unsigned i = 0; i < kFrames; ++i) {
    rig_.time.advance(1ms);
    serve();
    const unsigned passed = driver_.frame_number();
    EXPECT_EQ(done(), passed > first ? std::min(passed - first, kFrames) : 0) << "frame " << passed;
  }
  EXPECT_LE(rig_.counters(EndpointAddress(0x03)).requests, kFrames / 3);
  EXPECT_EQ(rig_.counters(EndpointAddress(0x03)).missed_intervals, 0u);
}

TEST_F(IsochronousTest, RecordedSamplesArriveInOrder) {
  queue_stream(kPidIn, driver_.frame_number() + 5u);
  for (unsigned i = 0; i < kFrames + 10; ++i) {
    rig_.time.advance(1ms);
    serve();
  }
  ASSERT_EQ(done(), kFrames);
  for (unsigned i = 0; i < kFrames; ++i) {
    EXPECT_EQ(driver_.td_status(tds_[i]) >> 16 & 0xff, 0u) << i;
    EXPECT_EQ(driver_.actual(tds_[i]), kPacket);
    EXPECT_EQ(driver_.get(buffer(i), kPacket), samples(i)) << i;
  }
  EXPECT_EQ(rig_.counters(EndpointAddress(0x83)).missed_intervals, 0u);
}

TEST_F(IsochronousTest, ALateLoopCatchesUpWithoutLosingOrRepeating) {
  queue_stream(kPidIn, driver_.frame_number() + 5u);
  rig_.time.advance(10ms);
  serve();
  rig_.time.stall(40ms);  // nothing runs meanwhile
  for (unsigned i = 0; i < kFrames; ++i) {
    rig_.time.advance(1ms);
    serve();
  }
  ASSERT_EQ(done(), kFrames);
  unsigned expected = 0;
  for (unsigned i = 0; i < kFrames; ++i) {
    if (driver_.actual(tds_[i]) == 0) continue;
    EXPECT_EQ(driver_.get(buffer(i), kPacket), samples(expected++)) << i;
  }
  EXPECT_EQ(expected + rig_.counters(EndpointAddress(0x83)).missed_intervals, kFrames);
}

TEST_F(IsochronousTest, AnAnswerThatIsNotThereInTimeIsATimeOutAndCounts) {
  queue_stream(kPidIn, driver_.frame_number() + 5u);
  rig_.time.advance(20ms);
  EXPECT_TRUE(driver_.timed_out(tds_[0]));
  EXPECT_FALSE(driver_.stalled(tds_[0])) << "isochronous endpoints do not halt";
  EXPECT_FALSE(driver_.active(tds_[0]));
  EXPECT_EQ(driver_.actual(tds_[0]), 0u);
  EXPECT_GT(rig_.counters(EndpointAddress(0x83)).missed_intervals, 5u);
}

TEST_F(IsochronousTest, RepeatedRoundsDoNotTouchThem) {
  const unsigned first = driver_.frame_number() + 5u;
  queue_stream(kPidOut, first);
  rig_.time.advance(10ms);
  const unsigned before = done();
  driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  const Nanoseconds until = rig_.time.now() + 900us;
  while (rig_.time.now() < until) {
    rig_.time.advance(50us);
    if (rig_.device.held(EndpointAddress(0x02)) > 0) break;
  }
  EXPECT_LE(done(), before + 1);
}

TEST_F(IsochronousTest, ADriverThatIsLateFindsTheFramesThatItCountsOn) {
  const unsigned first = driver_.frame_number() + 5u;
  const auto pass = [&](unsigned milliseconds) {
    for (unsigned i = 0; i < milliseconds; ++i) {
      rig_.time.advance(1ms);
      serve();
    }
  };
  queue_stream(kPidOut, first);
  pass(kFrames + 50);
  EXPECT_EQ(done(), kFrames);
  EXPECT_EQ(driver_.frame_number(), first + kFrames) << "the frame for which nothing is queued has not begun";
  served_ = 0;
  queue_stream(kPidOut, first + kFrames);
  pass(kFrames + 10);
  EXPECT_EQ(done(), 2 * kFrames);
  pass(200);
  EXPECT_GT(driver_.frame_number(), first + 2 * kFrames + 20) << "a driver that has stopped is not waited for";
}

TEST_F(IsochronousTest, AStreamKeepsFramesOnTime) {
  queue_stream(kPidOut, driver_.frame_number() + 5u);
  rig_.time.advance(100ms);
  serve();
  const unsigned before = done();
  rig_.time.advance(1ms);
  EXPECT_EQ(done(), before + 1);
}

}  // namespace
}  // namespace periplex::usb::uhci
