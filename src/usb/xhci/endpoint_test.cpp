// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/endpoint.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/data_ring.hpp"
#include "usb/xhci/registers.hpp"
#include "usb/xhci/testing/endpoint_rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr unsigned kDisabled = 0;  // EP State, table 6-8
constexpr unsigned kRunning = 1;
constexpr unsigned kHalted = 2;
constexpr unsigned kStopped = 3;
constexpr unsigned kError = 4;

/// A Transfer Event as the tests compare it.
struct Seen {
  std::uint64_t pointer;
  std::uint32_t length;
  CompletionCode code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

class EndpointTest : public ::testing::Test {
 protected:
  static constexpr unsigned kOut = EndpointRig::kOut;
  static constexpr unsigned kIn = EndpointRig::kIn;

  std::vector<Seen> events() {
    std::vector<Seen> seen;
    for (const Trb& event : rig_.driver.drain()) {
      if (event.type() != TrbType::transfer_event) continue;
      EXPECT_EQ(slot_of(event), rig_.slot);
      seen.push_back({event.parameter, length_of(event), code_of(event)});
    }
    return seen;
  }
  static Seen success(GuestAddress trb) { return {trb.value, 0, CompletionCode::success}; }
  CompletionCode stop(unsigned dci) { return rig_.driver.stop_endpoint(rig_.slot, dci).code; }
  CompletionCode reset(unsigned dci) { return rig_.driver.reset_endpoint(rig_.slot, dci).code; }
  CompletionCode set_dequeue(unsigned dci, std::uint64_t position) {
    return rig_.driver.set_dequeue(rig_.slot, dci, position).code;
  }
  void stall(unsigned dci) {
    rig_.transfer(dci, 64);
    rig_.device.complete(Status::stall);
    (void)events();
  }
  void break_ring(unsigned dci) {
    rig_.driver.queue(rig_.slot, dci, make_trb(TrbType::isoch, 0, 0));
    rig_.driver.ring(rig_.slot, dci);
    (void)events();
  }

  EndpointRig rig_;
  Driver& driver_ = rig_.driver;
};

TEST_F(EndpointTest, ATransferIsSubmittedWithTheGuestsOwnMemory) {
  rig_.ram.write(rig_.data, std::uint64_t{0x1122'3344'5566'7788});
  const GuestAddress trb = rig_.transfer(kOut, 8);
  ASSERT_EQ(rig_.device.held(), 1u);
  const Transfer& transfer = rig_.device.at(0);
  EXPECT_EQ(transfer.endpoint(), EndpointAddress(0x01));
  EXPECT_EQ(transfer.direction(), Direction::out);
  ASSERT_EQ(transfer.data.spans().size(), 1u);
  EXPECT_EQ(transfer.data.spans()[0].data(), rig_.ram.bytes(rig_.data, 8).data());
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(trb)));
}

TEST_F(EndpointTest, AChainIsOneTransfer) {
  driver_.queue(rig_.slot, kIn, std::array{normal(rig_.data, 512, flag::kChain), normal(rig_.data + 0x2000, 100)});
  driver_.ring(rig_.slot, kIn);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 612u);
  EXPECT_EQ(rig_.device.at(0).data.spans().size(), 2u);
}

TEST_F(EndpointTest, SeveralTdsAreInFlightAndEndInOrder) {
  std::vector<Seen> expected;
  for (unsigned i = 0; i < 10; ++i) expected.push_back(success(rig_.transfer(kIn, 64)));
  EXPECT_EQ(rig_.device.held(), 10u);
  while (rig_.device.held() != 0) rig_.device.complete_ok();
  EXPECT_EQ(events(), expected);
}

TEST_F(EndpointTest, MoreTdsThanFitInFlightFollowAsOthersEnd) {
  EndpointSetup large = EndpointRig::kEndpoints[1];
  large.ring_trbs = 256;
  ASSERT_EQ(driver_.configure(rig_.slot, std::span(&large, 1), 1u << kIn).code, CompletionCode::success);
  for (unsigned i = 0; i < 100; ++i) driver_.queue(rig_.slot, kIn, normal(rig_.data, 64));
  driver_.ring(rig_.slot, kIn);
  EXPECT_EQ(rig_.device.held(), DataRing::kMaxInFlight);
  unsigned done = 0;
  for (; rig_.device.held() != 0; ++done) rig_.device.complete_ok();
  EXPECT_EQ(done, 100u);
  EXPECT_EQ(events().size(), 100u);
}

