// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/data_pipe.hpp"

#include <gtest/gtest.h>

#include "usb/batching/testing/pipe_rig.hpp"

namespace periplex::usb::batching {
namespace {

using testing::ListQueue;
using testing::PipeRig;

constexpr EndpointAddress kIn{1, Direction::in};
constexpr EndpointAddress kOut{2, Direction::out};
constexpr guest::GuestAddress kBuffer = PipeRig::kBuffer;
constexpr std::uint32_t kPacket = 64;

class DataPipeTest : public ::testing::Test {
 protected:
  /// Lets the device side's completions arrive, and walks by again.
  Activity settle(DataPipe& pipe) {
    rig_.time.run_until_idle();
    return pipe.visit(queue_);
  }

  PipeRig rig_;
  ListQueue queue_;
  DataPipe in_{rig_, rig_.device, kIn, TransferType::bulk};
  DataPipe out_{rig_, rig_.device, kOut, TransferType::bulk};
};

// --- A1, A2, A3, A7, A9: one request for the whole data set

TEST_F(DataPipeTest, A1TheFirstPacketIsPendingWhileOneRequestForTheWholeDataSetIsOut) {
  queue_.add_data_set(Pid::in, kBuffer, 64 * 1024, kPacket);
  EXPECT_EQ(in_.visit(queue_), Activity::progressed);
  EXPECT_EQ(rig_.device.submitted, 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 64u * 1024);
  EXPECT_EQ(queue_.given_back(), 0u);
  EXPECT_EQ(in_.visit(queue_), Activity::pending);
  EXPECT_EQ(rig_.device.submitted, 1u);
}

TEST_F(DataPipeTest, A2DeviceBoundDataIsCopiedByWalkingAheadOfTheGuest) {
  const Bytes data = PipeRig::pattern(64 * 1024);
  rig_.put(kBuffer, data);
  queue_.add_data_set(Pid::out, kBuffer, 64 * 1024, kPacket);
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.submitted, 1u);
  rig_.put(kBuffer, Bytes(64 * 1024));  // what the guest does afterwards does not reach the request
  EXPECT_EQ(rig_.device.at(0).data.copy(data.size()), data);
}

TEST_F(DataPipeTest, A3AfterTheAnswerEveryPacketCompletesWithoutFurtherTraffic) {
  queue_.add_data_set(Pid::out, kBuffer, 64 * 1024, kPacket);
  out_.visit(queue_);
  rig_.device.complete_ok();
  EXPECT_EQ(rig_.answers, 1u);
  EXPECT_EQ(queue_.given_back(), 0u) << "guest memory is touched in visits only";
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 1024u);
  EXPECT_EQ(rig_.device.submitted, 1u);
  EXPECT_EQ(out_.counters().guest_packets, 1024u);
  EXPECT_EQ(out_.counters().requests, 1u);
  EXPECT_EQ(out_.counters().data_sets, 1u);
  EXPECT_EQ(out_.counters().bytes, 64u * 1024);
}

TEST_F(DataPipeTest, A9SeveralDataSetsAreAskedForBeforeTheFirstPacketOfTheLaterOnesIsReached) {
  for (std::uint32_t i = 0; i < 3; ++i) queue_.add_data_set(Pid::in, kBuffer + i * 4096, 4096, kPacket);
  in_.visit(queue_);
  ASSERT_EQ(rig_.device.held(), 3u);
  for (unsigned i = 0; i < 3; ++i) rig_.answer(PipeRig::pattern(4096, i));
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 3u * 64);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(rig_.get(kBuffer + i * 4096, 4096), PipeRig::pattern(4096, i));
}

TEST_F(DataPipeTest, ADataSetThatSpansSeveralUrbsWithoutInterruptsIsOneRequest) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    queue_.add_data_set(Pid::out, kBuffer + i * 4096, 4096, kPacket);
    queue_.entries.back().descriptor.interrupt_on_complete = i == 3;
  }
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.submitted, 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 4u * 4096);
}

TEST_F(DataPipeTest, ADriverThatQueuesOnlyPartOfItsDataSetStillWorks) {
  const Bytes data = PipeRig::pattern(192);
  rig_.put(kBuffer, data);
  Bytes arrived;
  for (std::uint32_t i = 0; i < 3; ++i) {
    queue_.add(Pid::out, kBuffer + i * kPacket, kPacket);
    out_.visit(queue_);
    ASSERT_EQ(rig_.device.held(), 1u);
    const Bytes part = rig_.device.at(0).data.copy(kPacket);
    arrived.insert(arrived.end(), part.begin(), part.end());
    rig_.device.complete_ok();
    out_.visit(queue_);
  }
  EXPECT_EQ(arrived, data);
  EXPECT_EQ(queue_.given_back(), 3u);
}

