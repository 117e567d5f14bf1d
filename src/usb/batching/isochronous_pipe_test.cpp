// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/isochronous_pipe.hpp"

#include <gtest/gtest.h>

#include "usb/batching/isochronous_pipes.hpp"
#include "usb/batching/testing/pipe_rig.hpp"

namespace periplex::usb::batching {
namespace {

using testing::PipeRig;

constexpr std::uint64_t kWindow = 8;
constexpr std::uint32_t kPacket = 192;
constexpr EndpointAddress kOut(0x01);
constexpr EndpointAddress kIn(0x81);

/// A schedule in which every interval holds one packet, with a buffer of its own.
class IsochronousPipeTest : public ::testing::Test {
 protected:
  [[nodiscard]] static guest::GuestAddress buffer(std::uint64_t interval) {
    return PipeRig::kBuffer + interval * kPacket;
  }
  [[nodiscard]] static Descriptor packet(std::uint64_t interval) {
    Descriptor made{.address = guest::GuestAddress(0x1000 + interval * 16), .length = kPacket};
    made.add_piece(buffer(interval), kPacket);
    made.words = {static_cast<std::uint32_t>(buffer(interval).value)};
    return made;
  }
  [[nodiscard]] static Bytes samples(std::uint64_t interval) {
    return PipeRig::pattern(kPacket, static_cast<unsigned>(interval * 11));
  }
  /// One interval, as a controller goes through it.
  Outcome pass(IsochronousPipe& pipe, std::uint64_t interval) {
    const Outcome outcome = pipe.carry_out(interval, packet(interval));
    for (std::uint64_t ahead = 1; ahead <= kWindow; ++ahead) pipe.show(interval + ahead, packet(interval + ahead));
    pipe.hand_over(interval);
    return outcome;
  }
  /// The device takes everything it holds, and answers with the samples of the intervals from `next` on.
  void answer_all(std::uint64_t& next) {
    while (rig_.device.held() > 0) {
      Transfer& transfer = rig_.device.at(0);
      std::uint32_t offset = 0;
      for (IsochronousPacket& answered : transfer.packets) {
        EXPECT_EQ(answered.offset, offset) << "no gaps";
        offset += answered.length;
        answered.actual = answered.length;
        if (transfer.direction() == Direction::in) {
          transfer.data.write(answered.offset, samples(next));
        } else {
          Bytes bytes(answered.length);
          transfer.data.read(answered.offset, bytes);
          played_.insert(played_.end(), bytes.begin(), bytes.end());
        }
        ++next;
      }
      rig_.device.complete_ok();
    }
  }