TEST_F(EndpointTest, EndpointsDoNotWaitForEachOther) {
  rig_.transfer(kOut, 64);
  const GuestAddress in = rig_.transfer(kIn, 64);
  rig_.device.complete_at(1, {.actual = 64});
  EXPECT_THAT(events(), ElementsAre(success(in)));
  EXPECT_EQ(rig_.device.held(EndpointAddress(0x01)), 1u);
}

TEST_F(EndpointTest, AStallHaltsAndAbandonsWhatIsBehindIt) {
  const GuestAddress first = rig_.transfer(kIn, 64);
  const std::uint64_t cycle = driver_.transfer_ring(rig_.slot, kIn).cycle() ? 1 : 0;
  rig_.transfer(kIn, 64);
  rig_.transfer(kIn, 64);
  rig_.device.complete(Status::stall);
  EXPECT_THAT(events(), ElementsAre(Seen{first.value, 64, CompletionCode::stall_error}));
  EXPECT_EQ(rig_.device.cancels.size(), 2u);
  EXPECT_EQ(rig_.device.held(), 0u);
  EXPECT_EQ(rig_.state(kIn), kHalted);
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kIn), first.value | cycle);
}

TEST_F(EndpointTest, TheContextSaysHaltedBeforeAnyoneIsTold) {
  rig_.write32(Controller::kRuntimeBase + kInterrupterOffset, static_cast<std::uint32_t>(iman::IE.mask()));
  const std::uint32_t usbcmd = driver_.operational(0);
  rig_.write32(usbcmd, rig_.read32(usbcmd) | static_cast<std::uint32_t>(usbcmd::INTE.mask()));
  std::vector<unsigned> states;
  rig_.interrupts.on_message = [&] { states.push_back(rig_.state(kIn)); };
  rig_.transfer(kIn, 64);
  rig_.device.complete(Status::error);
  EXPECT_THAT(states, ElementsAre(kHalted)) << "an interrupt handler on another processor looks at once";
}

TEST_F(EndpointTest, AfterAResetTheRingGoesOnWhereTheDriverSays) {
  stall(kIn);
  ASSERT_EQ(reset(kIn), CompletionCode::success);
  EXPECT_THAT(rig_.device.opened, ElementsAre(EndpointAddress(0x81)));
  ASSERT_EQ(set_dequeue(kIn, driver_.transfer_ring(rig_.slot, kIn).position()), CompletionCode::success);
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kIn), driver_.transfer_ring(rig_.slot, kIn).position());
  const GuestAddress next = rig_.transfer(kIn, 64);
  EXPECT_EQ(rig_.state(kIn), kRunning);
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(next)));
}

TEST_F(EndpointTest, ResetEndpointWithTransferStatePreservedKeepsTheToggle) {
  stall(kIn);
  ASSERT_EQ(driver_.reset_endpoint(rig_.slot, kIn, true).code, CompletionCode::success);
  EXPECT_THAT(rig_.device.opened, IsEmpty());
}

TEST_F(EndpointTest, ResetEndpointWaitsUntilTheDeviceHoldsNothingAnyMore) {
  rig_.device.answers_cancels = false;
  rig_.transfer(kIn, 64);
  rig_.transfer(kIn, 64);
  rig_.device.complete(Status::stall);
  driver_.queue_command(command(TrbType::reset_endpoint_command, rig_.slot, kIn));
  driver_.ring_command_doorbell();
  const auto before = driver_.drain();
  ASSERT_EQ(before.size(), 1u) << "only the stall: the driver would reuse the buffer";
  EXPECT_EQ(before[0].type(), TrbType::transfer_event);
  rig_.device.answer_cancels();
  const auto after = driver_.drain();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(code_of(after[0]), CompletionCode::success);
  EXPECT_EQ(rig_.state(kIn), kStopped);
}

