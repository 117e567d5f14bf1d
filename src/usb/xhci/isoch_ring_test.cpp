// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/isoch_ring.hpp"

#include <algorithm>
#include <gmock/gmock.h>

#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using usb::testing::FakeDevice;
using Code = CompletionCode;

constexpr unsigned kRunning = 1;  // EP State, table 6-8
constexpr unsigned kStopped = 3;
constexpr unsigned kError = 4;
constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);
constexpr Nanoseconds kMicroframe = std::chrono::microseconds(125);

/// A Transfer Event as the tests compare it.
struct Seen {
  std::uint64_t pointer;
  std::uint32_t length;
  Code code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// A device with isochronous endpoints: OUT and IN with a packet each frame, and IN with one each microframe.
class IsochRingTest : public ::testing::Test {
 protected:
  static constexpr unsigned kOut = 2;
  static constexpr unsigned kIn = 3;
  static constexpr unsigned kFastIn = 5;
  static constexpr std::array<EndpointSetup, 3> kEndpoints{
      EndpointSetup{.dci = kOut, .type = 1, .max_packet_size = 192, .interval = 3, .ring_trbs = 256},
      EndpointSetup{.dci = kIn, .type = 5, .max_packet_size = 192, .interval = 3, .ring_trbs = 256},
      EndpointSetup{.dci = kFastIn, .type = 5, .max_packet_size = 192, .interval = 0, .ring_trbs = 256}};

  IsochRingTest() {
    driver_.start();
    slot_ = rig_.address(device_);
    EXPECT_EQ(driver_.configure(slot_, kEndpoints).code, Code::success);
    (void)driver_.drain();
    device_.submitted = 0;
  }
  ~IsochRingTest() override {
    if (plugged_) rig_.controller.detach(device_);
  }

  /// Where the `index`th packet of the test has its data.
  [[nodiscard]] GuestAddress buffer(unsigned index) const { return data_ + index * 192u; }
  /// Queues `count` TDs of 192 bytes and rings. Returns their addresses.
  std::vector<GuestAddress> queue(unsigned dci, unsigned count, std::uint32_t flags = flag::kIoc) {
    std::vector<GuestAddress> trbs;
    for (unsigned i = 0; i < count; ++i)
      trbs.push_back(driver_.queue(slot_, dci, isoch(buffer(queued_++), 192, flags)));
    driver_.ring(slot_, dci);
    return trbs;
  }
  void frames(unsigned count) {
    for (unsigned i = 0; i < count; ++i) rig_.time.advance(kFrame);
  }
  /// Completes all the device holds: each guest-bound packet with `actual` bytes.
  void answer_all(std::uint32_t actual = 192) {
    while (device_.held() != 0) {
      for (IsochronousPacket& packet : device_.at(0).packets) packet.actual = std::min(actual, packet.length);
      device_.complete_ok();
    }
  }
  /// Lets `count` frames pass while the device answers each transfer at once.
  void stream(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      answer_all();
      rig_.time.advance(kFrame);
    }
    answer_all();
  }
  std::vector<Seen> events() {
    std::vector<Seen> seen;
    for (const Trb& event : driver_.drain()) {
      if (event.type() == TrbType::transfer_event) seen.push_back({event.parameter, length_of(event), code_of(event)});
    }
    return seen;
  }
  static Seen success(GuestAddress trb) { return {trb.value, 0, Code::success}; }
  static std::vector<Seen> successes(const std::vector<GuestAddress>& trbs) {
    std::vector<Seen> all;
    for (const GuestAddress trb : trbs) all.push_back(success(trb));
    return all;
  }
  unsigned state(unsigned dci) { return driver_.endpoint_state(slot_, dci); }
  [[nodiscard]] unsigned frame_now() { return rig_.read32(driver_.mfindex_register()) >> 3; }
  EndpointCounters counters(unsigned dci) {
    EndpointCounters found;
    rig_.controller.for_each_endpoint(device_, [&](EndpointAddress address, TransferType type, const auto& all) {
      if (address == endpoint_address(dci) && type == TransferType::isochronous) found = all;
    });
    return found;
  }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  FakeDevice device_{rig_.time, Speed::high};
  unsigned slot_ = 0;
  unsigned queued_ = 0;
  bool plugged_ = true;
  GuestAddress data_ = rig_.ram.allocate(0x20000);
};

