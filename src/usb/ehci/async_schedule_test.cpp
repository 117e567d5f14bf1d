// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/async_schedule.hpp"

#include <gtest/gtest.h>

#include "usb/ehci/testing/rig.hpp"

namespace periplex::usb::ehci {
namespace {

using testing::Driver;
using testing::Pid;
using testing::Rig;
using usb::testing::FakeDevice;

constexpr std::uint32_t k64K = 64 * 1024;
constexpr std::uint32_t k120K = 120 * 1024;

/// A high-speed device with an address, and its bulk endpoints 1 in and 2 out.
class AsyncScheduleTest : public ::testing::Test {
 protected:
  AsyncScheduleTest() {
    rig_.driver.start();
    address_ = rig_.plug_addressed(device_);
    in_ = rig_.driver.add_queue({.address = address_, .endpoint = 1});
    out_ = rig_.driver.add_queue({.address = address_, .endpoint = 2});
    buffer_ = rig_.driver.allocate(1u << 20, 4096);
    rig_.driver.acknowledge(0x3f);
    submitted_before_ = device_.submitted;
  }
  ~AsyncScheduleTest() override { rig_.controller.detach(device_); }

  [[nodiscard]] std::size_t requests() const { return device_.submitted - submitted_before_; }
  [[nodiscard]] bool all_done(const std::vector<guest::GuestAddress>& qtds) {
    return std::ranges::none_of(qtds, [&](guest::GuestAddress qtd) { return driver_.active(qtd); });
  }
  [[nodiscard]] EndpointCounters counters(EndpointAddress endpoint) {
    EndpointCounters found;
    rig_.controller.for_each_endpoint(device_, [&](EndpointAddress at, TransferType, const EndpointCounters& counted) {
      if (at == endpoint) found = counted;
    });
    return found;
  }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  FakeDevice device_{rig_.time, Speed::high};
  unsigned address_ = 0;
  Driver::Queue in_;
  Driver::Queue out_;
  guest::GuestAddress buffer_;
  std::size_t submitted_before_ = 0;
};

// --- A1 to A9

TEST_F(AsyncScheduleTest, A1TheFirstPacketStaysPendingWhileTheDataSetIsOut) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  EXPECT_EQ(requests(), 1u);
  for (const auto qtd : qtds) EXPECT_TRUE(driver_.active(qtd));
  EXPECT_EQ(driver_.status() & Driver::kUsbint, 0u);
}

TEST_F(AsyncScheduleTest, A2ASixtyFourKilobyteWriteIsOneRequest) {
  const Bytes data = Rig::pattern(k64K);
  rig_.put(buffer_, data);
  const auto qtds = driver_.append_data(out_, Pid::out, buffer_, k64K);
  rig_.settle();
  ASSERT_EQ(requests(), 1u);
  EXPECT_EQ(device_.at(0).data.copy(k64K), data);
  device_.complete_ok();
  rig_.settle();
  EXPECT_TRUE(all_done(qtds));
  EXPECT_EQ(requests(), 1u);
}

TEST_F(AsyncScheduleTest, A2ADataSetAtAnyOffsetIsCopiedAcrossItsPages) {
  const Bytes data = Rig::pattern(k64K, 3);
  rig_.put(buffer_ + 0x7f1, data);
  driver_.append_data(out_, Pid::out, buffer_ + 0x7f1, k64K, 16 * 1024);
  rig_.settle();
  ASSERT_EQ(requests(), 1u);
  EXPECT_EQ(device_.at(0).data.copy(k64K), data);
}

TEST_F(AsyncScheduleTest, A3OneAnswerCompletesAllPacketsWithOneInterrupt) {
  const auto qtds = driver_.append_data(out_, Pid::out, buffer_, k120K, 20 * 1024);
  rig_.settle();
  const unsigned raised = rig_.pin.raised;
  device_.complete_ok();
  rig_.time.run_until_idle();  // at once: the answer does not wait for a frame
  EXPECT_TRUE(all_done(qtds));
  for (const auto qtd : qtds) EXPECT_EQ(driver_.left(qtd), 0u);
  EXPECT_EQ(rig_.pin.raised, raised + 1);
  EXPECT_NE(driver_.status() & Driver::kUsbint, 0u);
}

TEST_F(AsyncScheduleTest, A4APacketThatIsRewrittenWhilePendingReachesTheDeviceAsItIsNow) {
  const auto qtds = driver_.append_data(out_, Pid::out, buffer_, k64K);
  rig_.settle();
  const Bytes other = Rig::pattern(16384, 9);
  rig_.put(buffer_ + k64K, other);
  for (std::uint32_t page = 0; page < 5; ++page) {
    driver_.set_word(qtds[1] + 12 + 4 * page, static_cast<std::uint32_t>(buffer_.value) + k64K + page * 4096);
  }
  device_.complete(Status::ok, k64K);
  rig_.settle();
  EXPECT_FALSE(driver_.active(qtds[0]));
  EXPECT_TRUE(driver_.active(qtds[1]));
  ASSERT_EQ(requests(), 2u);
  EXPECT_EQ(device_.at(0).data.copy(16384), other);
  EXPECT_EQ(counters({2, Direction::out}).resubmissions, 1u);
}

TEST_F(AsyncScheduleTest, A4AQueueThatTheGuestTakesAwayIsCancelledAtTheDevice) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle(std::chrono::milliseconds(70));
  EXPECT_EQ(device_.cancels.size(), 1u);
  EXPECT_EQ(device_.held(), 0u);
  for (const auto qtd : qtds) EXPECT_TRUE(driver_.active(qtd));
}

