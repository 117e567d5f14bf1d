// SPDX-License-Identifier: Apache-2.0
// Many commands at once: with streams, without them, and in the order their task attributes ask for.
#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"
#include "usb/device/testing/uas_host.hpp"
#include "usb/device/uas.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::UasHost;
using Tags = std::initializer_list<std::uint16_t>;
using enum UasTaskAttribute;

const Bytes kTestUnitReady = bytes({0, 0, 0, 0, 0, 0});
const Bytes kFlush = bytes({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0});

Bytes cdb10(unsigned opcode, unsigned lba, unsigned blocks) {
  return bytes({opcode, 0, 0, 0, lba >> 8, lba & 255, 0, 0, blocks, 0});
}
Bytes read_at(unsigned lba) {
  return cdb10(0x28, lba, 1);
}

TEST(UasQueue, ThirtyTwoCommandsAreInFlightOnTheMediumAtOnce) {
  UasHost host;
  host.medium->slow = true;
  std::vector<TransferId> data;
  std::vector<TransferId> ended;
  for (std::uint16_t tag = 1; tag <= kUasStreams; ++tag) {
    host.medium->content[tag * 512u] = static_cast<std::byte>(tag);
    ended.push_back(host.status(tag));
    data.push_back(host.data_in(tag, 512));
    (void)host.command(UasHost::command_iu(tag, read_at(tag)));
  }
  EXPECT_EQ(host.medium->pending(), 32u);
  while (host.medium->complete_next()) {
  }
  for (std::uint16_t tag = 1; tag <= kUasStreams; ++tag) {
    EXPECT_EQ(host.get(data[tag - 1u]).data.front(), static_cast<std::byte>(tag));
    EXPECT_EQ(host.iu(ended[tag - 1u]), UasHost::good(tag));
  }
}

TEST(UasQueue, CommandsEndInAnyOrder) {
  UasHost host;
  host.medium->slow = true;
  const TransferId slow = host.status(1);
  (void)host.data_in(1, 512);
  (void)host.command(UasHost::command_iu(1, read_at(1)));
  EXPECT_EQ(host.run(2, kTestUnitReady), UasHost::good(2));
  EXPECT_FALSE(host.answer(slow));
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.iu(slow), UasHost::good(1));
}

TEST(UasQueue, OneStreamWithoutAStatusTransferHoldsUpNoOther) {
  UasHost host;
  for (const std::uint16_t tag : Tags{1, 2, 3}) (void)host.command(UasHost::command_iu(tag, kTestUnitReady));
  EXPECT_EQ(host.iu(host.status(3)), UasHost::good(3));
  EXPECT_EQ(host.iu(host.status(1)), UasHost::good(1));
  EXPECT_EQ(host.iu(host.status(2)), UasHost::good(2));
}

/// What of `tags` has ended, as flags; each must have a status transfer in `ended`.
std::vector<bool> done(UasHost& host, const std::vector<TransferId>& ended) {
  std::vector<bool> result;
  for (const TransferId id : ended) result.push_back(host.answer(id).has_value());
  return result;
}

/// Submits flushes with these attributes as tags 1, 2, …; flushes are slow and have no data.
std::vector<TransferId> submit(UasHost& host, const std::vector<UasTaskAttribute>& attributes) {
  host.medium->slow = true;
  std::vector<TransferId> ended;
  std::uint16_t tag = 0;
  for (const UasTaskAttribute attribute : attributes) {
    ended.push_back(host.status(++tag));
    (void)host.command(UasHost::command_iu(tag, kFlush, attribute));
  }
  return ended;
}

TEST(UasQueue, AnOrderedCommandWaitsForAllOlderOnesAndHoldsBackAllYoungerOnes) {
  UasHost host;
  const auto ended = submit(host, {simple, simple, ordered, simple});
  EXPECT_EQ(host.medium->pending(), 2u);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.medium->pending(), 1u);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(done(host, ended), (std::vector{true, true, false, false}));
  EXPECT_EQ(host.medium->pending(), 1u) << "the ordered one, alone";
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(done(host, ended), (std::vector{true, true, true, false}));
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(done(host, ended), (std::vector{true, true, true, true}));
}

TEST(UasQueue, HeadOfQueueWaitsForNothingAndHoldsBackWhatHasNotBegun) {
  UasHost host;
  const auto ended = submit(host, {simple, ordered, simple, head_of_queue, head_of_queue});
  EXPECT_EQ(host.medium->pending(), 3u) << "the first and both of the head";
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(done(host, ended), (std::vector{true, false, false, false, false}));
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.medium->pending(), 1u) << "the ordered one waits for both";
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(done(host, ended), (std::vector{true, false, false, true, true}));
  EXPECT_EQ(host.medium->pending(), 1u);
}

TEST(UasQueue, ACommandHasEndedForOthersEvenWhileItsAnswerIsUnfetched) {
  UasHost host;
  (void)host.command(UasHost::command_iu(1, kTestUnitReady));
  (void)host.command(UasHost::command_iu(2, kTestUnitReady, ordered));
  EXPECT_EQ(host.iu(host.status(2)), UasHost::good(2));
}

TEST(UasQueue, AnAbsentUnitIsNoPartOfTheOrder) {
  UasHost host;
  (void)submit(host, {simple, ordered});
  (void)host.command(UasHost::command_iu(9, kTestUnitReady, simple, 1));
  EXPECT_EQ(host.iu(host.status(9)), UasHost::failed(9, {5, 0x25, 0}));
}