TEST_F(IsochRingTest, TdsGoToTheDeviceAFewMillisecondsAhead) {
  queue(kOut, 20);
  ASSERT_EQ(device_.held(), 5u) << "the present one, and those of 4 ms";
  EXPECT_EQ(device_.at(0).packets.size(), 1u);
  EXPECT_EQ(device_.at(0).endpoint(), EndpointAddress(0x01));
  EXPECT_EQ(device_.at(0).data.size(), 192u);
  frames(1);
  EXPECT_EQ(device_.held(), 6u);
  frames(2);
  EXPECT_EQ(device_.held(), 8u) << "no faster than intervals pass";
}

TEST_F(IsochRingTest, AFramesTdsAreOneTransferWithAPacketEach) {
  queue(kFastIn, 20);
  ASSERT_EQ(device_.held(), 3u);
  EXPECT_EQ(device_.at(0).packets.size(), 8u);
  EXPECT_EQ(device_.at(2).packets.size(), 4u);
  const Transfer& transfer = device_.at(0);
  EXPECT_EQ(transfer.data.size(), 8u * 192);
  for (unsigned i = 0; i < 8; ++i) {
    EXPECT_EQ(transfer.packets[i].offset, i * 192);
    EXPECT_EQ(transfer.packets[i].length, 192u);
  }
}

TEST_F(IsochRingTest, ATdIsTheGuestsOnlyWhenItsIntervalHasPassed) {
  const auto trbs = queue(kOut, 3);
  answer_all();
  EXPECT_THAT(events(), IsEmpty()) << "though the device has had all of them";
  rig_.time.advance(kFrame - kMicroframe);
  EXPECT_THAT(events(), IsEmpty());
  rig_.time.advance(kMicroframe);
  EXPECT_THAT(events(), ElementsAre(success(trbs[0])));
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(trbs[1])));
}

TEST_F(IsochRingTest, NothingIsLostOrRepeatedOverALongTime) {
  std::vector<GuestAddress> expected;
  std::vector<Seen> seen;
  std::uint64_t out = 0;
  for (unsigned round = 0; round < 100; ++round) {
    queued_ = 0;
    std::ranges::copy(queue(kOut, 10), std::back_inserter(expected));
    for (unsigned i = 0; i < 10; ++i) {
      out += device_.held();
      answer_all();
      rig_.time.advance(kFrame);
    }
    std::ranges::copy(events(), std::back_inserter(seen));
  }
  EXPECT_EQ(out, 1000u);
  EXPECT_EQ(seen, successes(expected));
  EXPECT_EQ(counters(kOut).bytes, 192'000u);
  EXPECT_EQ(counters(kOut).missed_intervals, 0u);
}

TEST_F(IsochRingTest, GuestBoundPacketsLieInTheirOwnBuffersWithTheirOwnLengths) {
  const auto trbs = queue(kFastIn, 3, flag::kIoc | flag::kIsp);
  ASSERT_EQ(device_.held(), 1u);
  Transfer& transfer = device_.at(0);
  const std::array<std::uint32_t, 3> actual{192, 100, 0};
  for (unsigned i = 0; i < 3; ++i) {
    transfer.data.write(transfer.packets[i].offset, Bytes(actual[i], std::byte(i + 1)));
    transfer.packets[i].actual = actual[i];
  }
  device_.complete(Status::ok, 292);
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(trbs[0]), Seen{trbs[1].value, 92, Code::short_packet},
                                    Seen{trbs[2].value, 192, Code::short_packet}));
  EXPECT_EQ(rig_.ram.bytes(buffer(0), 192)[191], std::byte{1});
  EXPECT_EQ(rig_.ram.bytes(buffer(1), 192)[99], std::byte{2});
  EXPECT_EQ(rig_.ram.bytes(buffer(1), 192)[100], std::byte{0});
  EXPECT_EQ(rig_.ram.bytes(buffer(2), 192)[0], std::byte{0});
  EXPECT_EQ(counters(kFastIn).bytes, 292u);
}

TEST_F(IsochRingTest, ATdOfSeveralTrbsIsOnePacket) {
  const GuestAddress last =
      driver_.queue(slot_, kOut, std::array{isoch(buffer(0), 100, flag::kChain), normal(buffer(9), 92)});
  driver_.ring(slot_, kOut);
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).packets.size(), 1u);
  EXPECT_EQ(device_.at(0).packets[0].length, 192u);
  EXPECT_EQ(device_.at(0).data.spans().size(), 2u);
  stream(1);
  EXPECT_THAT(events(), ElementsAre(success(last)));
}

