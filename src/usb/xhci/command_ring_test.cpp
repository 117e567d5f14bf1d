// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/command_ring.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using ::testing::ElementsAre;

constexpr std::uint32_t kCrcr = 0x18;
constexpr std::uint64_t kStop = 1u << 1;
constexpr std::uint64_t kAbort = 1u << 2;
constexpr std::uint64_t kRunning = 1u << 3;
constexpr Trb kNoOp = command(TrbType::no_op_command);

struct Seen {
  std::uint64_t pointer;
  CompletionCode code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

class CommandRingTest : public ::testing::Test {
 protected:
  CommandRingTest() { driver_.start(); }

  std::vector<Seen> completions() {
    std::vector<Seen> seen;
    for (const Trb& event : driver_.drain()) {
      if (event.type() == TrbType::command_completion_event) seen.push_back({event.parameter, code_of(event)});
    }
    return seen;
  }
  std::uint64_t crcr() { return rig_.read<std::uint64_t>(driver_.operational(kCrcr)); }
  void write_crcr(std::uint64_t value) { rig_.write64(driver_.operational(kCrcr), value); }
  /// A device whose SET_ADDRESS the test answers; the command waits for it.
  GuestAddress start_slow_command() {
    device_.answers_set_address = false;
    slot_ = driver_.enable_slot().slot;
    const unsigned port = rig_.plug(device_);
    driver_.write_input_control(slot_, 0, 3);
    driver_.write_input_slot(slot_, port, 1);
    driver_.write_input_endpoint(slot_, {.dci = 1, .type = 4, .max_packet_size = 64});
    const GuestAddress at =
        driver_.queue_command(command(TrbType::address_device_command, slot_, 0, driver_.input_context(slot_).value));
    driver_.ring_command_doorbell();
    return at;
  }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  usb::testing::FakeDevice device_{rig_.time, Speed::high};
  unsigned slot_ = 0;
};

class WithDevice : public CommandRingTest {
 protected:
  ~WithDevice() override { rig_.controller.detach(device_); }
};

TEST_F(CommandRingTest, ANoOpSucceedsAndNamesItsTrb) {
  const GuestAddress at = driver_.queue_command(kNoOp);
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre(Seen{at.value, CompletionCode::success}));
}

TEST_F(CommandRingTest, CommandsWaitForTheDoorbell) {
  driver_.queue_command(kNoOp);
  EXPECT_THAT(completions(), ElementsAre());
  EXPECT_EQ(crcr() & kRunning, 0u);
  driver_.ring_command_doorbell();
  EXPECT_EQ(completions().size(), 1u);
  EXPECT_EQ(crcr(), kRunning) << "pointer and RCS read as zero";
}

TEST_F(CommandRingTest, ADoorbellForTargetOneOfTheHostIsIgnored) {
  driver_.queue_command(kNoOp);
  rig_.write32(driver_.doorbell_register(0), 1);
  EXPECT_THAT(completions(), ElementsAre());
}

TEST_F(CommandRingTest, ManyCommandsAreAnsweredInOrderAcrossTheLink) {
  for (unsigned i = 0; i < 1000; ++i) ASSERT_EQ(driver_.execute(kNoOp).code, CompletionCode::success) << i;
}

TEST_F(CommandRingTest, UnknownCommandsAreTrbErrors) {
  for (unsigned type = 0; type < 64; ++type) {
    const auto trb_type = static_cast<TrbType>(type);
    const bool known = trb_type >= TrbType::enable_slot_command && trb_type <= TrbType::reset_device_command;
    if (known || trb_type == TrbType::no_op_command || trb_type == TrbType::link) continue;
    EXPECT_EQ(driver_.execute(command(trb_type)).code, CompletionCode::trb_error) << type;
  }
}

TEST_F(CommandRingTest, StoppingTheIdleRingTellsWhereItStands) {
  driver_.execute(kNoOp);
  write_crcr(kStop);
  EXPECT_THAT(completions(),
              ElementsAre(Seen{driver_.command_ring().enqueue().value, CompletionCode::command_ring_stopped}));
  EXPECT_EQ(crcr() & kRunning, 0u);
}

TEST_F(CommandRingTest, AStoppedRingGoesOnAtTheDoorbell) {
  driver_.execute(kNoOp);
  write_crcr(kAbort);
  (void)completions();
  const GuestAddress at = driver_.queue_command(kNoOp);
  EXPECT_THAT(completions(), ElementsAre());
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre(Seen{at.value, CompletionCode::success}));
}

TEST_F(CommandRingTest, WhileItRunsOnlyStopAndAbortCanBeWritten) {
  driver_.execute(kNoOp);
  write_crcr(0x1234'5000);
  EXPECT_EQ(driver_.execute(kNoOp).code, CompletionCode::success) << "the pointer was ignored";
}

TEST_F(CommandRingTest, AStoppedRingCanBeMovedInHalves) {
  driver_.execute(kNoOp);
  write_crcr(kStop);
  (void)completions();
  ProducerRing other(rig_.ram, 1, 16);
  const GuestAddress at = other.push(kNoOp);
  rig_.write32(driver_.operational(kCrcr), static_cast<std::uint32_t>(at.value | 1));
  rig_.write32(driver_.operational(kCrcr + 4), static_cast<std::uint32_t>(at.value >> 32));
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre(Seen{at.value, CompletionCode::success}));
}

