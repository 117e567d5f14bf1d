// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/periodic_schedule.hpp"

#include <gtest/gtest.h>

#include "usb/ehci/testing/rig.hpp"

namespace periplex::usb::ehci {
namespace {

using guest::GuestAddress;
using testing::Driver;
using testing::Pid;
using testing::Rig;
using usb::testing::FakeDevice;

constexpr Nanoseconds kMillisecond = std::chrono::milliseconds(1);

/// A high-speed device with an address, and its interrupt endpoint 3 in.
class PeriodicScheduleTest : public ::testing::Test {
 protected:
  PeriodicScheduleTest() {
    driver_.start();
    address_ = rig_.plug_addressed(device_);
    queue_ = driver_.add_queue({.address = address_, .endpoint = 3, .packet_size = 8, .s_mask = 1});
    buffer_ = driver_.allocate(4096, 4096);
    driver_.acknowledge(0x3f);
  }
  ~PeriodicScheduleTest() override { rig_.controller.detach(device_); }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  FakeDevice device_{rig_.time, Speed::high};
  unsigned address_ = 0;
  Driver::Queue queue_;
  GuestAddress buffer_;
};

TEST_F(PeriodicScheduleTest, AnInterruptEndpointIsAskedOnceAndAnswersInItsFrame) {
  driver_.schedule(queue_);
  const auto qtds = driver_.append(queue_, {{.pid = Pid::in, .buffer = buffer_, .length = 8, .interrupt = true}});
  rig_.settle(std::chrono::milliseconds(500));
  ASSERT_EQ(device_.held(), 1u);
  Rig::answer(device_, Rig::pattern(8));
  rig_.settle(kMillisecond);
  EXPECT_FALSE(driver_.active(qtds[0]));
  EXPECT_EQ(rig_.get(buffer_, 8), Rig::pattern(8));
  EXPECT_NE(driver_.status() & Driver::kUsbint, 0u);
  unsigned interrupts = 0;
  rig_.controller.for_each_endpoint(device_, [&](EndpointAddress at, TransferType type, const EndpointCounters& seen) {
    if (at != EndpointAddress(3, Direction::in)) return;
    EXPECT_EQ(type, TransferType::interrupt);
    EXPECT_EQ(seen.requests, 1u);
    ++interrupts;
  });
  EXPECT_EQ(interrupts, 1u);
}

TEST_F(PeriodicScheduleTest, AQueueHeadIsVisitedOnlyInTheFramesThatLeadToIt) {
  driver_.schedule(queue_, 32);
  driver_.append(queue_, {{.pid = Pid::in, .buffer = buffer_, .length = 8}, {.pid = Pid::in, .length = 8}});
  while ((driver_.reg(Driver::kFrindex) >> 3) % 32 != 2) rig_.settle(kMillisecond);
  const std::size_t before = device_.submitted;
  for (int i = 0; i < 29; ++i) {
    rig_.settle(kMillisecond);
    EXPECT_EQ(device_.submitted, before);
  }
  rig_.settle(std::chrono::milliseconds(2));
  while (device_.submitted == before && (driver_.reg(Driver::kFrindex) >> 3) % 32 < 4) rig_.settle(kMillisecond);
  EXPECT_LE(device_.submitted, before + 2);
}

TEST_F(PeriodicScheduleTest, AQueueHeadWithoutSMaskIsNotExecutedHere) {
  const Driver::Queue wrong = driver_.add_queue({.address = address_, .endpoint = 4});
  driver_.take_out(wrong);
  driver_.schedule(wrong);
  driver_.append(wrong, {{.pid = Pid::in, .buffer = buffer_, .length = 8}});
  const std::size_t before = device_.submitted;
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_EQ(device_.submitted, before);
}

TEST_F(PeriodicScheduleTest, SplitTransactionDescriptorsAndFrameSpanNodesArePassedOver) {
  driver_.schedule(queue_);
  const GuestAddress sitd = driver_.allocate(32);
  const GuestAddress fstn = driver_.allocate(32);
  driver_.set_word(fstn, static_cast<std::uint32_t>(queue_.head.value) | 2);
  driver_.set_word(fstn + 4, 1);
  driver_.set_word(sitd, static_cast<std::uint32_t>(fstn.value) | 6);
  driver_.set_word(sitd + 12, Driver::kActive);
  for (unsigned frame = 0; frame < Driver::kFrames; ++frame) {
    driver_.set_word(driver_.frame_entry(frame), static_cast<std::uint32_t>(sitd.value) | 4);
  }
  driver_.append(queue_, {{.pid = Pid::in, .buffer = buffer_, .length = 8}});
  rig_.settle();
  EXPECT_EQ(device_.held(), 1u);
  EXPECT_EQ(driver_.word(sitd + 12), Driver::kActive);
}

TEST_F(PeriodicScheduleTest, AnInterruptQueueThatIsTakenAwayIsCancelled) {
  driver_.schedule(queue_);
  driver_.append(queue_, {{.pid = Pid::in, .buffer = buffer_, .length = 8}});
  rig_.settle(std::chrono::milliseconds(20));
  ASSERT_EQ(device_.held(), 1u);
  for (unsigned frame = 0; frame < Driver::kFrames; ++frame) driver_.set_word(driver_.frame_entry(frame), 1);
  rig_.put(queue_.head, Bytes(48));
  rig_.settle(std::chrono::milliseconds(80));
  EXPECT_EQ(device_.cancels.size(), 1u);
}

TEST_F(PeriodicScheduleTest, AFrameListThatLeadsNowhereIsAHostSystemError) {
  driver_.set_word(driver_.frame_entry(driver_.reg(Driver::kFrindex) / 8 + 3), 0xf000'0002);
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_NE(driver_.status() & Driver::kSystemError, 0u);
}

TEST_F(PeriodicScheduleTest, ACycleInAFrameEnds) {
  driver_.set_word(queue_.head, static_cast<std::uint32_t>(queue_.head.value) | 2);
  driver_.set_word(driver_.frame_entry(driver_.reg(Driver::kFrindex) / 8 + 3),
                   static_cast<std::uint32_t>(queue_.head.value) | 2);
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_EQ(driver_.status() & Driver::kSystemError, 0u);
}

TEST_F(PeriodicScheduleTest, ReadingTheFrameIndexProcessesWhatIsDueFirst) {
  rig_.settle(std::chrono::seconds(1));  // walks are further apart than frames by now
  driver_.schedule(queue_);
  driver_.append(queue_, {{.pid = Pid::in, .buffer = buffer_, .length = 8}});
  const std::uint32_t frame = driver_.reg(Driver::kFrindex) / 8;
  while (driver_.reg(Driver::kFrindex) / 8 == frame) rig_.time.advance(std::chrono::microseconds(10));
  EXPECT_EQ(device_.held(), 1u);
}

// --- isochronous endpoints (§3.3, §4.7)

/// Adds iTDs for endpoint 5 in and 6 out.
class IsochronousTest : public PeriodicScheduleTest {
 protected:
  static constexpr std::uint32_t kPacket = 256;
  static constexpr std::uint32_t kFrameBytes = 8 * kPacket;

  /// An iTD for eight packets in `frame`, with its data at `data`.
  GuestAddress add_itd(unsigned frame, EndpointAddress endpoint, GuestAddress data, bool interrupt = false) {
    const GuestAddress itd = driver_.allocate(64);
    driver_.set_word(itd, driver_.word(driver_.frame_entry(frame)));
    const auto base = static_cast<std::uint32_t>(data.value);
    for (std::uint32_t slot = 0; slot < 8; ++slot) {
      const std::uint32_t at = (base & 0xfff) + slot * kPacket;
      driver_.set_word(itd + 4 + 4 * slot, 1u << 31 | kPacket << 16 | (interrupt && slot == 7 ? 1u << 15 : 0) |
                                               (at >> 12) << 12 | (at & 0xfff));
    }
    const bool in = endpoint.direction() == Direction::in;
    for (std::uint32_t page = 0; page < 7; ++page) {
      std::uint32_t low = 0;
      if (page == 0) low = endpoint.number() << 8 | address_;
      if (page == 1) low = (in ? 1u << 11 : 0) | kPacket;
      if (page == 2) low = 1;
      driver_.set_word(itd + 36 + 4 * page, ((base & ~0xfffu) + page * 4096) | low);
    }
    driver_.set_word(driver_.frame_entry(frame), static_cast<std::uint32_t>(itd.value));
    return itd;
  }
  [[nodiscard]] unsigned frame() { return driver_.reg(Driver::kFrindex) / 8; }
  [[nodiscard]] std::uint32_t slot(GuestAddress itd, unsigned index) { return driver_.word(itd + 4 + 4 * index); }

  GuestAddress data_ = driver_.allocate(64 * 1024, 4096);
};

TEST_F(IsochronousTest, DeviceBoundPacketsGoAheadInFewRequestsAndRetireInTheirFrames) {
  const Bytes sound = Rig::pattern(20 * kFrameBytes);
  rig_.put(data_, sound);
  const unsigned first = frame() + 4;
  std::vector<GuestAddress> itds;
  for (unsigned i = 0; i < 20; ++i) {
    itds.push_back(add_itd(first + i, {6, Direction::out}, data_ + i * kFrameBytes, i == 19));
  }
  Bytes arrived;
  std::size_t requests = 0;
  for (unsigned i = 0; i < 30; ++i) {
    rig_.settle(kMillisecond);
    while (device_.held() > 0) {
      const Bytes part = device_.at(0).data.copy(sound.size());
      EXPECT_EQ(device_.at(0).packets.front().length, kPacket);
      arrived.insert(arrived.end(), part.begin(), part.end());
      device_.complete_ok();
      ++requests;
    }
    const unsigned now = frame();
    for (unsigned k = 0; k < itds.size(); ++k) {
      EXPECT_EQ((slot(itds[k], 7) & 1u << 31) == 0, first + k < now) << "iTD " << k << " in frame " << now;
    }
  }
  EXPECT_EQ(arrived, sound);
  EXPECT_LE(requests, 7u);
  EXPECT_EQ(slot(itds[3], 2) >> 28, 0u);
  EXPECT_NE(driver_.status() & Driver::kUsbint, 0u);
}

TEST_F(IsochronousTest, ADriverThatIsLateFindsTheFramesThatItCountsOn) {
  const unsigned first = frame() + 4;
  const auto pass = [&](unsigned milliseconds) {
    for (unsigned i = 0; i < milliseconds; ++i) {
      rig_.settle(kMillisecond);
      while (device_.held() > 0) device_.complete_ok();
    }
  };
  for (unsigned i = 0; i < 20; ++i) add_itd(first + i, {6, Direction::out}, data_);
  pass(20 + 50);
  EXPECT_EQ(frame(), first + 20) << "the frame for which nothing is queued does not end";
  const GuestAddress late = add_itd(first + 20, {6, Direction::out}, data_);
  pass(5);
  EXPECT_EQ(slot(late, 7) & 1u << 31, 0u);
  pass(200);
  EXPECT_GT(frame(), first + 40) << "a driver that has stopped is not waited for";
}

TEST_F(IsochronousTest, GuestBoundPacketsGetTheirLengths) {
  const unsigned first = frame() + 12;
  std::vector<GuestAddress> itds;
  for (unsigned i = 0; i < 8; ++i) itds.push_back(add_itd(first + i, {5, Direction::in}, data_ + i * kFrameBytes));
  const auto answer_all = [&] {
    while (device_.held() > 0) {
      Transfer& transfer = device_.at(0);
      std::uint32_t sum = 0;
      for (IsochronousPacket& packet : transfer.packets) {
        packet.actual = 100;
        sum += packet.actual;
        transfer.data.write(packet.offset, Rig::pattern(100));
      }
      device_.complete(Status::ok, sum);
    }
  };
  for (unsigned i = 0; i < 24; ++i) {
    rig_.settle(kMillisecond);
    answer_all();
  }
  for (unsigned i = 0; i < 8; ++i) {
    for (unsigned k = 0; k < 8; ++k) {
      EXPECT_EQ(slot(itds[i], k) >> 16, 100u) << "no status bits, 100 bytes";
      EXPECT_EQ(rig_.get(data_ + i * kFrameBytes + k * kPacket, 100), Rig::pattern(100));
    }
  }
}

TEST_F(IsochronousTest, AnIntervalWithoutDataIsReportedAndNotLeftActive) {
  const GuestAddress itd = add_itd(frame() + 4, {5, Direction::in}, data_);
  rig_.settle(std::chrono::milliseconds(8));
  for (unsigned k = 0; k < 8; ++k) EXPECT_EQ(slot(itd, k) >> 16, 0x1000u) << "XactErr, no bytes";
  EXPECT_NE(driver_.status() & Driver::kUsberrint, 0u);
}

TEST_F(IsochronousTest, APacketMayCrossAPage) {
  const unsigned at = frame() + 4;
  const Bytes sound = Rig::pattern(kFrameBytes, 2);
  rig_.put(data_ + 0xf80, sound);
  add_itd(at, {6, Direction::out}, data_ + 0xf80);
  rig_.settle(std::chrono::milliseconds(8));
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).data.copy(kFrameBytes), sound);
}

TEST_F(IsochronousTest, DescriptorsForNobodyAreRetired) {
  address_ = 99;
  const GuestAddress in = add_itd(frame() + 4, {5, Direction::in}, data_);
  const GuestAddress out = add_itd(frame() + 4, {6, Direction::out}, data_);
  rig_.settle(std::chrono::milliseconds(8));
  EXPECT_EQ(slot(in, 0) >> 28, 1u);   // XactErr
  EXPECT_EQ(slot(out, 0) >> 28, 0u);  // nobody acknowledges isochronous packets
}

TEST_F(IsochronousTest, AStreamThatTheScheduleIsSwitchedOffForIsCancelled) {
  for (unsigned i = 0; i < 10; ++i) add_itd(frame() + 4 + i, {5, Direction::in}, data_);
  rig_.settle(std::chrono::milliseconds(4));
  ASSERT_GT(device_.held(), 0u);
  driver_.command(0, Driver::kPeriodicEnable);
  rig_.settle();
  EXPECT_EQ(device_.held(), 0u);
}

}  // namespace
}  // namespace periplex::usb::ehci
