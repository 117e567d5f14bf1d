// SPDX-License-Identifier: Apache-2.0
// A guest that uses UAS in front of a disk that is a round trip away.
#include <gtest/gtest.h>

#include "storage/testing/remote_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::bytes;
using testing::cdb10;
using testing::pattern;
using testing::RemoteBench;
using usb::device::ScsiStatus;
using usb::device::UasFunction;
using usb::device::UasTaskAttribute;
using usb::device::testing::UasHost;

/// Chooses UAS, with streams.
struct UasGuest : RemoteBench {
  explicit UasGuest(bool agent_uas, const RemoteOptions& remote = {.read_ahead = {.enabled = false}})
      : RemoteBench({.agent_uas = agent_uas, .remote = remote}) {
    control(0x01, 0x0b, 1, 0, 0);
  }
  usb::TransferId status(std::uint16_t tag) { return submit(UasHost::kStatus, usb::TransferData::room(112), tag); }
  usb::TransferId data_in(std::uint16_t tag, std::size_t room) {
    return submit(UasHost::kDataIn, usb::TransferData::room(room), tag);
  }
  void data_out(std::uint16_t tag, Bytes data) {
    submit(UasHost::kDataOut, usb::TransferData::owned(std::move(data)), tag);
  }
  void command(Bytes iu) { submit(UasHost::kCommand, usb::TransferData::owned(std::move(iu))); }
  void command(std::uint16_t tag, const Bytes& cdb, UasTaskAttribute attribute = UasTaskAttribute::simple) {
    command(UasHost::command_iu(tag, cdb, attribute));
  }
};

TEST(RemoteUas, ADeepQueueOfReadsTakesOneRoundTrip) {
  for (const bool agent_uas : {false, true}) {
    UasGuest guest(agent_uas);
    const Nanoseconds begin = guest.agent.time.now();
    std::vector<usb::TransferId> data;
    std::vector<usb::TransferId> ended;
    for (std::uint16_t tag = 1; tag <= 32; ++tag) {
      ended.push_back(guest.status(tag));
      data.push_back(guest.data_in(tag, 4096));
      guest.command(tag, cdb10(0x28, tag * 8, 8));
    }
    for (std::uint16_t tag = 1; tag <= 32; ++tag) {
      EXPECT_EQ(guest.wait(data[tag - 1]), guest.agent.content(tag * 8, 8));
      EXPECT_EQ(UasHost::parse(guest.wait(ended[tag - 1])), UasHost::good(tag));
    }
    EXPECT_LE(guest.agent.time.now() - begin, 51ms);
  }
}

TEST(RemoteUas, WritesGoWithTheirCommands) {
  UasGuest guest(true);
  const auto ended = guest.status(7);
  guest.data_out(7, pattern(8192, 4));
  guest.command(7, cdb10(0x2a, 100, 16));
  EXPECT_EQ(UasHost::parse(guest.wait(ended)), UasHost::good(7));
  EXPECT_EQ(guest.agent.content(100, 16), pattern(8192, 4));
}

TEST(RemoteUas, FailuresComeWithTheSenseDataOfTheDisk) {
  UasGuest guest(false);
  const auto ended = guest.status(1);
  const auto data = guest.data_in(1, 512);
  guest.command(1, cdb10(0x28, 100000, 1));
  EXPECT_EQ(UasHost::parse(guest.wait(ended)), UasHost::failed(1, {5, 0x21, 0}));
  EXPECT_TRUE(guest.wait(data).empty());
}

TEST(RemoteUas, ACommandWhoseDataCannotBeKnownIsRefused) {
  UasGuest guest(true);
  const std::size_t sent = guest.wire.worker.sent;
  const auto ended = guest.status(1);
  guest.command(1, bytes({0xc7}));
  EXPECT_EQ(UasHost::parse(guest.wait(ended)), UasHost::failed(1, {5, 0x20, 0}));
  EXPECT_EQ(guest.wire.worker.sent, sent);
}

TEST(RemoteUas, AnOrderedCommandWaitsForTheOlderOnes) {
  UasGuest guest(true);
  const auto first = guest.status(1);
  const auto second = guest.status(2);
  guest.command(1, cdb10(0x35, 0, 0));
  guest.command(2, cdb10(0x35, 0, 0), UasTaskAttribute::ordered);
  guest.agent.time.advance(60ms);
  EXPECT_TRUE(guest.ended(first));
  EXPECT_FALSE(guest.ended(second));
  guest.agent.time.advance(60ms);
  EXPECT_TRUE(guest.ended(second));
}

TEST(RemoteUas, AnAbortedCommandIsAbortedAtTheDiskToo) {
  for (const bool agent_uas : {false, true}) {
    UasGuest guest(agent_uas);
    guest.agent.medium->slow = true;
    (void)guest.status(1);
    (void)guest.data_in(1, 512);
    guest.command(1, cdb10(0x28, 0, 1));
    guest.agent.time.advance(100ms);
    EXPECT_EQ(guest.agent.medium->pending(), 1u);
    const auto response = guest.status(2);
    guest.command(UasHost::management_iu(2, UasFunction::abort_task, 1));
    EXPECT_FALSE(guest.wait(response).empty());
    guest.agent.time.advance(100ms);
    EXPECT_EQ(guest.agent.medium->pending(), 0u);
    guest.agent.medium->slow = false;
    const auto ended = guest.status(3);
    guest.command(3, Bytes(6));
    EXPECT_EQ(UasHost::parse(guest.wait(ended)), UasHost::good(3));
  }
}

TEST(RemoteUas, AResetOfTheUnitReachesTheDisk) {
  UasGuest guest(true);
  const auto response = guest.status(2);
  guest.command(UasHost::management_iu(2, UasFunction::logical_unit_reset));
  EXPECT_FALSE(guest.wait(response).empty());
  const auto first = guest.status(3);
  guest.command(3, Bytes(6));
  EXPECT_EQ(UasHost::parse(guest.wait(first)), UasHost::failed(3, {6, 0x29, 0}));
}

TEST(RemoteUas, ReadsThatFollowEachOtherAreReadAhead) {
  UasGuest guest(true, {});
  unsigned lba = 0;
  for (std::uint16_t round = 0; round < 8; ++round, lba += 16) {
    const auto ended = guest.status(1);
    const auto data = guest.data_in(1, 8192);
    guest.command(1, cdb10(0x28, lba, 16));
    EXPECT_EQ(guest.wait(data), guest.agent.content(lba, 16));
    EXPECT_EQ(UasHost::parse(guest.wait(ended)), UasHost::good(1));
  }
  EXPECT_GE(guest.target->counters().read_ahead.hits, 4u);
}

}  // namespace
}  // namespace periplex::storage
