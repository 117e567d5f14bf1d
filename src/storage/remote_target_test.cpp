// SPDX-License-Identifier: Apache-2.0
// A bulk-only guest in front of a disk that is a round trip away.
#include "storage/remote_target.hpp"

#include <gtest/gtest.h>

#include "storage/testing/remote_bench.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::BenchOptions;
using testing::bytes;
using testing::cdb10;
using testing::pattern;
using testing::RemoteBench;
using usb::device::BulkOnlyStatus;

constexpr RemoteOptions kPlain = {.read_ahead = {.enabled = false}};
const Bytes kTestUnitReady(6);

TEST(RemoteTarget, OneCommandCostsOneRoundTripWhateverItsStages) {
  RemoteBench bench({.round_trip = 50ms, .remote = kPlain});
  for (const auto& ended : {bench.read(0, 128), bench.write(8, pattern(65536)), bench.run(kTestUnitReady)}) {
    EXPECT_TRUE(ended.passed());
    EXPECT_GE(ended.took, 50ms);
    EXPECT_LE(ended.took, 51ms) << "not three times as much";
  }
}

TEST(RemoteTarget, ACommandIsOneMessageEachWayWithItsData) {
  RemoteBench bench({.remote = kPlain});
  const std::size_t to_agent = bench.wire.worker.sent;
  const std::size_t to_worker = bench.wire.agent.sent;
  const std::uint64_t round_trips = bench.target->counters().round_trips;
  EXPECT_EQ(bench.read(3, 5).data, bench.agent.content(3, 5));
  EXPECT_TRUE(bench.write(40, pattern(8192, 3)).passed());
  EXPECT_EQ(bench.agent.content(40, 16), pattern(8192, 3));
  EXPECT_EQ(bench.target->counters().round_trips, round_trips + 2);
  EXPECT_EQ(bench.wire.worker.sent, to_agent + 2);
  EXPECT_EQ(bench.wire.agent.sent, to_worker + 2);
  EXPECT_EQ(bench.target->counters().bytes_written, 8192u);
}

TEST(RemoteTarget, TheGuestSeesWhoTheRealDiskIs) {
  RemoteBench bench;
  const auto inquiry = bench.run(bytes({0x12, 0, 0, 0, 36, 0}), 36);
  EXPECT_EQ(as_text(ByteView(inquiry.data).subspan(8, 24)), "Maker   Stick           ");
  EXPECT_EQ(as_text(ByteView(inquiry.data).subspan(32, 4)), "1.23");
  EXPECT_EQ(bench.device->description().manufacturer, "Maker");
  EXPECT_EQ(bench.device->description().serial_number, "0123456789ABCDEF");
  const auto capacity = bench.run(cdb10(0x25, 0, 0), 8);
  EXPECT_EQ(ByteReader(capacity.data).be32(), 4095u);
}

TEST(RemoteTarget, AShortAnswerKeepsItsResidue) {
  RemoteBench bench;
  const auto inquiry = bench.run(bytes({0x12, 0, 0, 0, 255, 0}), 255);
  EXPECT_TRUE(inquiry.passed());
  EXPECT_EQ(inquiry.residue, 219u);
}

TEST(RemoteTarget, SenseDataAndUnitAttentionsOfTheRealDiskReachTheGuest) {
  RemoteBench bench({.remote = kPlain});
  bench.agent.medium->failure = usb::device::BlockFailure{usb::device::BlockError::medium_error, 10 * 512};
  const auto failed = bench.read(8, 4);
  EXPECT_EQ(failed.status, BulkOnlyStatus::failed);
  EXPECT_EQ(failed.data, bench.agent.content(8, 2));
  const SenseSummary sense = bench.sense();
  EXPECT_EQ(sense.key, 3);
  EXPECT_EQ(sense.asc, 0x11);
  bench.agent.medium->failure.reset();

  bench.agent.disk->insert(std::make_unique<usb::device::testing::FakeBlock>(64));
  EXPECT_FALSE(bench.run(kTestUnitReady).passed());
  EXPECT_EQ(bench.sense().asc, 0x28) << "the medium has changed";
  EXPECT_EQ(ByteReader(bench.run(cdb10(0x25, 0, 0), 8).data).be32(), 63u);
}

TEST(RemoteTarget, RequestSenseIsAnsweredHereOnlyAfterAFailure) {
  RemoteBench bench({.remote = kPlain});
  (void)bench.read(100000, 1);
  const auto held = bench.run(bytes({3, 0, 0, 0, 18, 0}), 18);
  EXPECT_LT(held.took, 1ms) << "it came with the outcome";
  EXPECT_EQ(summarize_sense(held.data).asc, 0x21);
  const auto asked = bench.run(bytes({3, 0, 0, 0, 18, 0}), 18);
  EXPECT_GE(asked.took, 50ms);
  EXPECT_EQ(summarize_sense(asked.data).key, 0);
}

