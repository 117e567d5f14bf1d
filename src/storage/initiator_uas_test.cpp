// SPDX-License-Identifier: Apache-2.0
// The initiator against our own disk by USB Attached SCSI, with streams and without, and against what a disk may do
// wrong.
#include <gtest/gtest.h>

#include "storage/testing/agent_bench.hpp"
#include "storage/uas_initiator.hpp"

namespace periplex::storage {
namespace {

using testing::AgentBench;
using testing::bytes;
using testing::cdb10;
using testing::MeddlingDevice;
using testing::pattern;
using Fate = MeddlingDevice::Fate;

constexpr usb::EndpointAddress kStatus(0x83);
constexpr usb::EndpointAddress kCommand(0x04);

SenseSummary sense_of(const Result& result) {
  return summarize_sense(result.sense);
}
const std::vector<usb::Speed> kSpeeds = {usb::Speed::super, usb::Speed::high};

TEST(UasInitiator, IsChosenWhereTheDiskHasIt) {
  AgentBench bench(true);
  const auto identity = bench.open();
  ASSERT_TRUE(identity);
  EXPECT_TRUE(identity->attached_scsi);
  EXPECT_EQ(identity->units.at(0).blocks, 4096u);
}

TEST(UasInitiator, ReadsAndWritesWithStreamsAndWithout) {
  for (const usb::Speed speed : kSpeeds) {
    AgentBench bench(true, speed);
    ASSERT_TRUE(bench.open());
    const Result read = bench.read(8, 16);
    EXPECT_TRUE(read.good());
    EXPECT_EQ(read.data_in, bench.content(8, 16));
    EXPECT_TRUE(bench.write(20, pattern(4096, 9)).good());
    EXPECT_EQ(bench.content(20, 8), pattern(4096, 9));
    EXPECT_TRUE(bench.run({.cdb = Bytes(6)}).good());
  }
}

TEST(UasInitiator, AShortAnswerHasAResidueAndAFailedCommandItsSense) {
  for (const usb::Speed speed : kSpeeds) {
    AgentBench bench(true, speed);
    ASSERT_TRUE(bench.open());
    const Result inquiry = bench.run({.cdb = bytes({0x12, 0, 0, 0, 255, 0}), .data = {DataDirection::to_host, 255}});
    EXPECT_TRUE(inquiry.good());
    EXPECT_EQ(inquiry.data_in.size(), 36u);
    EXPECT_EQ(inquiry.residue, 219u);
    bench.medium->failure = usb::device::BlockFailure{usb::device::BlockError::medium_error, 10 * 512};
    const Result failed = bench.read(8, 4);
    EXPECT_EQ(sense_of(failed).key, 3);
    EXPECT_EQ(failed.data_in, bench.content(8, 2));
    const Result refused = bench.read(100000, 4);
    EXPECT_EQ(sense_of(refused).asc, 0x21);
    bench.medium->failure.reset();
    EXPECT_TRUE(bench.read(8, 4).good());
  }
}

TEST(UasInitiator, ManyCommandsAreAtTheDiskAtOnce) {
  for (const usb::Speed speed : kSpeeds) {
    AgentBench bench(true, speed);
    ASSERT_TRUE(bench.open());
    bench.medium->slow = true;
    std::vector<std::shared_ptr<std::optional<Result>>> results;
    for (unsigned i = 0; i < 40; ++i) results.push_back(bench.start(AgentBench::read_command(i, 1)));
    bench.time.run_until_idle();
    if (is_usb3(speed)) EXPECT_EQ(bench.medium->pending(), 31u) << "a tag is kept for task management";
    while (bench.medium->complete_next()) bench.time.run_until_idle();
    for (unsigned i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(*results[i]);
      EXPECT_EQ((*results[i])->data_in, bench.content(i, 1));
    }
  }
}

TEST(UasInitiator, AnOrderedCommandWaitsAndIsWaitedFor) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  bench.medium->slow = true;
  Command ordered = AgentBench::read_command(1, 1);
  ordered.ordered = true;
  const auto first = bench.start(AgentBench::read_command(0, 1));
  const auto second = bench.start(std::move(ordered));
  const auto third = bench.start(AgentBench::read_command(2, 1));
  for (const std::size_t expected : {1u, 1u, 1u}) {
    bench.time.run_until_idle();
    EXPECT_EQ(bench.medium->pending(), expected);
    EXPECT_TRUE(bench.medium->complete_next());
  }
  bench.time.run_until_idle();
  EXPECT_TRUE(*first && *second && *third);
}

TEST(UasInitiator, AbortsACommandByTaskManagementAndLeavesTheOthersAlone) {
  for (const usb::Speed speed : kSpeeds) {
    AgentBench bench(true, speed);
    ASSERT_TRUE(bench.open());
    bench.medium->slow = true;
    CommandId unlucky;
    const auto first = bench.start(AgentBench::read_command(0, 1), &unlucky);
    bench.time.run_until_idle();
    const auto second = bench.start(AgentBench::read_command(1, 1));
    bench.initiator->abort(unlucky);
    bench.time.run_until_idle();
    ASSERT_TRUE(*first);
    EXPECT_EQ((*first)->outcome, Outcome::aborted);
    EXPECT_FALSE(*second);
    while (bench.medium->complete_next()) bench.time.run_until_idle();
    bench.time.run_until_idle();
    ASSERT_TRUE(*second);
    EXPECT_TRUE((*second)->good());
    EXPECT_EQ(bench.device->resets, 0u);
    bench.medium->slow = false;
    EXPECT_TRUE(bench.read(5, 2).good());
  }
}

TEST(UasInitiator, ResetsAUnitByTaskManagement) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  std::optional<Result> reset;
  bench.initiator->reset_unit(0, [&reset](Result result) { reset = std::move(result); });
  bench.time.run_until_idle();
  ASSERT_TRUE(reset);
  EXPECT_TRUE(reset->good());
  EXPECT_EQ(sense_of(bench.run({.cdb = Bytes(6)})).key, 6) << "the disk says that it was reset";
  EXPECT_EQ(bench.device->resets, 0u);
}

