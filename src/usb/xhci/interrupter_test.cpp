// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/interrupter.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/registers.hpp"
#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace std::chrono_literals;
using testing::code_of;
using testing::command;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Property;

constexpr std::uint32_t kIman = 0x00;
constexpr std::uint32_t kImod = 0x04;
constexpr std::uint32_t kErstsz = 0x08;
constexpr std::uint32_t kErstba = 0x10;
constexpr std::uint32_t kErdp = 0x18;
constexpr std::uint32_t kIp = 1u << 0;
constexpr std::uint32_t kIe = 1u << 1;
constexpr std::uint64_t kEhb = 1u << 3;
constexpr std::uint32_t kEint = 1u << 3;
constexpr std::uint32_t kRunStop = 1u << 0;
constexpr std::uint32_t kInte = 1u << 2;

/// A running controller; No Op commands make the events.
class InterrupterTest : public ::testing::Test {
 protected:
  explicit InterrupterTest(const testing::Driver::Options& options = {}) : rig_(options) { rig_.driver.start(); }

  void post_events(unsigned count) {
    for (unsigned i = 0; i < count; ++i) rig_.driver.queue_command(command(TrbType::no_op_command));
    rig_.driver.ring_command_doorbell();
    rig_.time.run_until_idle();
  }
  std::uint32_t iman(unsigned index = 0) { return rig_.read32(rig_.driver.interrupter(index, kIman)); }
  void write_iman(std::uint32_t value) { rig_.write32(rig_.driver.interrupter(0, kIman), value); }
  void moderate(std::uint32_t interval) { rig_.write32(rig_.driver.interrupter(0, kImod), interval); }
  bool busy() { return (rig_.read32(rig_.driver.interrupter(0, kErdp)) & kEhb) != 0; }
  unsigned messages(unsigned vector = 0) const { return rig_.interrupts.messages[vector]; }
  /// Reads what there is without telling the controller.
  unsigned poll_all() {
    unsigned count = 0;
    while (rig_.driver.poll()) ++count;
    return count;
  }

  testing::Rig rig_;
};

TEST_F(InterrupterTest, AnEventSetsPendingBusyAndEintAndSendsOneMessage) {
  post_events(1);
  EXPECT_EQ(messages(), 1u);
  EXPECT_TRUE(busy());
  EXPECT_EQ(iman(), kIe) << "IP clears itself with the message";
  EXPECT_NE(rig_.driver.usbsts() & kEint, 0u);
}

TEST_F(InterrupterTest, WhileTheHandlerIsBusyNothingMoreIsSent) {
  post_events(1);
  post_events(3);
  EXPECT_EQ(messages(), 1u);
}

TEST_F(InterrupterTest, ClearingBusyOnAnEmptyRingIsQuiet) {
  post_events(2);
  poll_all();
  rig_.driver.acknowledge();
  EXPECT_FALSE(busy());
  EXPECT_EQ(messages(), 1u);
  post_events(1);
  EXPECT_EQ(messages(), 2u);
}

TEST_F(InterrupterTest, ClearingBusyWhileEventsAreLeftInterruptsAgain) {
  post_events(2);
  ASSERT_TRUE(rig_.driver.poll());
  rig_.driver.acknowledge();
  EXPECT_EQ(messages(), 2u);
  EXPECT_TRUE(busy());
}

TEST_F(InterrupterTest, WritingErdpWithoutEhbMovesOnlyThePointer) {
  post_events(2);
  poll_all();
  rig_.write64(rig_.driver.interrupter(0, kErdp), rig_.driver.events().dequeue().value);
  EXPECT_TRUE(busy());
  post_events(1);
  EXPECT_EQ(messages(), 1u);
}

TEST_F(InterrupterTest, ADisabledInterruptWaitsUntilItIsEnabled) {
  write_iman(0);
  post_events(1);
  EXPECT_EQ(messages(), 0u);
  EXPECT_EQ(iman(), kIp);
  write_iman(kIe);
  EXPECT_EQ(messages(), 1u);
  EXPECT_EQ(iman(), kIe);
}