TEST_F(AsyncScheduleTest, A4WhatIsInFlightDoesNotOutliveTheSchedule) {
  driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle();
  driver_.command(0, Driver::kAsyncEnable);  // drivers switch it off as soon as it is empty
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_EQ(device_.held(), 1u) << "it may be switched on again";
  rig_.settle(std::chrono::milliseconds(200));
  EXPECT_EQ(device_.cancels.size(), 1u);
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(AsyncScheduleTest, A5EveryPacketGetsItsPortion) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_ + 512, k64K, 12 * 1024);
  rig_.settle();
  const Bytes data = Rig::pattern(k64K, 5);
  Rig::answer(device_, data);
  rig_.settle();
  EXPECT_TRUE(all_done(qtds));
  EXPECT_EQ(rig_.get(buffer_ + 512, k64K), data);
}

TEST_F(AsyncScheduleTest, A5AShortAnswerInTheMiddleOf120KilobytesTakesTheAlternatePointer) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k120K);
  rig_.settle();
  const Bytes data = Rig::pattern(40'000);
  Rig::answer(device_, data);
  rig_.settle();
  EXPECT_EQ(rig_.get(buffer_, data.size()), data);
  EXPECT_FALSE(driver_.active(qtds[2]));
  EXPECT_EQ(driver_.left(qtds[2]), 3 * 16384u - 40'000u);
  EXPECT_TRUE(driver_.active(qtds[3])) << "the queue stands at the alternate, which is not active";
  EXPECT_EQ(driver_.overlay_token(in_) & 0xc0, 0u) << "neither active nor halted";
  EXPECT_NE(driver_.status() & Driver::kUsbint, 0u) << "a short packet interrupts";
}

TEST_F(AsyncScheduleTest, A7AndA9DataSetsThatTheQueueShowsAreAskedForAhead) {
  for (std::uint32_t i = 0; i < 3; ++i) driver_.append_data(in_, Pid::in, buffer_ + i * k64K, k64K);
  rig_.settle();
  EXPECT_EQ(requests(), 3u);
  for (unsigned i = 0; i < 3; ++i) Rig::answer(device_, Rig::pattern(k64K, i));
  rig_.settle();
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(rig_.get(buffer_ + i * k64K, k64K), Rig::pattern(k64K, i));
}

TEST_F(AsyncScheduleTest, A7ADataSetOverSeveralUrbsWithoutInterruptsIsOneRequest) {
  driver_.append(out_, {{.buffer = buffer_, .length = 4096},
                        {.buffer = buffer_ + 8192, .length = 4096},
                        {.buffer = buffer_ + 4096, .length = 4096, .interrupt = true}});
  rig_.settle();
  ASSERT_EQ(requests(), 1u);
  EXPECT_EQ(device_.at(0).data.size(), 3u * 4096);
}

TEST_F(AsyncScheduleTest, A8ControlTransfersAreOneRequestEach) {
  const Driver::Queue control = driver_.add_queue({.address = address_, .endpoint = 0, .packet_size = 64});
  const auto qtds =
      driver_.control(control, {.request_type = 0x80, .request = 6, .value = 0x100, .length = 18}, buffer_);
  rig_.settle();
  ASSERT_EQ(requests(), 1u);
  Rig::answer(device_, Rig::pattern(18));
  rig_.settle();
  EXPECT_TRUE(all_done(qtds));
  EXPECT_EQ(rig_.get(buffer_, 18), Rig::pattern(18));
}

// --- the ring

TEST_F(AsyncScheduleTest, AnUnlinkedQueueHeadIsNeverTouchedAgain) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle();
  ASSERT_NE(driver_.status() & Driver::kAsyncAdvance, 0u);
  // The driver has all of it back, and uses it for something else.
  rig_.put(in_.head, Rig::pattern(48));
  for (const auto qtd : qtds) rig_.put(qtd, Rig::pattern(32));
  rig_.put(buffer_, Rig::pattern(k64K, 1));
  device_.answer_cancels();
  rig_.settle(std::chrono::seconds(2));
  EXPECT_EQ(rig_.get(in_.head, 48), Rig::pattern(48));
  for (const auto qtd : qtds) EXPECT_EQ(rig_.get(qtd, 32), Rig::pattern(32));
  EXPECT_EQ(rig_.get(buffer_, k64K), Rig::pattern(k64K, 1));
  EXPECT_EQ(driver_.status() & Driver::kSystemError, 0u);
}

