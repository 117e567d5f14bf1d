// SPDX-License-Identifier: Apache-2.0
// Single commands over USB Attached SCSI with streams: their data, their ends, and what hosts do wrong.
#include "usb/device/uas.hpp"

#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::FakeBlock;
using testing::StatusIu;
using testing::UasHost;
using Tags = std::initializer_list<std::uint16_t>;

const Bytes kTestUnitReady = bytes({0, 0, 0, 0, 0, 0});
const Bytes kReadTwo = bytes({0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0});
const Bytes kWriteTwo = bytes({0x2a, 0, 0, 0, 0, 1, 0, 0, 2, 0});
const Bytes kInquiry = bytes({0x12, 0, 0, 0, 255, 0});
constexpr std::uint8_t kCommandPipe = 0x04;
constexpr std::array kDataPhaseError = {0xbu, 0x4bu, 0u};

TEST(Uas, RunsCommandsWithAndWithoutData) {
  UasHost host;
  EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
  const Bytes content(1024, std::byte{0x5a});
  EXPECT_EQ(host.run_out(2, kWriteTwo, content), UasHost::good(2));
  EXPECT_EQ(host.data.actual, 1024u);
  EXPECT_EQ(host.run_in(32, kReadTwo, 1024), UasHost::good(32));
  EXPECT_EQ(host.data.data, content);
  EXPECT_EQ(host.unanswered(), 0u);
}

TEST(Uas, MovesDataBetweenTheMediumAndTheTransfersOwnBytes) {
  UasHost host;
  host.medium->slow = true;
  (void)host.status(1);
  const TransferId data = host.data_in(1, 1024);
  (void)host.command(UasHost::command_iu(1, kReadTwo));
  host.medium->content[512] = std::byte{7};
  EXPECT_EQ(host.medium->pending(), 1u);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(data).data.front(), std::byte{7}) << "read when the medium answers, not before";
}

TEST(Uas, TakesTransfersOfACommandInAnyOrderOfArrival) {
  for (unsigned order = 0; order < 6; ++order) {
    UasHost host;
    TransferId ended;
    TransferId data;
    for (unsigned step = 0; step < 3; ++step) {
      const unsigned what = (order + (order < 3 ? step : 3 - step)) % 3;
      if (what == 0) ended = host.status(9);
      if (what == 1) data = host.data_in(9, 1024);
      if (what == 2) (void)host.command(UasHost::command_iu(9, kReadTwo));
    }
    EXPECT_EQ(host.get(data).actual, 1024u);
    EXPECT_EQ(host.iu(ended), UasHost::good(9));
  }
}

TEST(Uas, LessDataThanTheHostHasRoomForEndsItsTransferShort) {
  UasHost host;
  EXPECT_EQ(host.run_in(3, kInquiry, 255), UasHost::good(3));
  EXPECT_EQ(host.data.status, Status::ok);
  EXPECT_EQ(host.data.actual, 36u);
  EXPECT_EQ(as_text(host.data.data).substr(8, 8), "Periplex");
}

TEST(Uas, ADataStageMayBeSplitIntoTransfersOfAnyNumber) {
  UasHost host;
  const TransferId ended = host.status(3);
  (void)host.command(UasHost::command_iu(3, kReadTwo));
  EXPECT_EQ(host.get(host.data_in(3, 100)).actual, 100u);
  EXPECT_EQ(host.get(host.data_in(3, 0)).actual, 0u);
  EXPECT_EQ(host.get(host.data_in(3, 900)).actual, 900u);
  EXPECT_EQ(host.get(host.data_in(3, 900)).actual, 24u);
  EXPECT_EQ(host.iu(ended), UasHost::good(3));
}

TEST(Uas, AFailingCommandEndsTheTransfersThatWaitForIt) {
  UasHost host;
  const Bytes beyond = bytes({0x28, 0, 0, 1, 0, 0, 0, 0, 1, 0});
  EXPECT_EQ(host.run_in(4, beyond, 512), UasHost::failed(4, {5, 0x21, 0}));
  EXPECT_EQ(host.data, (testing::Answer{Status::ok, {}, 0}));
  const Bytes write_beyond = bytes({0x2a, 0, 0, 1, 0, 0, 0, 0, 1, 0});
  EXPECT_EQ(host.run_out(5, write_beyond, Bytes(512)), UasHost::failed(5, {5, 0x21, 0}));
  EXPECT_EQ(host.data, (testing::Answer{Status::ok, {}, 512})) << "taken and dropped";
}

TEST(Uas, AMediumErrorEndsTheDataBeforeTheBadBlockAndSaysWhichItIs) {
  UasHost host;
  host.medium->failure = BlockFailure{BlockError::medium_error, 1024};
  EXPECT_EQ(host.run_in(4, kReadTwo, 1024), UasHost::failed(4, {3, 0x11, 0}));
  EXPECT_EQ(host.data.actual, 512u);
  EXPECT_EQ(host.run_out(5, kWriteTwo, Bytes(1024)), UasHost::failed(5, {3, 0x0c, 0}));
  EXPECT_EQ(host.data.actual, 1024u);
}

