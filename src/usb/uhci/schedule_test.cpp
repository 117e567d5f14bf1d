// SPDX-License-Identifier: Apache-2.0
// Queues and descriptors, and what the guest finds in them: UHCI Design Guide 1.1 chapter 3.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using ::testing::ElementsAreArray;

constexpr std::uint16_t kUsbInt = 0x01;
constexpr std::uint16_t kError = 0x02;
constexpr std::uint16_t kSystemError = 0x08;
constexpr std::uint16_t kProcessError = 0x10;
constexpr std::uint16_t kHalted = 0x20;

class ScheduleTest : public ::testing::Test {
 protected:
  ScheduleTest() { rig_.bring_up(); }

  [[nodiscard]] std::uint32_t element() const { return driver_.element(rig_.queue); }
  void queue(GuestAddress descriptor) const {
    driver_.set_element(rig_.queue, static_cast<std::uint32_t>(descriptor.value));
  }

  Rig rig_;
  Driver& driver_ = rig_.driver;
};

TEST_F(ScheduleTest, APacketIsPendingUntilTheDeviceAnswers) {
  const auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, 64), 64);
  rig_.time.advance(3ms);
  EXPECT_TRUE(driver_.active(tds[0]));
  EXPECT_NE(driver_.td_status(tds[0]) & 1u << 19, 0u) << "NAK received";
  EXPECT_EQ(driver_.status() & kUsbInt, 0);
  rig_.answer(Rig::pattern(64));
  rig_.time.advance(100us);
  EXPECT_FALSE(driver_.active(tds[0]));
  EXPECT_EQ(driver_.actual(tds[0]), 64u);
  EXPECT_EQ(driver_.td_status(tds[0]) >> 16 & 0xff, 0u);
  EXPECT_EQ(element(), Driver::kTerminate);
  EXPECT_EQ(driver_.status(), kUsbInt);
  EXPECT_EQ(driver_.get(Rig::kBuffer, 64), Rig::pattern(64));
}

TEST_F(ScheduleTest, QueuesAreCarriedOutDepthFirstAndBreadthFirstAlike) {
  for (const bool breadth_first : {false, true}) {
    const auto tds = driver_.make_data_set(Rig::packet(kPidOut, 2, 256), 64, breadth_first);
    queue(tds[0]);
    rig_.time.advance(10ms);
    ASSERT_EQ(rig_.device.held(), 1u);
    rig_.device.complete_ok();
    rig_.time.advance(100us);
    for (const GuestAddress td : tds) EXPECT_FALSE(driver_.active(td));
  }
}

TEST_F(ScheduleTest, AShortPacketWithDetectionStopsTheQueueAndInterrupts) {
  const auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, 192), 64);
  rig_.time.advance(3ms);
  rig_.answer(Rig::pattern(70));
  rig_.time.advance(100us);
  EXPECT_EQ(driver_.actual(tds[1]), 6u);
  EXPECT_FALSE(driver_.active(tds[1]));
  EXPECT_TRUE(driver_.active(tds[2]));
  EXPECT_EQ(element() & ~0xfu, tds[1].value) << "the queue head is not updated";
  EXPECT_EQ(driver_.status(), kUsbInt);
  driver_.out16(0x04, 0x0007);
  EXPECT_FALSE(rig_.pin.asserted) << "short packets have an enable bit of their own";
  driver_.out16(0x04, 0x0008);
  EXPECT_TRUE(rig_.pin.asserted);
}

TEST_F(ScheduleTest, AShortPacketWithoutDetectionGoesOn) {
  auto first = Rig::packet(kPidIn, 1, 64);
  const GuestAddress second = driver_.make(first);
  const GuestAddress td = driver_.make(first, static_cast<std::uint32_t>(second.value));
  queue(td);
  rig_.time.advance(3ms);
  rig_.answer(Rig::pattern(6));
  rig_.time.advance(100us);
  EXPECT_EQ(driver_.actual(td), 6u);
  EXPECT_EQ(element(), second.value);
  EXPECT_TRUE(driver_.active(second));
  EXPECT_EQ(rig_.device.held(), 1u) << "what follows is another data set";
}

TEST_F(ScheduleTest, AStallHaltsTheQueue) {
  const auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 128), 64);
  rig_.time.advance(3ms);
  rig_.device.complete(Status::stall);
  rig_.time.advance(100us);
  EXPECT_TRUE(driver_.stalled(tds[0]));
  EXPECT_FALSE(driver_.active(tds[0]));
  EXPECT_FALSE(driver_.timed_out(tds[0]));
  EXPECT_TRUE(driver_.active(tds[1]));
  EXPECT_EQ(element(), tds[0].value);
  EXPECT_EQ(driver_.status(), kError);
  EXPECT_TRUE(rig_.pin.asserted);
}