TEST_F(AsyncScheduleTest, AnAnswerThatComesAfterTheQueueWasTakenAwayIsNotWritten) {
  device_.answers_cancels = false;
  driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle();
  rig_.put(buffer_, Bytes(k64K));
  Rig::answer(device_, Rig::pattern(k64K, 4));
  rig_.settle();
  EXPECT_EQ(rig_.get(buffer_, k64K), Bytes(k64K));
}

TEST_F(AsyncScheduleTest, TheQueueHeadAtWhichTheWalkBeganMayBeTakenOut) {
  driver_.command(0, Driver::kAsyncEnable);
  driver_.write_reg(Driver::kAsynclistaddr, static_cast<std::uint32_t>(in_.head.value));
  driver_.command(Driver::kAsyncEnable);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle();
  ASSERT_NE(driver_.status() & Driver::kAsyncAdvance, 0u);
  rig_.put(in_.head, Bytes(48));  // its link now leads to address 0
  const auto qtds = driver_.append_data(out_, Pid::out, buffer_, 512);
  rig_.settle(std::chrono::seconds(1));
  ASSERT_EQ(device_.held(), 1u);
  device_.complete_ok();
  rig_.settle();
  EXPECT_TRUE(all_done(qtds));
}

TEST_F(AsyncScheduleTest, TheDoorbellIsAnsweredAfterAWalkAndNotWithinTheWrite) {
  driver_.command(Driver::kDoorbell);
  EXPECT_EQ(driver_.status() & Driver::kAsyncAdvance, 0u);
  rig_.time.run_until_idle();
  EXPECT_NE(driver_.status() & Driver::kAsyncAdvance, 0u);
  EXPECT_EQ(driver_.reg(Driver::kUsbcmd) & Driver::kDoorbell, 0u);
  EXPECT_TRUE(rig_.pin.high);
}

