// SPDX-License-Identifier: Apache-2.0
// The initiator against our own disk by bulk-only, and against what a disk may do wrong.
#include <gtest/gtest.h>

#include "storage/testing/agent_bench.hpp"
#include "usb/device/bulk_only_wrapper.hpp"

namespace periplex::storage {
namespace {

using testing::AgentBench;
using testing::bytes;
using testing::cdb10;
using testing::MeddlingDevice;
using testing::pattern;
using Fate = MeddlingDevice::Fate;

constexpr usb::EndpointAddress kIn(0x81);
constexpr usb::EndpointAddress kOut(0x02);

bool is_status(const usb::Transfer& transfer) {
  return transfer.endpoint() == kIn && transfer.data.size() == 13;
}
bool is_reset_recovery(const usb::Transfer& transfer) {
  return transfer.setup && transfer.setup->request_type == 0x21 && transfer.setup->request == 0xff;
}
SenseSummary sense_of(const Result& result) {
  return summarize_sense(result.sense);
}

/// Meddles once, with the first answer that `matches`.
void meddle_once(AgentBench& bench, std::function<bool(usb::Transfer&)> matches,
                 std::function<void(usb::Transfer&, usb::Completion&)> how) {
  bench.device->on_answer = [done = false, matches = std::move(matches), how = std::move(how)](
                                usb::Transfer& transfer, usb::Completion& completion) mutable {
    if (!done && matches(transfer)) done = true, how(transfer, completion);
  };
}

TEST(BulkOnlyInitiator, SaysWhoTheDiskIs) {
  AgentBench bench;
  const auto identity = bench.open();
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->manufacturer, "Maker");
  EXPECT_EQ(identity->product, "Stick");
  EXPECT_EQ(identity->serial_number, "0123456789ABCDEF");
  EXPECT_EQ(identity->vendor_id, 0x1209);
  EXPECT_FALSE(identity->attached_scsi);
  ASSERT_EQ(identity->units.size(), 1u);
  EXPECT_EQ(identity->units[0].blocks, 4096u);
  EXPECT_EQ(identity->units[0].block_size, 512u);
  EXPECT_TRUE(identity->units[0].removable());
  EXPECT_TRUE(identity->units[0].write_cache);
  EXPECT_FALSE(identity->units[0].write_protected);
  EXPECT_EQ(as_text(ByteView(identity->units[0].inquiry).subspan(8, 5)), "Maker");
}

TEST(BulkOnlyInitiator, AUnitWithoutAMediumIsAnnouncedAllTheSame) {
  AgentBench bench;
  (void)bench.disk->eject();
  const auto identity = bench.open();
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->units.at(0).blocks, 0u);
  EXPECT_EQ(identity->units.at(0).inquiry.size(), 36u);
}

TEST(BulkOnlyInitiator, ReadsAndWrites) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  const Result read = bench.read(8, 16);
  EXPECT_TRUE(read.good());
  EXPECT_EQ(read.data_in, bench.content(8, 16));
  EXPECT_TRUE(bench.write(20, pattern(4096, 9)).good());
  EXPECT_EQ(bench.content(20, 8), pattern(4096, 9));
  EXPECT_EQ(bench.initiator->counters().bytes_written, 4096u);
}

TEST(BulkOnlyInitiator, SenseDataComeWithTheOutcome) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.medium->failure = usb::device::BlockFailure{usb::device::BlockError::medium_error, 10 * 512};
  const Result result = bench.read(8, 4);
  EXPECT_EQ(result.status, ScsiStatus::check_condition);
  EXPECT_EQ(sense_of(result).key, 3);
  EXPECT_EQ(sense_of(result).asc, 0x11);
  EXPECT_EQ(result.data_in, bench.content(8, 2)) << "what was read before the bad sector";
  EXPECT_EQ(result.residue, 1024u);
}

TEST(BulkOnlyInitiator, AShortAnswerHasAResidue) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  const Result result = bench.run({.cdb = bytes({0x12, 0, 0, 0, 255, 0}), .data = {DataDirection::to_host, 255}});
  EXPECT_TRUE(result.good());
  EXPECT_EQ(result.data_in.size(), 36u);
  EXPECT_EQ(result.residue, 219u);
}

TEST(BulkOnlyInitiator, HostAndDeviceThatDisagreeEndInAPhaseErrorAndAreReadyAgain) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  unsigned recoveries = 0;
  bench.device->on_submit = [&](usb::Transfer& transfer) {
    recoveries += is_reset_recovery(transfer) ? 1 : 0;
    return Fate::pass;
  };
  const Result result = bench.run({.cdb = cdb10(0x28, 0, 8), .data = {DataDirection::to_host, 512}});
  EXPECT_EQ(sense_of(result).key, 0x0b);
  EXPECT_EQ(recoveries, 1u);
  EXPECT_TRUE(bench.read(0, 1).good());
}