TEST_F(ScheduleTest, BabbleAndNoAnswerHaveStatusBitsOfTheirOwn) {
  auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, 64), 64);
  rig_.time.advance(3ms);
  rig_.device.complete(Status::babble);
  rig_.time.advance(100us);
  EXPECT_EQ(driver_.td_status(tds[0]) >> 16 & 0xff, 0x50u) << "stalled, babble";
  tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, 64), 64);
  rig_.time.advance(3ms);
  rig_.device.complete(Status::error);
  rig_.time.advance(100us);
  EXPECT_EQ(driver_.td_status(tds[0]) >> 16 & 0xff, 0x44u) << "stalled, CRC/time-out";
  EXPECT_EQ(driver_.td_status(tds[0]) >> 27 & 3, 0u) << "the error counter has run out";
}

TEST_F(ScheduleTest, AnAddressWithoutADeviceTimesOut) {
  Packet packet = Rig::packet(kPidIn, 1, 64);
  packet.device = 9;
  packet.interrupt_on_complete = true;
  const GuestAddress td = driver_.make(packet);
  queue(td);
  rig_.time.advance(10ms);
  EXPECT_TRUE(driver_.stalled(td));
  EXPECT_TRUE(driver_.timed_out(td));
  EXPECT_EQ(driver_.status(), kUsbInt | kError) << "IOC as well";
}

TEST_F(ScheduleTest, AnInactiveDescriptorInterruptsOnceAFrame) {
  driver_.set_element(driver_.asynchronous(),
                      static_cast<std::uint32_t>(driver_.make({.interrupt_on_complete = true, .active = false}).value));
  const GuestAddress td = driver_.make(Rig::packet(kPidOut, 2, 8));
  queue(td);
  rig_.time.advance(10ms);
  (void)driver_.frame_number();
  EXPECT_EQ(driver_.status(), kUsbInt);
  driver_.clear_status(kUsbInt);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_FALSE(driver_.active(td)) << "the same frame once more";
  EXPECT_EQ(driver_.status(), 0);
  rig_.time.advance(1ms);
  EXPECT_EQ(driver_.status(), kUsbInt) << "the next";
}

TEST_F(ScheduleTest, AControlTransferIsOneRequest) {
  const auto tds = driver_.queue_control(
      rig_.queue, Rig::kAddress, {.request_type = 0x80, .request = 6, .value = 0x100, .length = 18}, Rig::kBuffer, 8);
  rig_.time.advance(10ms);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).setup->length, 18);
  EXPECT_FALSE(driver_.active(tds[0])) << "SETUP is always acknowledged";
  rig_.answer(Rig::pattern(18));
  rig_.time.advance(100us);
  for (const GuestAddress td : tds) EXPECT_FALSE(driver_.active(td));
  EXPECT_EQ(driver_.get(Rig::kBuffer, 18), Rig::pattern(18));
}

TEST_F(ScheduleTest, AQueueOfSeveralEndpointsReachesEachOfThem) {
  Packet second = Rig::packet(kPidOut, 3, 8);
  second.interrupt_on_complete = true;
  const GuestAddress last = driver_.make(second);
  const GuestAddress first = driver_.make(Rig::packet(kPidOut, 2, 8), static_cast<std::uint32_t>(last.value));
  queue(first);
  rig_.time.advance(10ms);
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  ASSERT_EQ(rig_.device.held(EndpointAddress(0x03)), 1u);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_FALSE(driver_.active(last));
}

TEST_F(ScheduleTest, AnInterruptQueueIsReachedOnlyInItsFrames) {
  const auto tds = driver_.queue_data_set(driver_.interrupt(), Rig::packet(kPidIn, 1, 8), 8);
  rig_.time.advance(20ms);
  ASSERT_EQ(rig_.device.held(), 1u);
  while (driver_.frame_number() % 8 != 2) rig_.time.advance(1ms);
  rig_.device.complete_ok();
  rig_.time.advance(3ms);
  EXPECT_TRUE(driver_.active(tds[0]));
  rig_.time.advance(4ms);
  EXPECT_FALSE(driver_.active(tds[0]));
}

TEST_F(ScheduleTest, BandwidthReclamationLoopsEndAfterOneTurn) {
  driver_.write32(rig_.queue, static_cast<std::uint32_t>(driver_.asynchronous().value) | Driver::kToQueueHead);
  const auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidOut, 2, 64), 64);
  rig_.time.advance(10ms);
  rig_.device.complete_ok();
  rig_.time.advance(100us);
  EXPECT_FALSE(driver_.active(tds[0]));
}