TEST_F(EndpointTest, StatusesBecomeTheManualsCompletionCodes) {
  const auto code_for = [this](Status status) {
    rig_.transfer(kOut, 64);
    rig_.device.complete(status);
    const auto seen = events();
    EXPECT_EQ(seen.size(), 1u);
    EXPECT_EQ(reset(kOut), CompletionCode::success);
    EXPECT_EQ(set_dequeue(kOut, driver_.transfer_ring(rig_.slot, kOut).position()), CompletionCode::success);
    return seen.at(0).code;
  };
  EXPECT_EQ(code_for(Status::stall), CompletionCode::stall_error);
  EXPECT_EQ(code_for(Status::babble), CompletionCode::babble_detected_error);
  EXPECT_EQ(code_for(Status::error), CompletionCode::usb_transaction_error);
  EXPECT_EQ(code_for(Status::disconnected), CompletionCode::usb_transaction_error);
  EXPECT_EQ(code_for(Status::cancelled), CompletionCode::usb_transaction_error) << "nobody asked for it";
}

TEST_F(EndpointTest, AMistakeOnTheRingIsReportedAfterWhatStandsBeforeIt) {
  const GuestAddress good = rig_.transfer(kIn, 64);
  const GuestAddress bad = driver_.queue(rig_.slot, kIn, make_trb(TrbType::setup_stage, 0, 0));
  driver_.ring(rig_.slot, kIn);
  EXPECT_THAT(events(), IsEmpty());
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(good), Seen{bad.value, 0, CompletionCode::trb_error}));
  EXPECT_EQ(rig_.state(kIn), kError);
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kIn) & ~1ull, bad.value);
}

TEST_F(EndpointTest, ABufferOutsideMemoryNamesItsTrb) {
  const GuestAddress trb = driver_.queue(rig_.slot, kIn, normal(Rig::kNowhere, 64));
  driver_.ring(rig_.slot, kIn);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 0, CompletionCode::trb_error}));
  EXPECT_EQ(rig_.state(kIn), kError);
}

TEST_F(EndpointTest, ABufferOutsideMemoryBehindALinkNamesItsTrb) {
  for (unsigned i = 0; i < 63; ++i) rig_.transfer(kIn, 0);
  while (rig_.device.held() != 0) rig_.device.complete_ok();
  (void)events();
  const GuestAddress trb = driver_.queue(rig_.slot, kIn, normal(Rig::kNowhere, 64));
  EXPECT_EQ(trb, driver_.transfer_ring(rig_.slot, kIn).segment(0)) << "behind the link that ends the segment";
  driver_.ring(rig_.slot, kIn);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 0, CompletionCode::trb_error}));
}

TEST_F(EndpointTest, ARingOutsideMemoryIsAHostSystemError) {
  ASSERT_EQ(stop(kIn), CompletionCode::success);
  ASSERT_EQ(set_dequeue(kIn, Rig::kNowhere.value | 1), CompletionCode::success);
  driver_.ring(rig_.slot, kIn);
  EXPECT_EQ(driver_.usbsts() & 0x5, 0x5u) << "HSE and HCH";
}

TEST_F(EndpointTest, LinksWithoutEndAreATrbError) {
  const GuestAddress link = driver_.transfer_ring(rig_.slot, kIn).enqueue();
  rig_.ram.write(link, link.value);
  rig_.ram.write(link + 12, std::uint32_t{6u << 10 | 1});
  driver_.ring(rig_.slot, kIn);
  EXPECT_THAT(events(), ElementsAre(Seen{link.value, 0, CompletionCode::trb_error}));
  EXPECT_EQ(rig_.state(kIn), kError);
}

TEST_F(EndpointTest, StopOfAnIdleEndpointGivesNoTransferEvent) {
  rig_.transfer(kIn, 64);
  rig_.device.complete_ok();
  (void)events();
  EXPECT_EQ(stop(kIn), CompletionCode::success);
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_EQ(rig_.state(kIn), kStopped);
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kIn), driver_.transfer_ring(rig_.slot, kIn).position());
}

TEST_F(EndpointTest, StopReportsTheTdThatWasUnderWayAndKeepsTheRest) {
  const GuestAddress first = rig_.transfer(kIn, 64);
  const std::uint64_t second = rig_.transfer(kIn, 512).value;
  rig_.transfer(kIn, 512);
  rig_.device.complete_ok();
  EXPECT_EQ(stop(kIn), CompletionCode::success);
  EXPECT_THAT(events(), ElementsAre(success(first), Seen{second, 512, CompletionCode::stopped}));
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kIn), second | 1);
  EXPECT_EQ(rig_.device.held(), 0u);
  driver_.ring(rig_.slot, kIn);
  EXPECT_EQ(rig_.device.held(), 2u) << "both are still on the ring";
}