TEST(Uas, AFailedWriteTakesTheRestOfItsDataBeforeItSaysSo) {
  UasHost host;
  host.medium->failure = BlockFailure{BlockError::medium_error, 0};
  const TransferId ended = host.status(4);
  (void)host.command(UasHost::command_iu(4, bytes({0x2a, 0, 0, 0, 0, 0, 0, 0, 4, 0})));
  EXPECT_EQ(host.get(host.data_out(4, Bytes(1024))).actual, 1024u);
  EXPECT_FALSE(host.answer(ended));
  EXPECT_EQ(host.get(host.data_out(4, Bytes(1024))).actual, 1024u);
  EXPECT_EQ(host.iu(ended), UasHost::failed(4, {3, 0x0c, 0}));
}

TEST(Uas, AShortPacketBeforeTheEndOfDeviceBoundDataFailsTheCommand) {
  for (const std::size_t sent : {0u, 100u, 1000u}) {
    UasHost host;
    EXPECT_EQ(host.run_out(4, kWriteTwo, Bytes(sent, std::byte{1})), UasHost::failed(4, kDataPhaseError));
    EXPECT_EQ(host.data.actual, sent);
    EXPECT_EQ(host.run(4, kTestUnitReady), UasHost::good(4));
  }
}

TEST(Uas, ParametersThatDidNotArriveWholeAreNotLookedAt) {
  UasHost host;
  const Bytes mode_select = bytes({0x15, 0x10, 0, 0, 24, 0});
  EXPECT_EQ(host.run_out(4, mode_select, Bytes(12)), UasHost::failed(4, kDataPhaseError));
}

TEST(Uas, DeviceBoundDataBeyondWhatTheCommandTakesIsDropped) {
  UasHost host;
  EXPECT_EQ(host.run_out(4, kWriteTwo, Bytes(4096, std::byte{3})), UasHost::good(4));
  EXPECT_EQ(host.data.actual, 4096u);
  EXPECT_EQ(host.medium->content[512 + 1023], std::byte{3});
  EXPECT_EQ(host.medium->content[512 + 1024], std::byte{0});
}

TEST(Uas, ACancelledDataTransferLeavesTheCommandWhereItWas) {
  UasHost host;
  host.medium->slow = true;
  const TransferId ended = host.status(4);
  const TransferId data = host.data_in(4, 1024);
  (void)host.command(UasHost::command_iu(4, kReadTwo));
  host.device->cancel(data);
  EXPECT_EQ(host.get(data), (testing::Answer{Status::cancelled, {}, 0}));
  EXPECT_EQ(host.medium->pending(), 0u) << "its bytes are touched no more";
  const TransferId again = host.data_in(4, 1024);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(again).actual, 1024u);
  EXPECT_EQ(host.iu(ended), UasHost::good(4));
}

TEST(Uas, AStatusTransferWithoutRoomIsABabbleAndTheNextOneGetsTheAnswer) {
  UasHost host;
  (void)host.command(UasHost::command_iu(4, kTestUnitReady));
  const auto cramped = host.get(host.status(4, 8));
  EXPECT_EQ(cramped.status, Status::babble);
  EXPECT_EQ(cramped.actual, 8u);
  EXPECT_EQ(host.iu(host.status(4)), UasHost::good(4));
}

TEST(Uas, ACommandForAnAbsentUnitIsRefusedBySenseAndInquiryTellsSo) {
  UasHost host;
  const auto run = [&](std::uint16_t tag, const Bytes& cdb) {
    (void)host.command(UasHost::command_iu(tag, cdb, UasTaskAttribute::simple, 1));
    return host.iu(host.status(tag));
  };
  EXPECT_EQ(run(4, kTestUnitReady), UasHost::failed(4, {5, 0x25, 0}));
  const TransferId data = host.data_in(5, 255);
  EXPECT_EQ(run(5, kInquiry), UasHost::good(5));
  EXPECT_EQ(host.get(data).data.front(), std::byte{0x7f});
}

TEST(Uas, AMalformedIuIsAnsweredIfItsTagCanBe) {
  UasHost host;
  Bytes iu = UasHost::command_iu(6, kTestUnitReady);
  iu.resize(31);
  EXPECT_EQ(host.get(host.command(iu)).status, Status::ok);
  EXPECT_EQ(host.iu(host.status(6)), UasHost::responded(6, UasResponse::invalid_information_unit));
}