TEST_F(ScheduleTest, ADescriptorDirectlyInTheFrameListIsCarriedOut) {
  Packet packet = Rig::packet(kPidOut, 2, 64);
  packet.interrupt_on_complete = true;
  const GuestAddress td = driver_.make(packet, driver_.read32(driver_.frame_entry(1)));
  for (unsigned frame = 0; frame < Driver::kFrames; ++frame) {
    driver_.write32(driver_.frame_entry(frame), static_cast<std::uint32_t>(td.value));
  }
  rig_.time.advance(10ms);
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.device.complete_ok();
  rig_.time.run_until_idle();
  EXPECT_FALSE(driver_.active(td));
  EXPECT_EQ(driver_.status(), kUsbInt);
}

TEST_F(ScheduleTest, AnElementLinkMayLeadToAQueueHead) {
  const GuestAddress inner = driver_.allocate(16);
  driver_.write32(inner, Driver::kTerminate);
  const auto tds = driver_.queue_data_set(inner, Rig::packet(kPidOut, 2, 64), 64);
  driver_.set_element(rig_.queue, static_cast<std::uint32_t>(inner.value) | Driver::kToQueueHead);
  rig_.time.advance(10ms);
  EXPECT_EQ(rig_.device.held(), 1u);
}

TEST_F(ScheduleTest, AnUnknownPidOrLengthIsAProcessError) {
  queue(driver_.make(Rig::packet(0x55, 1, 64)));
  rig_.time.advance(10ms);
  EXPECT_EQ(driver_.status(), kProcessError | kHalted);
  EXPECT_EQ(driver_.command() & 1, 0);
  EXPECT_TRUE(rig_.pin.asserted);
  driver_.clear_status(kProcessError);
  EXPECT_FALSE(rig_.pin.asserted);
  queue(driver_.make(Rig::packet(kPidIn, 1, 1281)));
  driver_.run();
  rig_.time.advance(10ms);
  EXPECT_EQ(driver_.status(), kProcessError | kHalted);
}

TEST_F(ScheduleTest, StructuresOutsideMemoryAreASystemError) {
  const auto expect_system_error = [&](const char* what) {
    rig_.time.advance(10ms);
    EXPECT_EQ(driver_.status(), kSystemError | kHalted) << what;
    driver_.clear_status(kSystemError);
    driver_.set_element(rig_.queue, Driver::kTerminate);
  };
  driver_.set_element(rig_.queue, 0xf000'0000);
  expect_system_error("a descriptor");
  Packet packet = Rig::packet(kPidOut, 2, 64);
  packet.buffer = GuestAddress(0xf000'0000);
  queue(driver_.make(packet));
  driver_.run();
  expect_system_error("its buffer");
  driver_.out32(0x08, 0xf000'0000);
  driver_.run();
  expect_system_error("the frame list");
}

TEST_F(ScheduleTest, AHoleInMemoryIsNoErrorWhileTheMonitorChangesItsMap) {
  const auto tds = driver_.queue_data_set(rig_.queue, Rig::packet(kPidIn, 1, 64), 64);
  rig_.time.advance(3ms);
  const auto give_back = guest::testing::take_away(*rig_.memory, Rig::kRamSize);
  rig_.time.advance(50ms);
  rig_.answer(Rig::pattern(64));
  rig_.time.advance(50ms);
  give_back();
  rig_.time.advance(10ms);
  EXPECT_EQ(driver_.status(), kUsbInt);
  EXPECT_EQ(driver_.get(Rig::kBuffer, 64), Rig::pattern(64));
  const auto never = guest::testing::take_away(*rig_.memory, Rig::kRamSize);
  rig_.time.advance(300ms);
  EXPECT_EQ(driver_.status(), kUsbInt | kSystemError | kHalted) << "it stays a hole";
}

TEST_F(ScheduleTest, EveryKindOfCycleEnds) {
  const GuestAddress td = driver_.make(Rig::packet(kPidOut, 2, 64));
  driver_.write32(td, static_cast<std::uint32_t>(td.value));
  queue(td);  // a descriptor that follows itself in a queue …
  for (unsigned frame = 0; frame < Driver::kFrames; frame += 2) {
    driver_.write32(driver_.frame_entry(frame), static_cast<std::uint32_t>(td.value));  // … and in the frame list
  }
  driver_.set_element(driver_.interrupt(),
                      static_cast<std::uint32_t>(driver_.interrupt().value) | Driver::kToQueueHead);
  rig_.time.advance(20ms);
  while (rig_.device.held() > 0) rig_.device.complete_ok();
  rig_.time.advance(20ms);
  EXPECT_EQ(driver_.status() & kHalted, 0);
}

}  // namespace
}  // namespace periplex::usb::uhci