TEST_F(EndpointTest, AStoppedTdGoesOnExactlyWhereItWas) {
  const GuestAddress first =
      driver_.queue(rig_.slot, kOut, std::array{normal(rig_.data, 1000, flag::kChain), normal(rig_.data + 1000, 1000)});
  const GuestAddress begin{first.value - 16};
  for (unsigned i = 0; i < 2000; ++i) rig_.ram.write(rig_.data + i, static_cast<std::uint8_t>(i * 7));
  driver_.ring(rig_.slot, kOut);
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 1200;
  EXPECT_EQ(stop(kOut), CompletionCode::success);
  EXPECT_THAT(events(), ElementsAre(Seen{first.value, 800, CompletionCode::stopped}));
  EXPECT_EQ(driver_.output_dequeue(rig_.slot, kOut), first.value | 1);
  driver_.ring(rig_.slot, kOut);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 800u);
  EXPECT_EQ(rig_.device.at(0).data.spans()[0].data(), rig_.ram.bytes(rig_.data + 1200, 1).data());
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 300;
  EXPECT_EQ(stop(kOut), CompletionCode::success) << "and again";
  EXPECT_THAT(events(), ElementsAre(Seen{first.value, 500, CompletionCode::stopped}));
  driver_.ring(rig_.slot, kOut);
  EXPECT_EQ(rig_.device.at(0).data.size(), 500u);
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(first)));
  EXPECT_LT(begin.value, first.value);
}

TEST_F(EndpointTest, AfterSetDequeueAStoppedTdIsForgotten) {
  rig_.transfer(kIn, 512);
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 100;
  EXPECT_EQ(stop(kIn), CompletionCode::success);
  EXPECT_EQ(set_dequeue(kIn, driver_.transfer_ring(rig_.slot, kIn).position()), CompletionCode::success);
  rig_.transfer(kIn, 64);
  EXPECT_EQ(rig_.device.at(0).data.size(), 64u);
}

TEST_F(EndpointTest, AStopThatMeetsTheEndOfItsTransferReportsTheEnd) {
  rig_.device.answers_cancels = false;
  const GuestAddress trb = rig_.transfer(kIn, 64);
  driver_.queue_command(command(TrbType::stop_endpoint_command, rig_.slot, kIn));
  driver_.ring_command_doorbell();
  EXPECT_THAT(events(), IsEmpty());
  rig_.device.complete_ok();  // it was done before the cancel reached it
  const auto all = driver_.drain();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].parameter, trb.value);
  EXPECT_EQ(code_of(all[0]), CompletionCode::success);
  EXPECT_EQ(code_of(all[1]), CompletionCode::success);
  EXPECT_EQ(rig_.state(kIn), kStopped);
}

TEST_F(EndpointTest, AStopThatMeetsAStallLeavesTheEndpointHalted) {
  rig_.device.answers_cancels = false;
  rig_.transfer(kIn, 64);
  driver_.queue_command(command(TrbType::stop_endpoint_command, rig_.slot, kIn));
  driver_.ring_command_doorbell();
  rig_.device.complete(Status::stall);
  const auto all = driver_.drain();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(code_of(all[0]), CompletionCode::stall_error);
  EXPECT_EQ(code_of(all[1]), CompletionCode::context_state_error);
  EXPECT_EQ(rig_.state(kIn), kHalted);
}

TEST_F(EndpointTest, UnpluggingFailsTheTransferUnderWay) {
  const GuestAddress trb = rig_.transfer(kIn, 64);
  rig_.transfer(kIn, 64);
  rig_.unplug();
  EXPECT_EQ(rig_.device.cancels.size(), 2u);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 64, CompletionCode::usb_transaction_error}));
  EXPECT_EQ(rig_.state(kIn), kHalted);
  EXPECT_EQ(reset(kIn), CompletionCode::success);
  EXPECT_EQ(set_dequeue(kIn, driver_.transfer_ring(rig_.slot, kIn).position()), CompletionCode::success);
  const GuestAddress late = rig_.transfer(kIn, 64);
  EXPECT_THAT(events(), ElementsAre(Seen{late.value, 64, CompletionCode::usb_transaction_error}));
}