TEST_F(DataPipeTest, AShortPacketEndsADeviceBoundDataSet) {
  queue_.add(Pid::out, kBuffer, kPacket);
  queue_.add(Pid::out, kBuffer + kPacket, 31);
  queue_.add(Pid::out, kBuffer + 4096, kPacket);
  out_.visit(queue_);
  ASSERT_EQ(rig_.device.held(), 2u);
  EXPECT_EQ(rig_.device.at(0).data.size(), kPacket + 31u);
  EXPECT_EQ(rig_.device.at(1).data.size(), std::size_t{kPacket});
}

TEST_F(DataPipeTest, WhatIsInFlightIsBounded) {
  for (std::uint32_t i = 0; i < 40; ++i) queue_.add_data_set(Pid::out, kBuffer, kPacket, kPacket);
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.held(), DataPipe::kMaxInFlight);
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.held(), DataPipe::kMaxInFlight);
  EXPECT_EQ(queue_.given_back(), 1u);
}

// --- A5: portions

TEST_F(DataPipeTest, A5EveryPacketGetsItsPortion) {
  queue_.add_data_set(Pid::in, kBuffer, 1000, kPacket);
  in_.visit(queue_);
  const Bytes data = PipeRig::pattern(1000);
  rig_.answer(data);
  in_.visit(queue_);
  EXPECT_EQ(rig_.get(kBuffer, 1000), data);
  for (std::size_t i = 0; i < 15; ++i) EXPECT_EQ(queue_.entries[i].outcome->actual, kPacket);
  EXPECT_EQ(queue_.entries[15].outcome->actual, 1000u - 15 * kPacket);
}

TEST_F(DataPipeTest, A5AShortAnswerInTheMiddleOf120KilobytesEndsAtTheRightPacket) {
  constexpr std::uint32_t kSize = 120 * 1024;
  constexpr std::uint32_t kAnswer = 50 * 1024 + 10;
  const Bytes before = PipeRig::pattern(kSize, 99);
  rig_.put(kBuffer, before);
  queue_.add_data_set(Pid::in, kBuffer, kSize, kPacket);
  in_.visit(queue_);
  const Bytes data = PipeRig::pattern(kAnswer);
  rig_.answer(data);
  in_.visit(queue_);
  constexpr std::size_t kLast = kAnswer / kPacket;
  ASSERT_EQ(queue_.given_back(), kLast + 1);
  EXPECT_EQ(queue_.entries[kLast - 1].outcome->actual, kPacket);
  EXPECT_EQ(queue_.entries[kLast].outcome->actual, kAnswer % kPacket);
  EXPECT_EQ(rig_.get(kBuffer, kAnswer), data);
  EXPECT_EQ(rig_.get(kBuffer + kAnswer, kSize - kAnswer), Bytes(before.begin() + kAnswer, before.end()));
  EXPECT_FALSE(in_.in_flight());
}

TEST_F(DataPipeTest, AnAnswerThatEndsAtAPacketBoundaryEndsWithAnEmptyPacket) {
  queue_.add_data_set(Pid::in, kBuffer, 256, kPacket);
  in_.visit(queue_);
  rig_.answer(PipeRig::pattern(128));
  in_.visit(queue_);
  ASSERT_EQ(queue_.given_back(), 3u);
  EXPECT_EQ(queue_.entries[1].outcome->actual, kPacket);
  EXPECT_EQ(queue_.entries[2].outcome->actual, 0u);
}

TEST_F(DataPipeTest, AQueueThatGoesOnAfterAShortPacketAsksForTheRestAnew) {
  for (std::uint32_t i = 0; i < 4; ++i) queue_.add(Pid::in, kBuffer + i * kPacket, kPacket);
  in_.visit(queue_);
  rig_.answer(PipeRig::pattern(70));
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 2u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 2u * kPacket);
}

TEST_F(DataPipeTest, AStallEndsAtThePacketTheDeviceDidNotTake) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  rig_.device.complete(Status::stall, 128);
  out_.visit(queue_);
  ASSERT_EQ(queue_.given_back(), 3u);
  EXPECT_EQ(queue_.entries[1].outcome->status, Status::ok);
  EXPECT_EQ(queue_.entries[2].outcome->status, Status::stall);
  EXPECT_EQ(out_.counters().errors, 1u);
  EXPECT_FALSE(out_.in_flight());
}