TEST(BulkOnlyInitiator, AStalledDataStageIsFollowedByItsStatus) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  unsigned cleared = 0;
  bench.device->on_submit = [&, once = false](usb::Transfer& transfer) mutable {
    if (transfer.setup && transfer.setup->request_type == 0x02) ++cleared;
    if (transfer.endpoint() == kIn && transfer.data.size() == 1024 && !once) {
      once = true;
      return Fate::fail;
    }
    return Fate::pass;
  };
  (void)bench.read(0, 2);
  EXPECT_GE(cleared, 1u);
  EXPECT_TRUE(bench.read(0, 2).good());
}

TEST(BulkOnlyInitiator, AStalledStatusIsAskedForOnceMore) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  unsigned recoveries = 0;
  bench.device->on_submit = [&, once = false](usb::Transfer& transfer) mutable {
    recoveries += is_reset_recovery(transfer) ? 1 : 0;
    return is_status(transfer) && !std::exchange(once, true) ? Fate::fail : Fate::pass;
  };
  EXPECT_TRUE(bench.read(3, 1).good());
  EXPECT_EQ(recoveries, 0u);
}

struct WrongStatus {
  std::string_view what;
  std::function<void(usb::Transfer&, usb::Completion&)> how;
};

TEST(BulkOnlyInitiator, AStatusThatIsNotValidOrNotMeaningfulIsFollowedByResetRecovery) {
  const auto put = [](std::size_t at, std::initializer_list<unsigned> values) {
    return [at, content = bytes(values)](usb::Transfer& transfer, usb::Completion&) {
      (void)transfer.data.write(at, content);
    };
  };
  const std::vector<WrongStatus> cases = {
      {"signature", put(0, {0})},
      {"tag", put(4, {0xde, 0xad})},
      {"residue beyond the length", put(8, {0, 0, 1, 0})},
      {"reserved status", put(12, {3})},
      {"phase error", put(12, {2})},
      {"too short", [](usb::Transfer&, usb::Completion& completion) { completion.actual = 12; }},
      {"a babble", [](usb::Transfer&, usb::Completion& completion) { completion.status = usb::Status::babble; }},
      {"no answer", [](usb::Transfer&, usb::Completion& completion) { completion.status = usb::Status::error; }},
  };
  for (const WrongStatus& wrong : cases) {
    AgentBench bench;
    ASSERT_TRUE(bench.open());
    unsigned recoveries = 0;
    bench.device->on_submit = [&](usb::Transfer& transfer) {
      recoveries += is_reset_recovery(transfer) ? 1 : 0;
      return Fate::pass;
    };
    meddle_once(bench, is_status, wrong.how);
    const Result result = bench.read(0, 1);
    EXPECT_EQ(result.status, ScsiStatus::check_condition) << wrong.what;
    EXPECT_EQ(sense_of(result).key, 0x0b) << wrong.what;
    EXPECT_EQ(recoveries, 1u) << wrong.what;
    EXPECT_EQ(bench.read(0, 1).data_in, bench.content(0, 1)) << wrong.what;
    EXPECT_EQ(bench.device->resets, 0u) << wrong.what;
  }
}

TEST(BulkOnlyInitiator, AStatusInPlaceOfTheDataIsTakenForWhatItIs) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  // A device that has nothing to give: no padding, the CSW at once.
  std::uint32_t tag = 0;
  bench.device->on_submit = [&](usb::Transfer& transfer) {
    if (transfer.endpoint() == kOut && transfer.data.size() == 31) {
      std::array<std::byte, 4> field;
      (void)transfer.data.read(4, field);
      tag = ByteReader(field).le32();
    }
    return Fate::pass;
  };
  meddle_once(
      bench, [](usb::Transfer& transfer) { return transfer.endpoint() == kIn && transfer.data.size() == 255; },
      [&](usb::Transfer& transfer, usb::Completion& completion) {
        const usb::device::CommandStatusWrapper csw{.tag = tag, .data_residue = 255};
        completion.actual = static_cast<std::uint32_t>(transfer.data.write(0, csw.encode()));
      });
  const Result result = bench.run({.cdb = bytes({0x12, 0, 0, 0, 255, 0}), .data = {DataDirection::to_host, 255}});
  EXPECT_TRUE(result.good());
  EXPECT_TRUE(result.data_in.empty());
  EXPECT_EQ(result.residue, 255u);
}

TEST(BulkOnlyInitiator, WhenResetRecoveryFailsThePortIsResetAndTheDiskSetUpAgain) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.device->on_submit = [once = false](usb::Transfer& transfer) mutable {
    return is_reset_recovery(transfer) && !std::exchange(once, true) ? Fate::fail : Fate::pass;
  };
  meddle_once(bench, is_status,
              [](usb::Transfer& transfer, usb::Completion&) { (void)transfer.data.write(0, bytes({0})); });
  const auto second = bench.start(AgentBench::read_command(5, 1));
  (void)second;
  EXPECT_EQ(bench.device->resets, 0u);
  const Result first = bench.read(0, 1);
  EXPECT_EQ(bench.device->resets, 1u);
  (void)first;
  EXPECT_EQ(sense_of(bench.read(0, 1)).key, 0) << "the disk's own unit attention has been met by the one before";
  EXPECT_TRUE(bench.read(0, 1).good());
}