TEST_F(CommandRingTest, AnAbortInHalvesLeavesAnIdleRingWhereItStands) {
  driver_.execute(kNoOp);
  const auto pointer = static_cast<std::uint32_t>(crcr() & ~0xfu);
  rig_.write32(driver_.operational(kCrcr), pointer | static_cast<std::uint32_t>(kAbort));
  rig_.write32(driver_.operational(kCrcr + 4), 0);
  (void)completions();
  const GuestAddress at = driver_.queue_command(kNoOp);
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre(Seen{at.value, CompletionCode::success})) << "no old command runs again";
}

TEST_F(CommandRingTest, ARingOutsideMemoryIsAHostSystemError) {
  driver_.reset();
  driver_.set_up();
  write_crcr(Rig::kNowhere.value | 1);
  driver_.run();
  driver_.ring_command_doorbell();
  EXPECT_EQ(driver_.usbsts() & 0x5, 0x5u);
  EXPECT_EQ(crcr() & kRunning, 0u);
}

TEST_F(CommandRingTest, LinksWithoutEndAreAHostSystemError) {
  const GuestAddress link = driver_.command_ring().enqueue();
  rig_.ram.write(link, link.value);
  rig_.ram.write(link + 12, std::uint32_t{6u << 10 | 1});
  driver_.ring_command_doorbell();
  EXPECT_EQ(driver_.usbsts() & 0x5, 0x5u);
}

TEST_F(CommandRingTest, ACircleOfCommandsWithoutAnEventRingStaysBounded) {
  driver_.reset();
  driver_.set_up();
  rig_.write32(driver_.interrupter(0, 0x08), 0);  // ERSTSZ: events are dropped, so nothing slows the circle
  for (unsigned i = 0; i < 63; ++i) driver_.queue_command(kNoOp);
  rig_.ram.write(driver_.command_ring().segment(0) + 63 * 16 + 12, std::uint32_t{6u << 10 | 1});
  driver_.run();
  driver_.ring_command_doorbell();
  std::size_t turns = 0;
  rig_.time.defer([&] { ++turns; });
  for (unsigned i = 0; i < 20; ++i) {
    rig_.time.run_until_idle(2);
    rig_.time.defer([&] { ++turns; });
  }
  EXPECT_GE(turns, 19u) << "one later turn at a time is asked for, not one per command";
}

TEST_F(WithDevice, OneCommandRunsAtATime) {
  const GuestAddress slow = start_slow_command();
  const GuestAddress next = driver_.queue_command(kNoOp);
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre());
  device_.complete_ok();
  EXPECT_THAT(completions(),
              ElementsAre(Seen{slow.value, CompletionCode::success}, Seen{next.value, CompletionCode::success}));
}

TEST_F(WithDevice, AbortEndsACommandThatWaitsForTheDevice) {
  const GuestAddress slow = start_slow_command();
  write_crcr(kAbort);
  EXPECT_THAT(completions(), ElementsAre(Seen{slow.value, CompletionCode::command_aborted},
                                         Seen{slow.value + 16, CompletionCode::command_ring_stopped}));
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(driver_.slot_state(slot_), 0u);
  EXPECT_EQ(driver_.execute(kNoOp).code, CompletionCode::success);
}

TEST_F(WithDevice, StopLetsTheRunningCommandEnd) {
  const GuestAddress slow = start_slow_command();
  write_crcr(kStop);
  EXPECT_THAT(completions(), ElementsAre());
  device_.complete_ok();
  EXPECT_THAT(completions(), ElementsAre(Seen{slow.value, CompletionCode::success},
                                         Seen{slow.value + 16, CompletionCode::command_ring_stopped}));
}

TEST_F(WithDevice, AnAbortThatComesTooLateReportsSuccess) {
  device_.answers_cancels = false;
  const GuestAddress slow = start_slow_command();
  write_crcr(kAbort);
  device_.complete_ok();
  EXPECT_THAT(completions(), ElementsAre(Seen{slow.value, CompletionCode::success},
                                         Seen{slow.value + 16, CompletionCode::command_ring_stopped}));
}

TEST_F(WithDevice, AResetForgetsTheCommandThatWasRunning) {
  start_slow_command();
  device_.answers_cancels = false;
  driver_.start();
  EXPECT_EQ(driver_.execute(kNoOp).code, CompletionCode::success);
  if (device_.held() != 0) device_.complete_ok();
  EXPECT_THAT(completions(), ElementsAre()) << "a late answer is nobody's";
}

TEST_F(WithDevice, HaltingStopsTheRingUntilTheNextDoorbell) {
  driver_.execute(kNoOp);
  driver_.halt();
  EXPECT_EQ(crcr() & kRunning, 0u);
  driver_.run();
  const GuestAddress at = driver_.queue_command(kNoOp);
  EXPECT_THAT(completions(), ElementsAre());
  driver_.ring_command_doorbell();
  EXPECT_THAT(completions(), ElementsAre(Seen{at.value, CompletionCode::success}));
  rig_.plug(device_);
}

}  // namespace
}  // namespace periplex::usb::xhci