  PipeRig rig_;
  Bytes played_;
};

TEST_F(IsochronousPipeTest, DeviceBoundPacketsGoAheadInFewRequestsAndInOrder) {
  IsochronousPipe pipe(rig_, rig_.device, kOut, kWindow);
  Bytes expected;
  std::uint64_t taken = 0;
  for (std::uint64_t interval = 1; interval <= 101; ++interval) {
    rig_.put(buffer(interval + kWindow), samples(interval + kWindow));
    if (interval == 1) {
      for (std::uint64_t i = 1; i <= kWindow; ++i) rig_.put(buffer(i), samples(i));
    }
    const Outcome outcome = pass(pipe, interval);
    EXPECT_EQ(outcome.status, Status::ok);
    EXPECT_EQ(outcome.actual, kPacket);
    answer_all(taken);
  }
  for (std::uint64_t interval = 1; interval * kPacket <= played_.size(); ++interval) {
    const Bytes one = samples(interval);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(played_, expected) << "nothing missing, nothing twice";
  EXPECT_GE(taken, 101u);
  EXPECT_LE(pipe.counters().requests, 30u);
  EXPECT_EQ(pipe.counters().guest_packets, 101u);
  EXPECT_EQ(pipe.counters().missed_intervals, 0u);
}

TEST_F(IsochronousPipeTest, GuestBoundPacketsGetWhatCameInTheirOwnInterval) {
  IsochronousPipe pipe(rig_, rig_.device, kIn, kWindow);
  std::uint64_t next = 2;
  EXPECT_EQ(pass(pipe, 1).status, Status::error) << "nobody could have known";
  answer_all(next);
  EXPECT_EQ(rig_.get(buffer(2), kPacket), Bytes(kPacket)) << "not before its interval";
  for (std::uint64_t interval = 2; interval <= 100; ++interval) {
    const Outcome outcome = pass(pipe, interval);
    EXPECT_EQ(outcome.status, Status::ok);
    EXPECT_EQ(outcome.actual, kPacket);
    EXPECT_EQ(rig_.get(buffer(interval), kPacket), samples(interval));
    answer_all(next);
  }
  EXPECT_EQ(pipe.counters().missed_intervals, 1u);
  EXPECT_LE(pipe.counters().requests, 30u);
}

TEST_F(IsochronousPipeTest, WhatComesTooLateServesTheNextPackets) {
  IsochronousPipe pipe(rig_, rig_.device, kIn, kWindow);
  std::uint64_t next = 2;
  (void)pass(pipe, 1);
  for (std::uint64_t interval = 2; interval <= 4; ++interval) EXPECT_EQ(pass(pipe, interval).status, Status::error);
  answer_all(next);
  for (std::uint64_t interval = 5; interval <= 50; ++interval) {
    EXPECT_EQ(pass(pipe, interval).status, Status::ok);
    EXPECT_EQ(rig_.get(buffer(interval), kPacket), samples(interval - 3)) << "in order, none lost";
    answer_all(next);
  }
  EXPECT_EQ(pipe.counters().missed_intervals, 4u);
}

TEST_F(IsochronousPipeTest, ShortAndFailedPacketsAreTheirOwn) {
  IsochronousPipe pipe(rig_, rig_.device, kIn, kWindow);
  (void)pass(pipe, 1);
  Transfer& transfer = rig_.device.at(0);
  transfer.packets[0].actual = 100;
  transfer.packets[1].status = Status::error;
  rig_.device.complete(Status::ok, 100);
  EXPECT_EQ(pass(pipe, 2).actual, 100u);
  EXPECT_EQ(pass(pipe, 3).status, Status::error);
  const Outcome empty = pass(pipe, 4);
  EXPECT_EQ(empty.status, Status::ok);
  EXPECT_EQ(empty.actual, 0u);
  EXPECT_EQ(pipe.counters().errors, 1u);
}

TEST_F(IsochronousPipeTest, APacketThatWasNotShownGoesOutInItsInterval) {
  IsochronousPipe pipe(rig_, rig_.device, kOut, kWindow);
  rig_.put(buffer(1), samples(1));
  EXPECT_EQ(pipe.carry_out(1, packet(1)).status, Status::ok);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(kPacket), samples(1));
}

TEST_F(IsochronousPipeTest, ADeviceThatTakesNothingLosesPacketsAfterAWhile) {
  IsochronousPipe pipe(rig_, rig_.device, kOut, kWindow);
  for (std::uint64_t interval = 1; interval <= 2 * IsochronousPipe::kMaxIntervalsInFlight; ++interval) {
    (void)pass(pipe, interval);
  }
  EXPECT_GT(pipe.counters().missed_intervals, 0u);
  std::size_t held = 0;
  for (std::size_t i = 0; i < rig_.device.held(); ++i) held += rig_.device.at(i).packets.size();
  EXPECT_LE(held, IsochronousPipe::kMaxIntervalsInFlight);
}

TEST_F(IsochronousPipeTest, AStreamThatTheGuestStopsIsCancelled) {
  IsochronousPipes pipes(rig_, kWindow);
  IsochronousPipe& pipe = pipes.at(rig_.device, kIn);
  (void)pass(pipe, 1);
  EXPECT_TRUE(pipes.streaming());
  for (std::uint64_t interval = 2; interval <= 2 * kWindow + 2; ++interval) pipes.end_interval(interval);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  EXPECT_FALSE(pipes.streaming());
  rig_.time.run_until_idle();
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(IsochronousPipeTest, ABufferOutsideMemoryIsAFault) {
  IsochronousPipe pipe(rig_, rig_.device, kOut, kWindow);
  Descriptor bad{.address = guest::GuestAddress(0x1000), .length = 64};
  bad.add_piece(guest::GuestAddress(0xf000'0000), 64);
  EXPECT_EQ(pipe.carry_out(1, bad).status, Status::error);
  EXPECT_EQ(rig_.faults, 1u);
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(IsochronousPipeTest, NobodyCallsADeviceThatLeft) {
  IsochronousPipes pipes(rig_, kWindow);
  (void)pass(pipes.at(rig_.device, kIn), 1);
  pipes.device_left(rig_.device);
  EXPECT_EQ(rig_.device.cancels.size(), 0u);
  rig_.device.complete_ok();  // and nobody waits for its answers
  EXPECT_FALSE(pipes.streaming());
}

}  // namespace
}  // namespace periplex::usb::batching