TEST_F(InterrupterTest, InteGatesAllInterrupts) {
  rig_.write32(rig_.driver.operational(0), kRunStop);
  post_events(1);
  EXPECT_EQ(messages(), 0u);
  rig_.write32(rig_.driver.operational(0), kRunStop | kInte);
  EXPECT_EQ(messages(), 1u);
}

TEST_F(InterrupterTest, WithThePinPendingStaysUntilTheDriverClearsIt) {
  rig_.interrupts.messages_enabled = false;
  post_events(1);
  EXPECT_TRUE(rig_.interrupts.pin);
  EXPECT_EQ(messages(), 0u);
  EXPECT_EQ(iman(), kIe | kIp);
  write_iman(kIe | kIp);
  EXPECT_FALSE(rig_.interrupts.pin);
  EXPECT_EQ(iman(), kIe);
}

TEST_F(InterrupterTest, WithThePinIeAndInteGateTheLevel) {
  rig_.interrupts.messages_enabled = false;
  post_events(1);
  write_iman(0);
  EXPECT_FALSE(rig_.interrupts.pin);
  write_iman(kIe);
  EXPECT_TRUE(rig_.interrupts.pin);
  rig_.write32(rig_.driver.operational(0), kRunStop);
  EXPECT_FALSE(rig_.interrupts.pin);
}

TEST_F(InterrupterTest, APendingInterruptGoesTheNewWayWhenTheModeChanges) {
  rig_.interrupts.messages_enabled = false;
  post_events(1);
  rig_.interrupts.messages_enabled = true;
  rig_.controller.interrupt_mode_changed();
  EXPECT_EQ(messages(), 1u);
  EXPECT_EQ(iman(), kIe);
}

TEST_F(InterrupterTest, ModerationKeepsInterruptsApart) {
  moderate(4000);  // 1 ms
  post_events(1);
  EXPECT_EQ(messages(), 1u) << "the first one is not delayed";
  poll_all();
  rig_.driver.acknowledge();
  post_events(1);
  EXPECT_EQ(messages(), 1u);
  rig_.time.advance(999us);
  EXPECT_EQ(messages(), 1u);
  rig_.time.advance(1us);
  EXPECT_EQ(messages(), 2u);
}

TEST_F(InterrupterTest, ModerationDelaysNothingAfterAPause) {
  moderate(4000);
  post_events(1);
  poll_all();
  rig_.driver.acknowledge();
  rig_.time.advance(5ms);
  post_events(1);
  EXPECT_EQ(messages(), 2u);
}

