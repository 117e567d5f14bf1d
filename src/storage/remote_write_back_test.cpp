// SPDX-License-Identifier: Apache-2.0
// Writes that are reported done when they are sent: who is told, what waits for them, what becomes of their errors.
#include <gtest/gtest.h>

#include "storage/testing/remote_bench.hpp"
#include "storage/unit_probe.hpp"

namespace periplex::storage {
namespace {

using namespace std::chrono_literals;
using testing::BenchOptions;
using testing::bytes;
using testing::cdb10;
using testing::pattern;
using testing::RemoteBench;
using usb::device::BlockError;
using usb::device::BlockFailure;
using usb::device::BulkOnlyStatus;

constexpr RemoteOptions kWriteBack = {.write_back = {.enabled = true, .limit = 1 << 20}};
const Bytes kModeSense = bytes({0x1a, 0, 0x08, 0, 192, 0});
const Bytes kSynchronize = cdb10(0x35, 0, 0);

/// A guest that has asked for the caching mode page.
struct Told : RemoteBench {
  explicit Told(bool uas = false) : RemoteBench({.agent_uas = uas, .remote = kWriteBack}) {
    const auto mode = run(kModeSense, 192);
    const auto at = find_write_cache(mode.data, false);
    EXPECT_TRUE(at && (mode.data[*at] & kWriteCacheEnable) != std::byte{0});
  }
};

TEST(RemoteWriteBack, ByDefaultAWriteIsDoneWhenTheDiskHasIt) {
  RemoteBench bench;
  (void)bench.run(kModeSense, 192);
  EXPECT_GE(bench.write(0, pattern(512, 5)).took, 50ms);
  EXPECT_EQ(bench.target->counters().early_writes, 0u);
}

TEST(RemoteWriteBack, AGuestThatWasNotToldOfACacheGetsNone) {
  RemoteBench bench({.remote = kWriteBack});
  EXPECT_GE(bench.write(0, pattern(512, 5)).took, 50ms);
}

TEST(RemoteWriteBack, AGuestThatWasToldDoesNotWait) {
  Told bench;
  for (unsigned i = 0; i < 4; ++i) {
    const auto ended = bench.write(i * 8, pattern(4096, i));
    EXPECT_TRUE(ended.passed());
    EXPECT_LT(ended.took, 1ms);
  }
  EXPECT_NE(bench.agent.content(0, 8), pattern(4096, 0)) << "it is on its way";
  bench.agent.time.advance(30ms);
  EXPECT_EQ(bench.agent.content(0, 8), pattern(4096, 0));
  EXPECT_EQ(bench.target->counters().early_writes, 4u);
}

TEST(RemoteWriteBack, NoMoreThanTheLimitIsOnItsWay) {
  Told bench;
  unsigned early = 0;
  for (unsigned i = 0; i < 12; ++i) early += bench.write(i * 256, pattern(131072, i)).took < 1ms ? 1 : 0;
  EXPECT_EQ(early, 8u + 3u) << "a mebibyte, one that waits for it, and more";
}

TEST(RemoteWriteBack, ASynchronizeWaitsForAll) {
  for (const bool uas : {false, true}) {
    Told bench(uas);
    (void)bench.write(8, pattern(4096, 3));
    const auto ended = bench.run(kSynchronize);
    EXPECT_TRUE(ended.passed());
    EXPECT_GE(ended.took, 50ms);
    EXPECT_EQ(bench.agent.content(8, 8), pattern(4096, 3));
    EXPECT_EQ(bench.agent.medium->flushes, 1u);
  }
}

TEST(RemoteWriteBack, AWriteWithFuaWaitsForAll) {
  Told bench(true);
  (void)bench.write(8, pattern(512, 3));
  Bytes forced = cdb10(0x2a, 16, 1);
  forced[1] = std::byte{0x08};
  EXPECT_GE(bench.run(forced, 0, pattern(512, 4)).took, 50ms);
  EXPECT_EQ(bench.agent.content(8, 1), pattern(512, 3));
  EXPECT_EQ(bench.agent.content(16, 1), pattern(512, 4));
}

TEST(RemoteWriteBack, ReadsAndWritesKeepTheirOrderOnADiskThatTakesManyAtOnce) {
  Told bench(true);
  bench.agent.medium->slow = true;
  for (unsigned i = 0; i < 5; ++i) EXPECT_LT(bench.write(8, pattern(512, i)).took, 1ms);
  bench.agent.time.advance(30ms);
  EXPECT_EQ(bench.agent.medium->pending(), 1u) << "one after the other";
  (void)bench.wait(bench.out(bench.cbw(cdb10(0x28, 8, 1), 512, true)));
  const auto data = bench.in(512);
  for (unsigned i = 0; i < 6; ++i) {
    bench.agent.time.advance(50ms);
    EXPECT_TRUE(bench.agent.medium->complete_next());
  }
  EXPECT_EQ(bench.wait(data), pattern(512, 4));
}

TEST(RemoteWriteBack, AWriteThatFailsLaterIsADeferredErrorOfTheNextCommand) {
  Told bench;
  bench.agent.medium->failure = BlockFailure{BlockError::medium_error, 8 * 512};
  EXPECT_TRUE(bench.write(8, pattern(512, 3)).passed());
  bench.agent.time.advance(60ms);
  bench.agent.medium->failure.reset();
  EXPECT_EQ(bench.write(16, pattern(512, 1)).status, BulkOnlyStatus::failed);
  const SenseSummary sense = bench.sense();
  EXPECT_TRUE(sense.deferred);
  EXPECT_EQ(sense.key, 3);
  EXPECT_EQ(sense.asc, 0x0c);
  EXPECT_NE(bench.agent.content(16, 1), pattern(512, 1)) << "the command was not carried out (SPC-4 §4.5.5)";
  EXPECT_TRUE(bench.write(16, pattern(512, 1)).passed());
  EXPECT_EQ(bench.target->counters().failed_early, 1u);
}

TEST(RemoteWriteBack, ASynchronizeReportsWhatFailedBeforeIt) {
  Told bench;
  bench.agent.medium->failure = BlockFailure{BlockError::medium_error, 8 * 512};
  EXPECT_TRUE(bench.write(8, pattern(512, 3)).passed());
  bench.agent.time.advance(30ms);  // it has failed, and nobody here knows
  bench.agent.medium->failure.reset();
  const auto ended = bench.run(kSynchronize);
  EXPECT_EQ(ended.status, BulkOnlyStatus::failed);
  EXPECT_TRUE(bench.sense().deferred);
  EXPECT_TRUE(bench.run(kSynchronize).passed()) << "told once";
}

TEST(RemoteWriteBack, APortResetLosesNothingThatWasReportedDone) {
  Told bench;
  EXPECT_LT(bench.write(8, pattern(4096, 3)).took, 1ms);
  bench.device->reset();
  bench.control(0x00, 0x09, 1, 0, 0);
  bench.agent.time.advance(100ms);
  EXPECT_EQ(bench.agent.content(8, 8), pattern(4096, 3));
  (void)bench.run(Bytes(6));
  EXPECT_GE(bench.write(0, pattern(512)).took, 50ms) << "it has to ask again";
}

TEST(RemoteWriteBack, AGuestThatSwitchesTheCacheOffIsObeyed) {
  Told bench;
  Bytes list = bytes({0, 0, 0, 0, 0x08, 18, 0});
  list.resize(24);
  EXPECT_TRUE(bench.run(bytes({0x15, 0x10, 0, 0, 24, 0}), 0, list).passed());
  EXPECT_GE(bench.write(0, pattern(512)).took, 50ms);
  list[6] = std::byte{0x04};
  EXPECT_TRUE(bench.run(bytes({0x15, 0x10, 0, 0, 24, 0}), 0, list).passed());
  EXPECT_LT(bench.write(0, pattern(512)).took, 1ms);
}

Result sensed(Bytes data) {
  return {.data_in = std::move(data)};
}

TEST(WriteBack, PutsThePageThereWhereTheDiskHasNone) {
  WriteBack cache({.enabled = true}, false);
  Result refused = failure(usb::device::sense::invalid_field_in_cdb(2));
  cache.on_mode_sense(Cdb(kModeSense), 192, refused);
  EXPECT_TRUE(refused.good());
  EXPECT_EQ(hex(refused.data_in), "17 00 00 00 08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  EXPECT_TRUE(cache.takes(512));

  WriteBack all({.enabled = true}, false);
  Result pages = sensed(bytes({5, 0, 0x80, 0, 0x1c, 0}));
  all.on_mode_sense(Cdb(bytes({0x1a, 0, 0x3f, 0, 192, 0})), 192, pages);
  EXPECT_EQ(pages.data_in.size(), 26u);
  EXPECT_EQ(pages.data_in[0], std::byte{25});
  EXPECT_EQ(pages.data_in[2], std::byte{0x80});
}

TEST(WriteBack, AGuestThatAskedForTheHeaderOnlyDoesNotKnowYet) {
  WriteBack cache({.enabled = true}, false);
  Result header = sensed(bytes({23, 0, 0, 0}));
  cache.on_mode_sense(Cdb(bytes({0x1a, 0, 0x08, 0, 4, 0})), 4, header);
  EXPECT_EQ(hex(header.data_in), "17 00 00 00");
  EXPECT_FALSE(cache.takes(512));
  Result refused = failure(usb::device::sense::invalid_field_in_cdb(2));
  cache.on_mode_sense(Cdb(bytes({0x1a, 0, 0x08, 0, 4, 0})), 4, refused);
  EXPECT_EQ(hex(refused.data_in), "17 00 00 00");
  EXPECT_FALSE(cache.takes(512));
}

TEST(WriteBack, ChangeableAndDefaultValuesAreNotTouched) {
  WriteBack cache({.enabled = true}, false);
  const Bytes page = bytes({5, 0, 0, 0, 8, 1, 0});
  for (const unsigned control : {0x40u, 0x80u, 0xc0u}) {
    Result result = sensed(page);
    cache.on_mode_sense(Cdb(bytes({0x1a, 0, 0x08 | control, 0, 192, 0})), 192, result);
    EXPECT_EQ(result.data_in, page);
  }
  EXPECT_FALSE(cache.takes(1));
}

}  // namespace
}  // namespace periplex::storage