TEST_F(EndpointTest, ADeviceThatIsDestroyedAfterUnpluggingCompletesLate) {
  auto device = std::make_unique<usb::testing::FakeDevice>(rig_.time, Speed::high);
  device->answers_cancels = false;
  const unsigned slot = rig_.address(*device);
  const GuestAddress trb = driver_.queue_control(slot, {.request_type = 0x80, .request = 0, .length = 2}, rig_.data);
  driver_.ring(slot, 1);
  rig_.controller.detach(*device);
  device.reset();
  const auto all = driver_.drain();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].type(), TrbType::port_status_change_event);
  EXPECT_EQ(code_of(all[1]), CompletionCode::usb_transaction_error);
  EXPECT_EQ(all[1].parameter, trb.value - 16) << "in its Data Stage";
}

TEST_F(EndpointTest, APortResetFailsTheTransfersUnderWay) {
  const GuestAddress trb = rig_.transfer(kIn, 64);
  driver_.write_portsc(1, 1u << 9 | 1u << 4);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 64, CompletionCode::usb_transaction_error}));
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(EndpointTest, DisablingThePortFailsTheTransfersUnderWay) {
  const GuestAddress trb = rig_.transfer(kIn, 64);
  driver_.write_portsc(1, 1u << 9 | 1u << 1);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 64, CompletionCode::usb_transaction_error}));
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(EndpointTest, AStaleSlotDoesNotReachTheDeviceThatIsPluggedInNext) {
  testing::Rig rig;
  rig.driver.start();
  usb::testing::FakeDevice old_device(rig.time, Speed::super);
  usb::testing::FakeDevice new_device(rig.time, Speed::super);
  const unsigned slot = rig.address(old_device);
  rig.controller.detach(old_device);
  ASSERT_TRUE(rig.controller.attach(new_device));
  (void)rig.driver.drain();
  rig.driver.queue_control(slot, {.request_type = 0, .request = 9, .value = 1});
  rig.driver.ring(slot, 1);
  EXPECT_EQ(new_device.held(), 0u);
  const auto all = rig.driver.drain();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(code_of(all[0]), CompletionCode::usb_transaction_error);
  rig.controller.detach(new_device);
}

TEST_F(EndpointTest, ControlTransfersGoOneByOne) {
  const SetupPacket get_status{.request_type = 0x80, .request = 0, .length = 2};
  const GuestAddress first = driver_.queue_control(rig_.slot, get_status, rig_.data);
  const GuestAddress second = driver_.queue_control(rig_.slot, get_status, rig_.data);
  driver_.ring(rig_.slot, 1);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).setup, get_status);
  rig_.device.complete_ok();
  ASSERT_EQ(rig_.device.held(), 1u);
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(first), success(second)));
}

TEST_F(EndpointTest, AStalledControlRequestHaltsItsEndpointUntilReset) {
  driver_.queue_control(rig_.slot, {.request_type = 0x80, .request = 6, .length = 8}, rig_.data);
  driver_.ring(rig_.slot, 1);
  rig_.device.complete(Status::stall);
  EXPECT_EQ(events().size(), 1u);
  EXPECT_EQ(rig_.state(1), kHalted);
  EXPECT_EQ(reset(1), CompletionCode::success);
  EXPECT_EQ(set_dequeue(1, driver_.transfer_ring(rig_.slot, 1).position()), CompletionCode::success);
  const GuestAddress next = driver_.queue_control(rig_.slot, {.request_type = 0, .request = 9, .value = 1});
  driver_.ring(rig_.slot, 1);
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(next)));
}

TEST_F(EndpointTest, ANoOpEndsInItsTurn) {
  const GuestAddress transfer = rig_.transfer(kIn, 64);
  const GuestAddress nothing = driver_.queue(rig_.slot, kIn, no_op());
  driver_.ring(rig_.slot, kIn);
  EXPECT_THAT(events(), IsEmpty());
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(transfer), success(nothing)));
}