TEST_F(DataPipeTest, WhatWasAskedForBehindAQueueThatStopsIsCancelledAndItsDataKept) {
  queue_.add_data_set(Pid::in, kBuffer, 256, kPacket);
  queue_.add_data_set(Pid::in, kBuffer + 4096, 64, kPacket);
  in_.visit(queue_);
  rig_.answer(PipeRig::pattern(10));  // short, and the queue stops there
  const Bytes second = PipeRig::pattern(40, 5);
  rig_.answer(second);
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 1u);
  // The driver takes the rest of the first data set away and sets the queue going at the second.
  queue_.position = 4;
  queue_.go_on();
  in_.visit(queue_);
  EXPECT_EQ(queue_.entries[4].outcome->actual, 40u);
  EXPECT_EQ(rig_.get(kBuffer + 4096, 40), second);
  EXPECT_EQ(rig_.device.submitted, 2u) << "nothing was asked for twice";
}

// --- A4: verification

TEST_F(DataPipeTest, A4AQueueThatIsTakenAwayIsCancelledAndNeverTouchedAgain) {
  const Bytes before = PipeRig::pattern(4096, 50);
  rig_.put(kBuffer, before);
  queue_.add_data_set(Pid::in, kBuffer, 4096, kPacket);
  in_.visit(queue_);
  queue_.withdraw();
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 128;
  in_.visit(queue_);
  settle(in_);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  EXPECT_EQ(rig_.get(kBuffer, 4096), before);
  EXPECT_EQ(queue_.given_back(), 0u);
  EXPECT_FALSE(in_.in_flight());
  EXPECT_EQ(in_.counters().cancellations, 1u);
}

TEST_F(DataPipeTest, A4AnAnswerThatComesAfterTheDataSetWasTakenAwayLeavesNoStrayWrite) {
  const Bytes before = PipeRig::pattern(4096, 50);
  rig_.put(kBuffer, before);
  queue_.add_data_set(Pid::in, kBuffer, 4096, kPacket);
  in_.visit(queue_);
  rig_.answer(PipeRig::pattern(4096));
  queue_.withdraw();
  in_.visit(queue_);
  EXPECT_EQ(rig_.get(kBuffer, 4096), before);
  EXPECT_FALSE(in_.in_flight());
}

TEST_F(DataPipeTest, A4ADescriptorThatPointsElsewhereIsSubmittedAgainWithWhatIsThere) {
  rig_.put(kBuffer, PipeRig::pattern(256));
  const Bytes other = PipeRig::pattern(kPacket, 77);
  rig_.put(kBuffer + 4096, other);
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  Descriptor& changed = queue_.entries[2].descriptor;
  changed.piece_storage[0].address = kBuffer + 4096;
  changed.words[0] += 4096;
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 2u) << "what has not changed is complete";
  ASSERT_EQ(rig_.device.held(), 1u) << "the rest is a new request";
  EXPECT_EQ(rig_.device.at(0).data.copy(kPacket), other);
  EXPECT_EQ(out_.counters().resubmissions, 1u);
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
}

TEST_F(DataPipeTest, A4AChangeWhileTheRequestIsPendingCancelsItAndAsksAnew) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  rig_.put(kBuffer + 8192, PipeRig::pattern(kPacket, 3));
  queue_.entries[0].descriptor.piece_storage[0].address = kBuffer + 8192;
  queue_.entries[0].descriptor.words[0] += 8192;
  EXPECT_EQ(out_.visit(queue_), Activity::pending);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  EXPECT_EQ(rig_.device.submitted, 1u) << "not before the device has let go";
  settle(out_);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(kPacket), PipeRig::pattern(kPacket, 3));
}

TEST_F(DataPipeTest, A4PacketsThatTheDeviceSentBeforeTheCancelAreNotAskedForAgain) {
  queue_.add_data_set(Pid::in, kBuffer, 128, kPacket);
  queue_.add_data_set(Pid::in, kBuffer + 4096, 256, kPacket);
  in_.visit(queue_);
  Transfer& second = rig_.device.at(1);
  second.data.write(0, PipeRig::pattern(128));
  rig_.device.moved_when_cancelled[second.id()] = 128;
  rig_.answer(PipeRig::pattern(10));  // ends the first data set at its first packet
  in_.visit(queue_);                  // the queue stops there: what was asked for ahead is cancelled
  queue_.position = 2;                // the driver goes on with the second data set
  queue_.go_on();
  settle(in_);
  EXPECT_EQ(queue_.given_back(), 3u) << "the short packet, and two that came before the cancel";
  EXPECT_EQ(rig_.get(kBuffer + 4096, 128), PipeRig::pattern(128));
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 128u) << "only the other two are asked for";
}