TEST_F(IsochRingTest, ImmediateDataGoesAlone) {
  const EndpointSetup fast_out{.dci = 6, .type = 1, .max_packet_size = 192, .interval = 0};
  ASSERT_EQ(driver_.configure(slot_, fast_out).code, Code::success);
  driver_.queue(slot_, 6, isoch(buffer(0), 10));
  driver_.queue(slot_, 6, isoch(GuestAddress(0x1122'3344), 4, flag::kIdt | flag::kIoc));
  driver_.queue(slot_, 6, isoch(buffer(1), 10));
  driver_.ring(slot_, 6);
  ASSERT_EQ(device_.held(), 3u);
  EXPECT_EQ(device_.at(1).packets.size(), 1u);
  EXPECT_THAT(device_.at(1).data.copy(4),
              ElementsAre(std::byte{0x44}, std::byte{0x33}, std::byte{0x22}, std::byte{0x11}));
}

TEST_F(IsochRingTest, AnErrorIsThatOfOnePacketAndHaltsNothing) {
  const auto trbs = queue(kFastIn, 4);
  Transfer& transfer = device_.at(0);
  for (IsochronousPacket& packet : transfer.packets) packet.actual = 192;
  transfer.packets[1].status = Status::error;
  transfer.packets[1].actual = 0;
  transfer.packets[2].status = Status::babble;
  device_.complete_ok();
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(trbs[0]), Seen{trbs[1].value, 192, Code::usb_transaction_error},
                                    Seen{trbs[2].value, 0, Code::isoch_buffer_overrun}, success(trbs[3])));
  EXPECT_EQ(state(kFastIn), kRunning);
  EXPECT_EQ(counters(kFastIn).errors, 2u);
}

TEST_F(IsochRingTest, ATransferThatFailsFailsAllItsPackets) {
  const auto trbs = queue(kOut, 2);
  device_.complete(Status::stall);
  device_.complete(Status::cancelled);
  frames(2);
  EXPECT_THAT(events(), ElementsAre(Seen{trbs[0].value, 192, Code::usb_transaction_error},
                                    Seen{trbs[1].value, 192, Code::usb_transaction_error}));
  EXPECT_EQ(state(kOut), kRunning);
}

TEST_F(IsochRingTest, ADeviceThatForgetsItsPacketsIsAnError) {
  const auto trbs = queue(kOut, 1);
  device_.at(0).packets.clear();
  device_.complete_ok();
  frames(1);
  EXPECT_THAT(events(), ElementsAre(Seen{trbs[0].value, 192, Code::usb_transaction_error}));
}

TEST_F(IsochRingTest, ALateDeviceDelaysAndLosesNothing) {
  const auto trbs = queue(kIn, 10);
  frames(8);
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_EQ(device_.held(), 10u);
  answer_all();
  EXPECT_THAT(events(), successes({trbs.begin(), trbs.begin() + 8})) << "in one go what has passed, and no more";
  frames(2);
  EXPECT_THAT(events(), successes({trbs.begin() + 8, trbs.end()}));
}

TEST_F(IsochRingTest, ALateLoopCatchesUpInOrder) {
  const auto trbs = queue(kOut, 40);
  answer_all();
  rig_.time.sleep_through(20 * kFrame);
  stream(1);
  const auto seen = events();
  EXPECT_EQ(seen, successes({trbs.begin(), trbs.begin() + 21}));
  EXPECT_EQ(counters(kOut).missed_intervals, 0u);
}

TEST_F(IsochRingTest, ARingThatRunsDrySaysSoOnceAndThenRests) {
  const auto trbs = queue(kOut, 2);
  stream(2);
  EXPECT_THAT(events(), successes(trbs));
  frames(1);
  EXPECT_THAT(events(), ElementsAre(Seen{0, 0, Code::ring_underrun}));
  EXPECT_EQ(rig_.time.armed_timers(), 0u) << "nothing when idle";
  EXPECT_EQ(counters(kOut).missed_intervals, 1u);
  frames(10);
  EXPECT_THAT(events(), IsEmpty());
  const auto more = queue(kOut, 1);
  stream(1);
  EXPECT_THAT(events(), successes(more)) << "a doorbell starts it again";
  EXPECT_EQ(state(kOut), kRunning);
}

TEST_F(IsochRingTest, AGuestBoundRingThatRunsDryOverruns) {
  queue(kIn, 1);
  stream(1);
  (void)events();
  frames(1);
  EXPECT_THAT(events(), ElementsAre(Seen{0, 0, Code::ring_overrun}));
}

TEST_F(IsochRingTest, AnIdleEndpointHasNoTimer) {
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.ring(slot_, kOut);
  EXPECT_EQ(rig_.time.armed_timers(), 0u) << "a doorbell and nothing on the ring";
  queue(kOut, 1);
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
}

TEST_F(IsochRingTest, WhatIsQueuedUponTheLastEventIsInTime) {
  queue(kFastIn, 8);
  stream(1);
  EXPECT_EQ(events().size(), 8u);
  rig_.time.advance(kMicroframe * 6);
  queue(kFastIn, 8);
  stream(1);
  EXPECT_EQ(events().size(), 8u) << "without a gap, and no overrun between";
  EXPECT_EQ(counters(kFastIn).missed_intervals, 0u);
}

TEST_F(IsochRingTest, AFrameIdIsWaitedForWithoutAnythingElse) {
  const GuestAddress trb = driver_.queue(slot_, kOut, isoch(buffer(0), 192, flag::kIoc, frame_now() + 300));
  driver_.ring(slot_, kOut);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  rig_.time.advance(295 * kFrame);
  EXPECT_EQ(device_.held(), 0u);
  rig_.time.advance(2 * kFrame);
  EXPECT_EQ(device_.held(), 1u);
  answer_all();
  rig_.time.advance(3 * kFrame);
  EXPECT_THAT(events(), IsEmpty());
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(trb)));
  EXPECT_EQ(counters(kOut).missed_intervals, 0u);
}