TEST(RemoteTarget, HostAndDiskThatDisagreeHarmNothing) {
  RemoteBench bench({.remote = kPlain});
  EXPECT_EQ(bench.run(cdb10(0x28, 0, 8), 512).status, BulkOnlyStatus::failed);
  EXPECT_EQ(bench.sense().key, 0x0b);
  EXPECT_EQ(bench.run(cdb10(0x2a, 0, 8), 512).status, BulkOnlyStatus::failed);
  EXPECT_TRUE(bench.read(0, 1).passed());
  EXPECT_EQ(bench.agent.content(0, 8), pattern(8 * 512)) << "nothing was written";
}

TEST(RemoteTarget, MoreDataThanAreBearableAreRefusedHere) {
  RemoteBench bench;
  const std::size_t sent = bench.wire.worker.sent;
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x2a, 0, 0xffff), 0xfffffe00, false)));
  EXPECT_EQ(bench.wire.worker.sent, sent);
}

TEST(RemoteTarget, AGuestThatGivesUpAbortsTheCommandAtTheDisk) {
  RemoteBench bench({.remote = kPlain});
  bench.agent.medium->slow = true;
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  const auto data = bench.in(512);
  bench.agent.time.advance(1s);
  EXPECT_FALSE(bench.ended(data));
  bench.control(0x21, 0xff, 0, 0, 0);  // Bulk-Only Mass Storage Reset
  EXPECT_TRUE(bench.ended(data));
  bench.agent.medium->slow = false;
  bench.control(0x02, 1, 0, 0x81, 0);
  EXPECT_TRUE(bench.read(0, 1).passed());
}

TEST(RemoteTarget, APortResetOfTheGuestIsToldOnceAndResetsAStuckDisk) {
  RemoteBench bench({.remote = kPlain});
  bench.agent.medium->slow = true;
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  bench.agent.time.advance(1s);
  bench.device->reset();
  bench.control(0x00, 0x09, 1, 0, 0);
  bench.agent.medium->slow = false;
  EXPECT_FALSE(bench.run(kTestUnitReady).passed());
  EXPECT_EQ(bench.sense().asc, 0x29);
  EXPECT_TRUE(bench.run(kTestUnitReady).passed());
  EXPECT_TRUE(bench.read(0, 1).passed());
}

TEST(RemoteTarget, AnAgentThatIsGoneFailsEverythingAndIsReportedOnce) {
  RemoteBench bench({.remote = kPlain});
  unsigned told = 0;
  bench.target->set_on_failed([&told](RemoteFailure why) {
    EXPECT_EQ(why, RemoteFailure::broken_message);
    ++told;
  });
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 0, 1), 512, true)));
  const auto data = bench.in(512);
  bench.agent.time.advance(1ms);
  bench.wire.agent.send(bytes({0x99}));
  bench.agent.time.advance(1s);
  EXPECT_TRUE(bench.ended(data));
  (void)bench.wait(bench.in(13));
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(bench.read(0, 1).status, BulkOnlyStatus::failed);
  EXPECT_EQ(bench.sense().key, 4);
}

TEST(RemoteTarget, ADiskThatIsUnpluggedIsReported) {
  RemoteBench bench({.remote = kPlain});
  std::optional<RemoteFailure> why;
  bench.target->set_on_failed([&why](RemoteFailure failure) { why = failure; });
  bench.agent.device->on_submit = [](usb::Transfer&) { return testing::MeddlingDevice::Fate::fail; };
  bench.agent.device->failure = usb::Status::disconnected;
  EXPECT_EQ(bench.read(0, 1).status, BulkOnlyStatus::failed);
  EXPECT_EQ(why, RemoteFailure::disk_gone);
}

TEST(TargetServer, AWorkerThatSendsNoMessagesIsNotServedAnyMore) {
  RemoteBench bench({.remote = kPlain});
  std::string why;
  bench.server->set_on_failed([&why](std::string text) { why = std::move(text); });
  bench.wire.worker.send(bytes({1, 2, 3}));
  bench.wire.worker.send(encode(77, Command{.cdb = Bytes(6)}));
  const std::size_t before = bench.wire.agent.sent;
  bench.agent.time.advance(1s);
  EXPECT_FALSE(why.empty());
  EXPECT_EQ(bench.wire.agent.sent, before);
}

TEST(TargetServer, MoreThanItsBoundsIsAnsweredTaskSetFull) {
  RemoteBench bench({.remote = kPlain});
  bench.agent.medium->slow = true;
  const std::size_t before = bench.wire.agent.sent;
  for (std::uint64_t tag = 0; tag < kMaxCommands + 3; ++tag) {
    bench.wire.worker.send(encode(1'000'000 + tag, testing::AgentBench::read_command(0, 1)));
  }
  bench.agent.time.advance(1s);
  EXPECT_EQ(bench.wire.agent.sent, before + 3);
}

}  // namespace
}  // namespace periplex::storage