TEST_F(InterrupterTest, AModerationTimerIsArmedOnlyWhileAnInterruptWaits) {
  moderate(4000);
  post_events(1);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  poll_all();
  rig_.driver.acknowledge();
  post_events(1);
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  rig_.time.advance(1ms);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(InterrupterTest, SwitchingModerationOffReleasesAnInterruptThatWaits) {
  moderate(0xffff);
  post_events(1);
  poll_all();
  rig_.driver.acknowledge();
  post_events(1);
  moderate(0);
  EXPECT_EQ(messages(), 2u);
}

TEST_F(InterrupterTest, ABlockedEventWaitsForTheNextInterrupt) {
  usb::testing::FakeDevice device(rig_.time, Speed::high);
  const unsigned slot = rig_.address(device);
  (void)rig_.driver.drain();
  const unsigned before = messages();
  rig_.driver.queue(slot, 1, testing::no_op(testing::flag::kIoc | testing::flag::kBei));
  rig_.driver.ring(slot, 1);
  EXPECT_EQ(messages(), before);
  EXPECT_FALSE(busy());
  rig_.driver.queue(slot, 1, testing::no_op());
  rig_.driver.ring(slot, 1);
  EXPECT_EQ(messages(), before + 1);
  EXPECT_EQ(poll_all(), 2u);
  rig_.controller.detach(device);
}

TEST_F(InterrupterTest, EventsForARingThatDoesNotExistAreDropped) {
  rig_.driver.reset();
  rig_.driver.set_up();
  rig_.write32(rig_.driver.interrupter(0, kErstsz), 0);
  rig_.driver.run();
  post_events(3);
  EXPECT_EQ(messages(), 0u);
  EXPECT_EQ(rig_.driver.usbsts() & 0x5, 0u) << "neither halted nor in error";
}

TEST_F(InterrupterTest, ASegmentTableOutsideMemoryIsAHostSystemError) {
  rig_.write64(rig_.driver.interrupter(0, kErstba), testing::Rig::kNowhere.value);
  post_events(1);
  EXPECT_EQ(rig_.driver.usbsts() & 0x5, 0x5u);
}

TEST_F(InterrupterTest, ASegmentOutsideMemoryIsAHostSystemError) {
  rig_.ram.write(rig_.driver.events().table(), testing::Rig::kNowhere.value);
  rig_.write64(rig_.driver.interrupter(0, kErstba), rig_.driver.events().table().value);
  post_events(1);
  EXPECT_EQ(rig_.driver.usbsts() & 0x5, 0x5u);
}

TEST_F(InterrupterTest, TheRingStartsInWhicheverOrderItsRegistersAreWritten) {
  const auto expect_event = [this] {
    rig_.driver.run();
    EXPECT_EQ(rig_.driver.execute(command(TrbType::no_op_command)).code, CompletionCode::success);
    rig_.driver.reset();
    rig_.driver.set_up();
  };
  rig_.driver.reset();
  rig_.driver.set_up();  // ERSTSZ, ERDP, ERSTBA
  expect_event();
  const std::uint64_t table = rig_.driver.events().table().value;
  const std::uint64_t dequeue = rig_.driver.events().dequeue().value;
  rig_.write64(rig_.driver.interrupter(0, kErstba), table);
  rig_.write32(rig_.driver.interrupter(0, kErstsz), 1);
  rig_.write32(rig_.driver.interrupter(0, kErdp), static_cast<std::uint32_t>(dequeue));
  rig_.write32(rig_.driver.interrupter(0, kErdp + 4), static_cast<std::uint32_t>(dequeue >> 32));
  expect_event();
}

class SmallEventRing : public InterrupterTest {
 protected:
  SmallEventRing() : InterrupterTest({.event_trbs = 16}) {}
};

TEST_F(SmallEventRing, TheLastPlaceHoldsAnEventRingFullError) {
  post_events(40);
  std::vector<Trb> events;
  while (const auto event = rig_.driver.poll()) events.push_back(*event);
  ASSERT_EQ(events.size(), 15u);
  EXPECT_EQ(events.back().type(), TrbType::host_controller_event);
  EXPECT_EQ(code_of(events.back()), CompletionCode::event_ring_full_error);
}

TEST_F(SmallEventRing, NothingIsLostWhenTheGuestMakesRoom) {
  for (unsigned i = 0; i < 60; ++i) rig_.driver.queue_command(command(TrbType::no_op_command));
  rig_.driver.ring_command_doorbell();
  std::vector<std::uint64_t> commands;
  for (unsigned round = 0; round < 20; ++round) {
    for (const Trb& event : rig_.driver.drain()) {
      if (event.type() == TrbType::command_completion_event) commands.push_back(event.parameter);
    }
  }
  ASSERT_EQ(commands.size(), 60u);
  for (unsigned i = 0; i < 60; ++i) EXPECT_EQ(commands[i], rig_.driver.command_ring().segment(0).value + i * 16);
}

TEST_F(SmallEventRing, WhileItIsFullNothingIsFetched) {
  usb::testing::FakeDevice device(rig_.time, Speed::high);
  const unsigned slot = rig_.address(device);
  ASSERT_EQ(rig_.driver.configure(slot, {.dci = 2, .type = 2}).code, CompletionCode::success);
  (void)rig_.driver.drain();
  post_events(20);
  const std::size_t submitted = device.submitted;
  rig_.driver.queue(slot, 2, testing::normal(rig_.ram.allocate(512), 512));
  rig_.driver.ring(slot, 2);
  EXPECT_EQ(device.submitted, submitted);
  for (unsigned i = 0; i < 5; ++i) (void)rig_.driver.drain();
  EXPECT_EQ(device.submitted, submitted + 1);
  rig_.controller.detach(device);
}

TEST_F(SmallEventRing, ANewRingForgetsWhatTheOldOneHadNoRoomFor) {
  post_events(30);
  testing::EventConsumer fresh(rig_.ram, 1, 16);
  rig_.write64(rig_.driver.interrupter(0, kErdp), fresh.dequeue().value);
  rig_.write64(rig_.driver.interrupter(0, kErstba), fresh.table().value);
  rig_.time.run_until_idle();
  const auto first = fresh.next();
  ASSERT_TRUE(first) << "commands are fetched again, although ERDP is not written any more";
  EXPECT_EQ(first->type(), TrbType::command_completion_event);
}

class SeveralSegments : public InterrupterTest {
 protected:
  SeveralSegments() : InterrupterTest({.event_segments = 3, .event_trbs = 16}) {}
};

TEST_F(SeveralSegments, EventsCrossSegmentsAndRounds) {
  for (unsigned i = 0; i < 200; ++i) {
    ASSERT_EQ(rig_.driver.execute(command(TrbType::no_op_command)).code, CompletionCode::success) << i;
  }
}

TEST_F(SeveralSegments, AreFullOnlyTogether) {
  post_events(45);
  EXPECT_EQ(poll_all(), 45u);
}

class SeveralInterrupters : public InterrupterTest {
 protected:
  SeveralInterrupters() : InterrupterTest({.interrupters = 3}) {}
  void transfer(unsigned slot, unsigned interrupter) {
    rig_.driver.queue(slot, 1, testing::make_trb(TrbType::no_op, 0, interrupter << 22, testing::flag::kIoc));
    rig_.driver.ring(slot, 1);
  }
};

TEST_F(SeveralInterrupters, ATransfersEventGoesToTheInterrupterItNames) {
  usb::testing::FakeDevice device(rig_.time, Speed::high);
  const unsigned slot = rig_.address(device);
  (void)rig_.driver.drain();
  transfer(slot, 2);
  EXPECT_EQ(messages(2), 1u);
  EXPECT_EQ(rig_.driver.drain(2).size(), 1u);
  EXPECT_TRUE(rig_.driver.drain(0).empty());
  transfer(slot, 1);
  EXPECT_EQ(messages(1), 1u);
  EXPECT_EQ(rig_.driver.drain(1).size(), 1u);
  rig_.controller.detach(device);
}

TEST_F(SeveralInterrupters, ANumberThatDoesNotExistMeansTheFirst) {
  usb::testing::FakeDevice device(rig_.time, Speed::high);
  const unsigned slot = rig_.address(device);
  (void)rig_.driver.drain();
  transfer(slot, 1023);
  EXPECT_EQ(rig_.driver.drain(0).size(), 1u);
  rig_.controller.detach(device);
}

TEST_F(SeveralInterrupters, WithThePinAllEventsGoToTheFirst) {
  rig_.interrupts.messages_enabled = false;
  usb::testing::FakeDevice device(rig_.time, Speed::high);
  const unsigned slot = rig_.address(device);
  (void)rig_.driver.drain();
  transfer(slot, 2);
  EXPECT_EQ(rig_.driver.drain(0).size(), 1u);
  EXPECT_TRUE(rig_.interrupts.pin);
  rig_.controller.detach(device);
}

}  // namespace
}  // namespace periplex::usb::xhci