TEST_F(EndpointTest, ARingThatNeverEndsLeavesTheLoopToOthers) {
  ProducerRing& ring = driver_.transfer_ring(rig_.slot, kIn);
  for (unsigned i = 0; i < 63; ++i) driver_.queue(rig_.slot, kIn, no_op(0));
  rig_.ram.write(ring.segment(0) + 63 * 16 + 12, std::uint32_t{6u << 10 | 1});  // links back without toggling
  for (unsigned i = 0; i < 10; ++i) driver_.ring(rig_.slot, kIn);
  rig_.time.run_until_idle(100);
  const GuestAddress trb = rig_.transfer(kOut, 64);
  rig_.device.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(trb)));
  driver_.queue_command(command(TrbType::stop_endpoint_command, rig_.slot, kIn));
  driver_.ring_command_doorbell();
  EXPECT_EQ(rig_.state(kIn), kStopped);
}

TEST_F(EndpointTest, CountsWhatItDid) {
  rig_.transfer(kIn, 64);
  rig_.device.complete(Status::ok, 40);
  rig_.transfer(kIn, 64);
  rig_.device.complete(Status::stall);
  EndpointCounters counters;
  rig_.controller.for_each_endpoint(rig_.device, [&](EndpointAddress address, TransferType type, const auto& all) {
    if (address == EndpointAddress(0x81) && type == TransferType::bulk) counters = all;
  });
  EXPECT_EQ(counters.requests, 2u);
  EXPECT_EQ(counters.guest_packets, 1u);
  EXPECT_EQ(counters.bytes, 40u);
  EXPECT_EQ(counters.errors, 1u);
}

// --- figure 4-5: what every state answers to every event

class EndpointStates : public EndpointTest {
 protected:
  void bring_to(unsigned state) {
    switch (state) {
      case kDisabled:
        (void)driver_.configure(rig_.slot, {}, 1u << kIn);
        break;
      case kHalted:
        stall(kIn);
        break;
      case kStopped:
        (void)stop(kIn);
        break;
      case kError:
        break_ring(kIn);
        break;
      default:
        break;
    }
    ASSERT_EQ(rig_.state(kIn), state);
  }
};

TEST_F(EndpointStates, EveryStateAnswersEveryEventAsTheFigureSays) {
  using Code = CompletionCode;
  struct Row {
    unsigned from;
    Code stop, reset, set_dequeue;
    unsigned after_stop, after_reset, after_set_dequeue, after_doorbell;
  };
  constexpr Code kOk = Code::success;
  constexpr Code kWrong = Code::context_state_error;
  const std::array rows{
      Row{kDisabled, kWrong, kWrong, kWrong, kDisabled, kDisabled, kDisabled, kDisabled},
      Row{kRunning, kOk, kWrong, kWrong, kStopped, kRunning, kRunning, kRunning},
      Row{kHalted, kWrong, kOk, kWrong, kHalted, kStopped, kHalted, kHalted},
      Row{kStopped, kWrong, kWrong, kOk, kStopped, kStopped, kStopped, kRunning},
      Row{kError, kWrong, kWrong, kOk, kError, kError, kStopped, kError},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.from);
    const auto renew = [&] {
      EndpointSetup fresh = EndpointRig::kEndpoints[1];
      (void)driver_.configure(rig_.slot, std::span(&fresh, 1), 1u << kIn);
      ASSERT_EQ(rig_.state(kIn), kRunning);
      bring_to(row.from);
    };
    renew();
    EXPECT_EQ(stop(kIn), row.stop);
    EXPECT_EQ(rig_.state(kIn), row.after_stop);
    renew();
    EXPECT_EQ(reset(kIn), row.reset);
    EXPECT_EQ(rig_.state(kIn), row.after_reset);
    renew();
    EXPECT_EQ(set_dequeue(kIn, driver_.transfer_ring(rig_.slot, kIn).position()), row.set_dequeue);
    EXPECT_EQ(rig_.state(kIn), row.after_set_dequeue);
    renew();
    driver_.ring(rig_.slot, kIn);
    EXPECT_EQ(rig_.state(kIn), row.after_doorbell);
    renew();
    (void)driver_.configure(rig_.slot, {}, 1u << kIn);
    EXPECT_EQ(rig_.state(kIn), kDisabled) << "dropped";
  }
}

}  // namespace
}  // namespace periplex::usb::xhci