TEST_F(AsyncScheduleTest, AQueueThatGoesOnWhereItWasUnlinkedIsServed) {
  driver_.append_data(in_, Pid::in, buffer_, 4096);
  rig_.settle();
  driver_.unlink(in_);
  rig_.settle();
  driver_.clear(in_);
  driver_.link(in_);
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_ + 8192, 4096);
  rig_.settle();
  ASSERT_EQ(device_.held(), 1u);
  Rig::answer(device_, Rig::pattern(4096, 8));
  rig_.settle();
  EXPECT_TRUE(all_done(qtds));
  EXPECT_EQ(rig_.get(buffer_ + 8192, 4096), Rig::pattern(4096, 8));
}

TEST_F(AsyncScheduleTest, ARingWithoutAWayBackEndsTheWalk) {
  driver_.set_word(out_.head, static_cast<std::uint32_t>(out_.head.value) | 2);
  driver_.append_data(out_, Pid::out, buffer_, 512);
  rig_.settle();
  EXPECT_EQ(requests(), 1u);
}

TEST_F(AsyncScheduleTest, WhereNoDeviceListensTheQueueHaltsWithATransactionError) {
  const Driver::Queue nobody = driver_.add_queue({.address = 99, .endpoint = 1});
  const auto qtds = driver_.append_data(nobody, Pid::in, buffer_, 512);
  rig_.settle();
  EXPECT_EQ(driver_.token(qtds[0]) & 0xff, 0x48u);  // Halted, XactErr
  EXPECT_EQ(driver_.token(qtds[0]) >> 10 & 3, 0u);  // CERR has counted down
  EXPECT_NE(driver_.status() & Driver::kUsberrint, 0u);
}

TEST_F(AsyncScheduleTest, ADeviceThatIsUnpluggedFailsWhatIsQueued) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  rig_.controller.detach(device_);
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_EQ(driver_.token(qtds[0]) & 0xff, 0x48u);
  EXPECT_TRUE(rig_.controller.attach(device_).has_value());
}

TEST_F(AsyncScheduleTest, AStructureOutsideMemoryIsAHostSystemError) {
  driver_.set_word(out_.head, 0xf000'0002);
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_NE(driver_.status() & Driver::kSystemError, 0u);
  EXPECT_NE(driver_.status() & Driver::kHalted, 0u);
  EXPECT_EQ(driver_.reg(Driver::kUsbcmd) & Driver::kRun, 0u);
}

TEST_F(AsyncScheduleTest, AHoleInMemoryIsNoErrorWhileTheMonitorChangesItsMap) {
  const auto qtds = driver_.append_data(in_, Pid::in, buffer_, k64K);
  rig_.settle();
  const auto give_back = guest::testing::take_away(rig_.memory, Rig::kRamSize);
  rig_.settle(std::chrono::milliseconds(50));
  Rig::answer(device_, Rig::pattern(k64K));
  rig_.settle(std::chrono::milliseconds(50));
  give_back();
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_EQ(driver_.status() & Driver::kSystemError, 0u);
  EXPECT_TRUE(all_done(qtds));
  EXPECT_EQ(rig_.get(buffer_, k64K), Rig::pattern(k64K));
  const auto never = guest::testing::take_away(rig_.memory, Rig::kRamSize);
  rig_.settle(std::chrono::milliseconds(500));
  EXPECT_NE(driver_.status() & Driver::kSystemError, 0u) << "it stays a hole";
}

TEST_F(AsyncScheduleTest, ABufferOutsideMemoryIsAHostSystemError) {
  driver_.append_data(out_, Pid::out, guest::GuestAddress(0xf000'0000), 512);
  rig_.settle(std::chrono::milliseconds(20));
  EXPECT_NE(driver_.status() & Driver::kSystemError, 0u);
  EXPECT_EQ(requests(), 0u);
}

}  // namespace
}  // namespace periplex::usb::ehci