TEST_F(DataPipeTest, A4PacketsThatTheDeviceTookBeforeTheCancelAreNotSentAgain) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  rig_.put(kBuffer, PipeRig::pattern(256));
  out_.visit(queue_);
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 128;
  out_.withdraw();  // as when the guest takes the queue out of its schedule …
  settle(out_);     // … and puts it back, unchanged
  EXPECT_EQ(queue_.given_back(), 2u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(128), rig_.get(kBuffer + 128, 128));
}

TEST_F(DataPipeTest, A4AfterAnAbsenceADataSetThatOnlyLooksTheSameIsNew) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  rig_.put(kBuffer, PipeRig::pattern(256));
  out_.visit(queue_);
  out_.note_absence();
  rig_.put(kBuffer, PipeRig::pattern(256, 7));  // the same descriptors and buffers, as allocators give them
  settle(out_);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  settle(out_);
  EXPECT_EQ(queue_.given_back(), 0u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(256), PipeRig::pattern(256, 7));
}

TEST_F(DataPipeTest, A4AfterAnAbsenceALaterDataSetThatIsGoneIsCancelledAtOnce) {
  queue_.add_data_set(Pid::out, kBuffer, 128, kPacket);
  queue_.add_data_set(Pid::out, kBuffer + 4096, 128, kPacket);
  queue_.add_data_set(Pid::out, kBuffer + 8192, 128, kPacket);
  out_.visit(queue_);
  ASSERT_EQ(rig_.device.held(), 3u);
  const TransferId second = rig_.device.at(1).id();
  out_.note_absence();
  queue_.entries.erase(queue_.entries.begin() + 2, queue_.entries.begin() + 4);  // the driver takes the second one out
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.cancels, std::vector{second}) << "what is still queued goes on";
  rig_.time.run_until_idle();
  while (rig_.device.held() > 0) rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
  EXPECT_EQ(out_.counters().requests, 3u) << "nothing was sent twice";
}

TEST_F(DataPipeTest, A5DataOfADataSetThatIsGoneComeBeforeThoseBehindIt) {
  queue_.add_data_set(Pid::in, kBuffer, 64, kPacket);
  queue_.add_data_set(Pid::in, kBuffer + 4096, 64, kPacket);
  in_.visit(queue_);
  rig_.answer(PipeRig::pattern(64, 1));
  rig_.answer(PipeRig::pattern(64, 2));
  in_.note_absence();
  queue_.entries.erase(queue_.entries.begin());
  queue_.add_data_set(Pid::in, kBuffer + 8192, 64, kPacket);
  settle(in_);
  settle(in_);
  EXPECT_EQ(queue_.given_back(), 2u);
  EXPECT_EQ(rig_.get(kBuffer + 4096, 64), PipeRig::pattern(64, 1));
  EXPECT_EQ(rig_.get(kBuffer + 8192, 64), PipeRig::pattern(64, 2));
}

TEST_F(DataPipeTest, A5WhatHadComeOfALargePacketIsCompletedAndNotShort) {
  constexpr std::uint32_t kLarge = 16384;  // an EHCI qTD
  queue_.add(Pid::in, kBuffer, kLarge).descriptor.packet_size = 512;
  in_.visit(queue_);
  const Bytes data = PipeRig::pattern(kLarge);
  rig_.device.at(0).data.write(0, ByteView(data).first(4096));
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 4096;
  in_.withdraw();
  settle(in_);
  settle(in_);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), kLarge - 4096u) << "only what is missing is asked for";
  EXPECT_EQ(queue_.given_back(), 0u);
  rig_.answer(ByteView(data).subspan(4096));
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 1u);
  EXPECT_EQ(queue_.entries[0].outcome->actual, kLarge);
  EXPECT_EQ(rig_.get(kBuffer, kLarge), data);
}

TEST_F(DataPipeTest, AnEmptyPacketBehindFullOnesIsARequestOfItsOwn) {
  queue_.add(Pid::out, kBuffer, kPacket);
  queue_.add(Pid::out, kBuffer + kPacket, kPacket);
  queue_.add(Pid::out, {}, 0).descriptor.interrupt_on_complete = true;
  out_.visit(queue_);
  ASSERT_EQ(rig_.device.held(), 2u) << "the device hears where the data set ends";
  EXPECT_EQ(rig_.device.at(0).data.size(), 2u * kPacket);
  EXPECT_EQ(rig_.device.at(1).data.size(), 0u);
}