TEST(BulkOnlyInitiator, ADiskThatNeverAnswersEndsByTimeOut) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.device->on_submit = [](usb::Transfer& transfer) { return is_status(transfer) ? Fate::swallow : Fate::pass; };
  const auto result = bench.start(AgentBench::read_command(0, 1));
  bench.time.advance(std::chrono::seconds(59));
  EXPECT_FALSE(*result);
  bench.time.advance(std::chrono::seconds(2));
  ASSERT_TRUE(*result);
  EXPECT_EQ(sense_of(**result).key, 0x0b);
  EXPECT_EQ(bench.device->held(), 0u);
}

TEST(BulkOnlyInitiator, ADiskThatIsBeyondHelpIsLost) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bool told = false;
  bench.initiator->set_on_lost([&told] { told = true; });
  bench.device->on_submit = [](usb::Transfer&) { return Fate::fail; };
  bench.device->failure = usb::Status::error;
  const auto first = bench.start(AgentBench::read_command(0, 1));
  const auto second = bench.start(AgentBench::read_command(1, 1));
  bench.time.advance(std::chrono::seconds(60));
  ASSERT_TRUE(*first);
  ASSERT_TRUE(*second);
  EXPECT_EQ((*second)->outcome, Outcome::lost);
  EXPECT_TRUE(told);
  EXPECT_EQ(bench.read(0, 1).outcome, Outcome::lost);
}

TEST(BulkOnlyInitiator, UnpluggingEndsEverything) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.device->on_submit = [](usb::Transfer&) { return Fate::swallow; };
  const auto first = bench.start(AgentBench::read_command(0, 1));
  const auto second = bench.start(AgentBench::read_command(1, 1));
  bench.device->unplug();
  bench.time.run_until_idle();
  ASSERT_TRUE(*first && *second);
  EXPECT_EQ((*first)->outcome, Outcome::lost);
  EXPECT_EQ((*second)->outcome, Outcome::lost);
}

TEST(BulkOnlyInitiator, ACommandThatHasBegunIsAbortedByResetRecoveryAndOneThatWaitsByForgetting) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.medium->slow = true;
  CommandId begun;
  CommandId waiting;
  const auto first = bench.start(AgentBench::read_command(0, 1), &begun);
  const auto second = bench.start(AgentBench::read_command(1, 1), &waiting);
  bench.time.run_until_idle();
  bench.initiator->abort(waiting, true);
  ASSERT_TRUE(*second);
  EXPECT_EQ((*second)->outcome, Outcome::aborted);
  bench.initiator->abort(begun, true);
  bench.time.run_until_idle();
  EXPECT_FALSE(*first) << "it has begun";
  bench.initiator->abort(begun);
  bench.time.run_until_idle();
  ASSERT_TRUE(*first);
  EXPECT_EQ((*first)->outcome, Outcome::aborted);
  bench.medium->slow = false;
  EXPECT_TRUE(bench.read(2, 1).good());
}

TEST(BulkOnlyInitiator, AResetWaitsForWhatWasStartedBefore) {
  AgentBench bench;
  ASSERT_TRUE(bench.open());
  bench.medium->slow = true;
  const auto first = bench.start(AgentBench::read_command(0, 1));
  std::optional<Result> reset;
  bench.initiator->reset_unit(0, [&reset](Result result) { reset = std::move(result); });
  bench.time.run_until_idle();
  EXPECT_FALSE(reset);
  while (bench.medium->complete_next()) bench.time.run_until_idle();
  bench.time.run_until_idle();
  ASSERT_TRUE(*first);
  EXPECT_TRUE((*first)->good());
  ASSERT_TRUE(reset);
  EXPECT_TRUE(reset->good());
}

TEST(BulkOnlyInitiator, ADeviceWithoutADiskSaysSo) {
  AgentBench bench;
  bench.device->on_answer = [](usb::Transfer& transfer, usb::Completion& completion) {
    const bool configuration = transfer.setup && transfer.setup->value == 0x0200 && completion.actual > 9;
    if (configuration) (void)transfer.data.write(14, bytes({0x03}));  // bInterfaceClass
  };
  const auto identity = bench.open();
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error(), InitiatorError::no_disk);
}

TEST(DecodeString, TakesSurrogatesAndMarksWhatIsNoText) {
  EXPECT_EQ(decode_string(usb::encode_string("Größe 😀")), "Größe 😀");
  EXPECT_EQ(decode_string(bytes({6, 3, 0x00, 0xd8, 0x41, 0x00})),
            "\xef\xbf\xbd"
            "A");
  EXPECT_EQ(decode_string(bytes({6, 2, 0x41, 0, 0x42, 0})), "");
  EXPECT_EQ(decode_string({}), "");
}

}  // namespace
}  // namespace periplex::storage