TEST(Uas, WhatCannotBeAnsweredHaltsTheCommandPipeUntilItIsCleared) {
  const std::vector<Bytes> hopeless = {bytes({}), bytes({1, 0, 0}), UasHost::command_iu(0, kTestUnitReady),
                                       UasHost::command_iu(33, kTestUnitReady)};
  for (const Bytes& iu : hopeless) {
    UasHost host;
    EXPECT_EQ(host.get(host.command(iu)).status, Status::stall);
    EXPECT_TRUE(host.is_halted(kCommandPipe));
    EXPECT_EQ(host.clear_halt(kCommandPipe).status, Status::ok);
    EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
  }
}

TEST(Uas, AnOverlappedTagEndsBothThatUsedIt) {
  UasHost host;
  host.medium->slow = true;
  const TransferId data = host.data_in(4, 1024);
  (void)host.command(UasHost::command_iu(4, kReadTwo));
  (void)host.command(UasHost::command_iu(4, kTestUnitReady));
  EXPECT_EQ(host.get(data).status, Status::ok);
  EXPECT_EQ(host.medium->pending(), 0u);
  EXPECT_EQ(host.iu(host.status(4)), UasHost::responded(4, UasResponse::overlapped_tag));
  EXPECT_EQ(host.run(4, kTestUnitReady), UasHost::good(4));
}

TEST(Uas, ATagIsInUseUntilItsAnswerHasBeenFetched) {
  UasHost host;
  (void)host.command(UasHost::command_iu(4, kTestUnitReady));
  (void)host.command(UasHost::management_iu(4, UasFunction::query_task, 1));
  EXPECT_EQ(host.iu(host.status(4)), UasHost::responded(4, UasResponse::overlapped_tag));
  EXPECT_FALSE(host.answer(host.status(4))) << "one answer for both";
}

TEST(Uas, EverythingInFlightComesBackOnResetAndOnAnotherSetting) {
  for (const bool port_reset : {true, false}) {
    UasHost host;
    host.medium->slow = true;
    std::vector<TransferId> all;
    for (std::uint16_t tag = 1; tag <= 8; ++tag) {
      all.push_back(host.status(tag));
      all.push_back(host.data_in(tag, 1024));
      (void)host.command(UasHost::command_iu(tag, kReadTwo));
    }
    if (port_reset) {
      host.device->reset();
    } else {
      (void)host.choose(1);
    }
    const Status expected = port_reset ? Status::cancelled : Status::error;
    for (const TransferId id : all) EXPECT_EQ(host.get(id).status, expected);
    EXPECT_EQ(host.medium->pending(), 0u);
    host.medium->slow = false;
    if (port_reset) host.configure();
    EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
    EXPECT_EQ(host.unanswered(), 0u);
    EXPECT_EQ(host.completions, host.submitted());
  }
}

TEST(Uas, AMediumThatIsTakenAwayFailsWhatUsesItAndTheNextOneIsAnnouncedOnce) {
  UasHost host;
  host.medium->slow = true;
  for (const std::uint16_t tag : Tags{1, 2}) {
    (void)host.data_in(tag, 1024);
    (void)host.command(UasHost::command_iu(tag, kReadTwo));
  }
  EXPECT_TRUE(host.device->eject(Storage::Force::yes));
  EXPECT_EQ(host.iu(host.status(1)), UasHost::failed(1, {2, 0x3a, 0}));
  EXPECT_EQ(host.iu(host.status(2)), UasHost::failed(2, {2, 0x3a, 0}));
  EXPECT_EQ(host.run(3, kTestUnitReady), UasHost::failed(3, {2, 0x3a, 0}));
  host.device->insert(std::make_unique<FakeBlock>(16));
  EXPECT_EQ(host.run(3, kTestUnitReady), UasHost::failed(3, {6, 0x28, 0}));
  EXPECT_EQ(host.run(3, kTestUnitReady), UasHost::good(3));
  EXPECT_EQ(host.unanswered(), 0u);
}

TEST(Uas, AWriteProtectedDiskRefusesWritesAndNothingElse) {
  StorageOptions options = UasHost::default_options();
  options.read_only = true;
  UasHost host(Speed::super, options);
  EXPECT_EQ(host.run_out(2, kWriteTwo, Bytes(1024)), UasHost::failed(2, {7, 0x27, 0}));
  EXPECT_EQ(host.run_in(2, kReadTwo, 1024), UasHost::good(2));
}

TEST(Uas, AnUnpluggedDiskBringsEveryTransferBack) {
  UasHost host;
  host.medium->slow = true;
  const TransferId data = host.data_in(1, 1024);
  (void)host.command(UasHost::command_iu(1, kReadTwo));
  const TransferId waiting = host.data_in(2, 1024);
  host.device.reset();
  EXPECT_EQ(host.get(data).status, Status::disconnected);
  EXPECT_EQ(host.get(waiting).status, Status::disconnected);
  EXPECT_EQ(host.unanswered(), 0u);
}

}  // namespace
}  // namespace periplex::usb::device