TEST_F(IsochRingTest, AFrameIdThatHasPassedIsAMissedService) {
  frames(20);
  const GuestAddress late = driver_.queue(slot_, kOut, isoch(buffer(0), 192, flag::kIoc, frame_now() - 3));
  const GuestAddress good = driver_.queue(slot_, kOut, isoch(buffer(1), 192, flag::kIoc, frame_now() + 1));
  driver_.ring(slot_, kOut);
  EXPECT_EQ(device_.held(), 1u) << "the device never sees the first";
  stream(2);
  EXPECT_THAT(events(), ElementsAre(Seen{late.value, 192, Code::missed_service_error}, success(good)));
  EXPECT_EQ(counters(kOut).missed_intervals, 1u);
}

TEST_F(IsochRingTest, ANoOpEndsInItsTurnAndTakesNoInterval) {
  const auto first = queue(kOut, 1);
  const GuestAddress nothing = driver_.queue(slot_, kOut, no_op());
  const auto second = queue(kOut, 1);
  EXPECT_EQ(device_.held(), 2u);
  answer_all();
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(first[0]), success(nothing)));
  frames(1);
  EXPECT_THAT(events(), ElementsAre(success(second[0])));
}

TEST_F(IsochRingTest, WhatTheDeviceNeverSeesDividesAFramesTdsInTwoTransfers) {
  const auto first = queue(kFastIn, 2);
  ASSERT_EQ(device_.held(), 1u);
  answer_all();
  (void)driver_.stop_endpoint(slot_, kFastIn);
  (void)events();
  frames(20);
  const GuestAddress a = driver_.queue(slot_, kFastIn, isoch(buffer(0), 192));
  const GuestAddress nothing = driver_.queue(slot_, kFastIn, no_op());
  const GuestAddress b = driver_.queue(slot_, kFastIn, isoch(buffer(1), 192));
  const GuestAddress late = driver_.queue(slot_, kFastIn, isoch(buffer(2), 192, flag::kIoc, frame_now() - 2));
  const GuestAddress c = driver_.queue(slot_, kFastIn, isoch(buffer(3), 192));
  driver_.ring(slot_, kFastIn);
  ASSERT_EQ(device_.held(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(device_.at(i).packets.size(), 1u);
  EXPECT_EQ(device_.at(1).data.spans()[0].data(), rig_.ram.bytes(buffer(1), 1).data());
  stream(1);
  EXPECT_THAT(events(), ElementsAre(success(a), success(nothing), success(b),
                                    Seen{late.value, 192, Code::missed_service_error}, success(c)));
}

TEST_F(IsochRingTest, StopTakesBackWhatTheDeviceHasNotHad) {
  const auto trbs = queue(kOut, 4);
  device_.complete_ok();
  EXPECT_EQ(driver_.stop_endpoint(slot_, kOut).code, Code::success);
  EXPECT_THAT(events(), ElementsAre(success(trbs[0]), Seen{trbs[1].value, 192, Code::stopped}));
  EXPECT_EQ(state(kOut), kStopped);
  EXPECT_EQ(driver_.output_dequeue(slot_, kOut), trbs[1].value | 1);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  driver_.ring(slot_, kOut);
  EXPECT_EQ(device_.held(), 3u) << "they are still on the ring";
  stream(3);
  EXPECT_THAT(events(), successes({trbs.begin() + 1, trbs.end()}));
}

TEST_F(IsochRingTest, StopKeepsWhatACancelledTransferHadMoved) {
  const auto trbs = queue(kFastIn, 8);
  device_.answers_cancels = false;
  driver_.queue_command(command(TrbType::stop_endpoint_command, slot_, kFastIn));
  driver_.ring_command_doorbell();
  for (unsigned i = 0; i < 3; ++i) device_.at(0).packets[i].actual = 192;
  device_.complete(Status::cancelled, 3 * 192);
  EXPECT_THAT(events(), ElementsAre(success(trbs[0]), success(trbs[1]), success(trbs[2]),
                                    Seen{trbs[3].value, 192, Code::stopped}));
  EXPECT_EQ(driver_.output_dequeue(slot_, kFastIn), trbs[3].value | 1);
}

TEST_F(IsochRingTest, SetDequeueForgetsTheRest) {
  queue(kOut, 10);
  ASSERT_EQ(driver_.stop_endpoint(slot_, kOut).code, Code::success);
  (void)events();
  ASSERT_EQ(driver_.set_dequeue(slot_, kOut, driver_.transfer_ring(slot_, kOut).position()).code, Code::success);
  const auto trbs = queue(kOut, 1);
  EXPECT_EQ(device_.held(), 1u);
  stream(1);
  EXPECT_THAT(events(), successes(trbs));
}

TEST_F(IsochRingTest, AMistakeOnTheRingIsReportedAfterWhatStandsBeforeIt) {
  const auto good = queue(kOut, 1);
  const GuestAddress bad = driver_.queue(slot_, kOut, normal(buffer(0), 192));
  driver_.ring(slot_, kOut);
  stream(1);
  EXPECT_THAT(events(), ElementsAre(success(good[0]), Seen{bad.value, 0, Code::trb_error}));
  EXPECT_EQ(state(kOut), kError);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(IsochRingTest, ABufferOutsideMemoryIsATrbError) {
  const GuestAddress trb = driver_.queue(slot_, kOut, isoch(Rig::kNowhere, 192));
  driver_.ring(slot_, kOut);
  EXPECT_THAT(events(), ElementsAre(Seen{trb.value, 0, Code::trb_error}));
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(IsochRingTest, MoreThanAnIntervalCanHoldIsATrbError) {
  constexpr unsigned kLarge = 64 * 1024;  // of the same page again and again, as a guest could
  (void)driver_.queue(slot_, kOut, std::array{isoch(buffer(0), kLarge, flag::kChain), normal(buffer(0), kLarge)});
  driver_.ring(slot_, kOut);
  const auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].code, Code::trb_error);
  EXPECT_EQ(device_.held(), 0u);
}

TEST_F(IsochRingTest, UnpluggingFailsPacketsAtTheirPace) {
  const auto trbs = queue(kIn, 10);
  plugged_ = false;
  rig_.controller.detach(device_);
  frames(10);
  EXPECT_EQ(device_.held(), 0u);
  const auto seen = events();
  ASSERT_EQ(seen.size(), 10u);
  for (const Seen& event : seen) EXPECT_EQ(event.code, Code::usb_transaction_error);
  EXPECT_EQ(state(kIn), kRunning);
}

TEST_F(IsochRingTest, AHaltOfTheControllerStopsTheClockAndLosesNothing) {
  const auto trbs = queue(kOut, 10);
  stream(2);
  EXPECT_TRUE(driver_.halt());
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  EXPECT_EQ(device_.held(), 0u);
  frames(50);
  driver_.run();
  EXPECT_EQ(device_.held(), 3u) << "what the device had had was reported before";
  stream(3);
  EXPECT_EQ(events(), successes(trbs));
}

TEST_F(IsochRingTest, DroppingTheEndpointEndsEverything) {
  queue(kOut, 10);
  ASSERT_EQ(driver_.configure(slot_, {}, 1u << kOut).code, Code::success);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  frames(10);
}

TEST_F(IsochRingTest, EndpointsOfOneDeviceWakeUpTogether) {
  queue(kOut, 10);
  rig_.time.advance(kMicroframe * 3);
  queue(kFastIn, 80);
  std::size_t wakes = 0;
  const auto count = rig_.read32(driver_.mfindex_register());
  while (rig_.read32(driver_.mfindex_register()) < count + 40) {
    const std::size_t before = device_.submitted;
    rig_.time.advance(kMicroframe);
    if (device_.submitted != before) ++wakes;
    EXPECT_TRUE(device_.submitted == before || rig_.read32(driver_.mfindex_register()) % 8 == 0);
  }
  EXPECT_GT(wakes, 3u);
}

}  // namespace
}  // namespace periplex::usb::xhci