TEST_F(DataPipeTest, ADeviceThatHasForgottenItsDataIsForgottenToo) {
  queue_.add_data_set(Pid::in, kBuffer, 256, kPacket);
  in_.visit(queue_);
  rig_.device.at(0).data.write(0, PipeRig::pattern(128));
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 128;
  in_.withdraw();
  rig_.time.run_until_idle();
  in_.halt_cleared();  // CLEAR_FEATURE(ENDPOINT_HALT)
  settle(in_);         // the driver begins anew, with the same descriptors
  EXPECT_EQ(queue_.given_back(), 0u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 256u);
}

TEST_F(DataPipeTest, A4ByDataARewrittenBufferIsSubmittedAgain) {
  rig_.verify.data = true;
  rig_.put(kBuffer, PipeRig::pattern(256));
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  const Bytes rewritten = PipeRig::pattern(256, 42);
  rig_.put(kBuffer, rewritten);
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 0u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(256), rewritten);
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
}

TEST_F(DataPipeTest, A4WithoutVerificationByDataARewrittenBufferCameTooLate) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  rig_.put(kBuffer, PipeRig::pattern(256, 42));
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
  EXPECT_EQ(rig_.device.submitted, 1u);
}

TEST_F(DataPipeTest, A4ByAddressesOnlyDataGoesWhereTheDescriptorPointsNow) {
  rig_.verify = {.addresses = true, .descriptors = false, .data = false};
  queue_.add_data_set(Pid::in, kBuffer, 128, kPacket);
  in_.visit(queue_);
  queue_.entries[1].descriptor.piece_storage[0].address = kBuffer + 4096;
  queue_.entries[1].descriptor.words[0] += 4096;
  const Bytes data = PipeRig::pattern(128);
  rig_.answer(data);
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 2u);
  EXPECT_EQ(rig_.get(kBuffer + 4096, 64), Bytes(data.begin() + 64, data.end()));
}

TEST_F(DataPipeTest, A4ByDescriptorsOnlyADescriptorMayMove) {
  rig_.verify = {.addresses = false, .descriptors = true, .data = false};
  queue_.add_data_set(Pid::out, kBuffer, 128, kPacket);
  out_.visit(queue_);
  queue_.entries[0].descriptor.address = guest::GuestAddress(0x8000);
  rig_.device.complete_ok();
  out_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 2u);
}

TEST_F(DataPipeTest, GuestBoundDataForChangedPacketsIsNotAskedForTwice) {
  queue_.add_data_set(Pid::in, kBuffer, 256, kPacket);
  in_.visit(queue_);
  const Bytes data = PipeRig::pattern(256);
  rig_.answer(data);
  queue_.entries[1].descriptor.piece_storage[0].address = kBuffer + 4096;
  queue_.entries[1].descriptor.words[0] += 4096;
  in_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
  EXPECT_EQ(rig_.device.submitted, 1u);
  EXPECT_EQ(rig_.get(kBuffer + 4096, 64), Bytes(data.begin() + 64, data.begin() + 128));
  EXPECT_EQ(rig_.get(kBuffer + 128, 128), Bytes(data.begin() + 128, data.end()));
}

// --- what goes wrong

TEST_F(DataPipeTest, ABufferOutsideTheGuestsMemoryIsAHostSystemError) {
  queue_.add(Pid::out, guest::GuestAddress(PipeRig::kRamSize - 10), kPacket);
  out_.visit(queue_);
  EXPECT_EQ(rig_.faults, 1u);
  EXPECT_EQ(rig_.device.submitted, 0u);
  queue_.entries.clear();
  queue_.add(Pid::in, guest::GuestAddress(PipeRig::kRamSize - 10), kPacket);
  in_.visit(queue_);
  EXPECT_EQ(rig_.faults, 2u);
  EXPECT_EQ(rig_.device.submitted, 0u) << "nothing is asked for that has no place to go";
}

TEST_F(DataPipeTest, ADestroyedPipeForgetsWhatComesLater) {
  {
    DataPipe pipe(rig_, rig_.device, kOut, TransferType::bulk);
    queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
    pipe.visit(queue_);
  }
  rig_.time.run_until_idle();
  EXPECT_EQ(rig_.device.held(), 0u);
  EXPECT_EQ(rig_.answers, 0u);
}

TEST_F(DataPipeTest, ADeviceThatWasResetBehindOurBackIsAskedAgain) {
  queue_.add_data_set(Pid::out, kBuffer, 256, kPacket);
  out_.visit(queue_);
  rig_.device.complete(Status::cancelled);
  out_.visit(queue_);
  EXPECT_EQ(rig_.device.submitted, 2u);
  EXPECT_EQ(queue_.given_back(), 0u);
}

}  // namespace
}  // namespace periplex::usb::batching