TEST(UasQueue, AnAbortedBarrierLetsTheOthersThrough) {
  UasHost host;
  const auto ended = submit(host, {simple, ordered, simple});
  EXPECT_EQ(host.manage(9, UasFunction::abort_task, 2), UasHost::responded(9, UasResponse::task_management_complete));
  EXPECT_EQ(host.medium->pending(), 2u);
  while (host.medium->complete_next()) {
  }
  EXPECT_EQ(done(host, ended), (std::vector{true, false, true}));
}

TEST(UasWithoutStreams, RunsCommandsAtBothSpeeds) {
  for (const Speed speed : {Speed::full, Speed::high}) {
    UasHost host(speed);
    const Bytes content(512, std::byte{0x5a});
    EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
    EXPECT_EQ(host.run_out(0xfffe, cdb10(0x2a, 1, 1), content), UasHost::good(0xfffe));
    EXPECT_EQ(host.run_in(700, read_at(1), 512), UasHost::good(700));
    EXPECT_EQ(host.data.data, content);
    EXPECT_EQ(host.unanswered(), 0u);
  }
}

TEST(UasWithoutStreams, DataIsAnnouncedForOneCommandAtATimeInEachDirection) {
  UasHost host(Speed::high);
  for (const std::uint16_t tag : Tags{1, 2}) (void)host.command(UasHost::command_iu(tag, read_at(tag)));
  for (const std::uint16_t tag : Tags{3, 4}) (void)host.command(UasHost::command_iu(tag, cdb10(0x2a, tag, 1)));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(1, UasIuId::read_ready));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(3, UasIuId::write_ready));
  const TransferId next = host.status(0);
  EXPECT_FALSE(host.answer(next));
  EXPECT_EQ(host.get(host.data_out(0, Bytes(512, std::byte{9}))).actual, 512u);
  EXPECT_EQ(host.iu(next), UasHost::good(3));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(4, UasIuId::write_ready));
  EXPECT_EQ(host.get(host.data_in(0, 512)).actual, 512u);
  EXPECT_EQ(host.iu(host.status(0)), UasHost::good(1));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(2, UasIuId::read_ready));
  EXPECT_EQ(host.medium->content[3 * 512], std::byte{9});
}

TEST(UasWithoutStreams, HeadOfQueueIsAnnouncedFirst) {
  UasHost host(Speed::high);
  for (const std::uint16_t tag : Tags{1, 2}) (void)host.command(UasHost::command_iu(tag, read_at(tag)));
  (void)host.command(UasHost::command_iu(3, read_at(3), head_of_queue));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(1, UasIuId::read_ready)) << "it had its turn already";
  (void)host.data_in(0, 512);
  EXPECT_EQ(host.iu(host.status(0)), UasHost::good(1));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(3, UasIuId::read_ready));
}

TEST(UasWithoutStreams, NoDataMoveBeforeTheHostKnowsWhose) {
  UasHost host(Speed::high);
  const TransferId early = host.data_in(0, 512);
  (void)host.command(UasHost::command_iu(1, read_at(1)));
  EXPECT_FALSE(host.answer(early));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(1, UasIuId::read_ready));
  EXPECT_EQ(host.get(early).actual, 512u);
}

TEST(UasWithoutStreams, ACommandThatFailsAtOnceIsNeverAnnounced) {
  UasHost host(Speed::high);
  EXPECT_EQ(host.run_in(1, cdb10(0x28, 0xffff, 1), 512), UasHost::failed(1, {5, 0x21, 0}));
}

TEST(UasWithoutStreams, AnAbortedCommandGivesItsTurnAway) {
  UasHost host(Speed::high);
  for (const std::uint16_t tag : Tags{1, 2}) (void)host.command(UasHost::command_iu(tag, read_at(tag)));
  (void)host.command(UasHost::management_iu(3, UasFunction::abort_task, 1));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::responded(3, UasResponse::task_management_complete));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::ready(2, UasIuId::read_ready));
}

TEST(UasWithoutStreams, MoreCommandsThanTheDiskHoldsFindTheTaskSetFull) {
  UasHost host(Speed::high);
  host.medium->slow = true;
  for (std::uint16_t tag = 1; tag <= Uas::kMaxCommands; ++tag) (void)host.command(UasHost::command_iu(tag, kFlush));
  EXPECT_EQ(host.medium->pending(), Uas::kMaxCommands);
  (void)host.command(UasHost::command_iu(1000, kFlush));
  const auto full = host.iu(host.status(0));
  EXPECT_EQ(full.tag, 1000);
  EXPECT_EQ(full.status, ScsiStatus::task_set_full);
}

TEST(UasWithoutStreams, AHostThatFetchesNoAnswersIsNotListenedToForEver) {
  UasHost host(Speed::high);
  std::vector<TransferId> sent;
  for (std::uint16_t tag = 1; tag <= 2 * Uas::kMaxAnswers; ++tag) {
    sent.push_back(host.command(UasHost::management_iu(tag, UasFunction::query_task_set)));
  }
  EXPECT_TRUE(host.answer(sent[Uas::kMaxAnswers - 1]));
  EXPECT_FALSE(host.answer(sent[Uas::kMaxAnswers]));
  EXPECT_EQ(host.iu(host.status(0)), UasHost::responded(1, UasResponse::task_management_complete));
  EXPECT_TRUE(host.answer(sent[Uas::kMaxAnswers]));
}

}  // namespace
}  // namespace periplex::usb::device