TEST(UasInitiator, AResetOfAUnitThatTheDiskRefusesEndsWithAPortReset) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  bench.device->on_answer = [](usb::Transfer& transfer, usb::Completion&) {
    if (transfer.endpoint() == kStatus) (void)transfer.data.write(7, bytes({0x09}));
  };
  std::optional<Result> reset;
  bench.initiator->reset_unit(0, [&reset](Result result) { reset = std::move(result); });
  bench.time.run_until_idle();
  ASSERT_TRUE(reset);
  EXPECT_FALSE(reset->good());
  EXPECT_EQ(bench.device->resets, 1u);
}

TEST(UasInitiator, AnAbortWithoutAnAnswerIsFollowedByAPortReset) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  bench.medium->slow = true;
  CommandId unlucky;
  const auto first = bench.start(AgentBench::read_command(0, 1), &unlucky);
  const auto second = bench.start(AgentBench::read_command(1, 1));
  bench.time.run_until_idle();
  bench.device->on_submit = [](usb::Transfer& transfer) {
    return transfer.endpoint() == kCommand ? Fate::swallow : Fate::pass;
  };
  bench.initiator->abort(unlucky);
  bench.time.advance(std::chrono::seconds(6));
  EXPECT_EQ(bench.device->resets, 1u);
  bench.device->on_submit = nullptr;
  bench.medium->slow = false;
  ASSERT_TRUE(*first && *second);
  EXPECT_EQ(sense_of(**second).key, 6) << "a guest tries again after a unit attention";
  (void)bench.run({.cdb = Bytes(6)});
  EXPECT_TRUE(bench.read(0, 1).good());
}

struct WrongAnswer {
  std::string_view what;
  std::function<void(usb::Transfer&, usb::Completion&)> how;
};

TEST(UasInitiator, AnAnswerThatCannotBeIsFollowedByAPortReset) {
  const std::vector<WrongAnswer> cases = {
      {"an unknown tag",
       [](usb::Transfer& transfer, usb::Completion&) { (void)transfer.data.write(2, bytes({0, 9})); }},
      {"an unknown IU", [](usb::Transfer& transfer, usb::Completion&) { (void)transfer.data.write(0, bytes({0x77})); }},
      {"too short", [](usb::Transfer&, usb::Completion& completion) { completion.actual = 7; }},
      {"empty", [](usb::Transfer&, usb::Completion& completion) { completion.actual = 0; }},
      {"READ READY with streams",
       [](usb::Transfer& transfer, usb::Completion&) { (void)transfer.data.write(0, bytes({6})); }},
      {"a stall", [](usb::Transfer&, usb::Completion& completion) { completion.status = usb::Status::stall; }},
  };
  for (const WrongAnswer& wrong : cases) {
    AgentBench bench(true);
    ASSERT_TRUE(bench.open());
    bench.device->on_answer = [once = false, &wrong](usb::Transfer& transfer, usb::Completion& completion) mutable {
      if (transfer.endpoint() == kStatus && !std::exchange(once, true)) wrong.how(transfer, completion);
    };
    const Result result = bench.read(0, 1);
    EXPECT_EQ(result.status, ScsiStatus::check_condition) << wrong.what;
    EXPECT_EQ(bench.device->resets, 1u) << wrong.what;
    (void)bench.run({.cdb = Bytes(6)});
    EXPECT_TRUE(bench.read(0, 1).good()) << wrong.what;
  }
}

TEST(UasInitiator, SenseDataLongerThanTheIuAreCut) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  bench.device->on_answer = [](usb::Transfer& transfer, usb::Completion&) {
    if (transfer.endpoint() == kStatus) (void)transfer.data.write(14, bytes({0xff, 0xff}));
  };
  const Result result = bench.read(100000, 1);
  EXPECT_EQ(result.sense.size(), 18u);
}

TEST(UasInitiator, ADataStageThatTheDeviceForgetsIsCancelled) {
  AgentBench bench(true);
  ASSERT_TRUE(bench.open());
  bench.device->on_submit = [](usb::Transfer& transfer) {
    return transfer.endpoint() == usb::EndpointAddress(0x81) ? Fate::swallow : Fate::pass;
  };
  // The command has nothing to move, so our disk gives its status at once.
  const Result result = bench.run({.cdb = cdb10(0x28, 0, 0), .data = {DataDirection::to_host, 512}});
  EXPECT_TRUE(result.good());
  EXPECT_TRUE(result.data_in.empty());
  EXPECT_EQ(result.residue, 512u);
  EXPECT_EQ(bench.device->held(), 0u);
}

TEST(UasInitiator, IsNotChosenWhereItIsNotAllowed) {
  AgentBench bench(true);
  bench.initiator = std::make_unique<Initiator>(*bench.device, bench.time, InitiatorOptions{.uas = false});
  const auto identity = bench.open();
  ASSERT_TRUE(identity);
  EXPECT_FALSE(identity->attached_scsi);
  EXPECT_TRUE(bench.read(0, 1).good());
}

}  // namespace
}  // namespace periplex::storage
