// SPDX-License-Identifier: Apache-2.0
// The commands about logical blocks, one by one.
#include <algorithm>
#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::FakeBlock;
using testing::ScsiHost;

Bytes pattern(std::size_t size, unsigned seed = 1) {
  Bytes result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<std::byte>(i * 7 + i / 512 + seed);
  return result;
}

Bytes cdb10(unsigned opcode, unsigned lba, unsigned blocks, unsigned flags = 0) {
  return bytes(
      {opcode, flags, lba >> 24, lba >> 16 & 0xff, lba >> 8 & 0xff, lba & 0xff, 0, blocks >> 8, blocks & 0xff, 0});
}
Bytes cdb16(unsigned opcode, std::uint64_t lba, std::uint32_t blocks, unsigned flags = 0) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(opcode)).u8(static_cast<std::uint8_t>(flags)).be64(lba).be32(blocks).be16(0);
  return out.take();
}

TEST(ScsiBlocks, AllFourFormsOfReadAndWriteMeanTheSameBlocks) {
  const std::vector<std::pair<Bytes, Bytes>> forms = {
      {bytes({0x0a, 0, 1, 2, 2, 0}), bytes({0x08, 0, 1, 2, 2, 0})},
      {cdb10(0x2a, 258, 2), cdb10(0x28, 258, 2)},
      {bytes({0xaa, 0, 0, 0, 1, 2, 0, 0, 0, 2, 0, 0}), bytes({0xa8, 0, 0, 0, 1, 2, 0, 0, 0, 2, 0, 0})},
      {cdb16(0x8a, 258, 2), cdb16(0x88, 258, 2)},
  };
  for (const auto& [write, read] : forms) {
    ScsiHost host;
    const Bytes data = pattern(1024);
    EXPECT_TRUE(host.run(write, data).good());
    EXPECT_EQ(host.stage.length, 1024u);
    EXPECT_TRUE(std::ranges::equal(data, ByteView(host.medium->content).subspan(258 * 512, 1024)));
    EXPECT_EQ(host.run(read).data, data);
  }
}

TEST(ScsiBlocks, TheSixByteFormReads256BlocksForZero) {
  ScsiHost host;
  EXPECT_EQ(host.run(bytes({0x08, 0, 0, 0, 0, 0}), {}, 1 << 20).data.size(), 256u * 512);
  EXPECT_TRUE(host.run(cdb10(0x28, 0, 0)).good()) << "zero blocks are none in the longer forms";
  EXPECT_EQ(host.stage.direction, DataDirection::none);
}

TEST(ScsiBlocks, BlocksBeyondTheEndAreRefusedWithTheFirstThatIsNotThere) {
  ScsiHost host;
  EXPECT_EQ(host.run(cdb10(0x28, 1023, 2)).sense, sense::lba_out_of_range(1024));
  EXPECT_EQ(host.run(cdb10(0x2a, 2000, 1)).sense, sense::lba_out_of_range(2000));
  EXPECT_EQ(host.run(cdb16(0x88, ~0ull, 1)).sense, sense::lba_out_of_range(~0ull));
  EXPECT_EQ(host.run(cdb10(0x35, 1024, 1)).sense, sense::lba_out_of_range(1024));
  EXPECT_TRUE(host.run(cdb10(0x28, 1023, 1)).good());
}

TEST(ScsiBlocks, ProtectionInformationAndEndlessTransfersAreRefused) {
  ScsiHost host({}, 1 << 17);
  EXPECT_EQ(host.run(cdb10(0x28, 0, 1, 0x20)).sense, sense::invalid_field_in_cdb(1));
  EXPECT_EQ(host.run(cdb16(0x88, 0, (1 << 16) + 1)).sense, sense::invalid_field_in_cdb(10));
}

TEST(ScsiBlocks, OneLargeTransferBecomesBoundedRequests) {
  ScsiHost host({}, 1 << 14);
  const Bytes data = pattern(5u << 20);
  EXPECT_TRUE(host.run(cdb16(0x8a, 3, 5 << 11), data).good());
  EXPECT_EQ(host.medium->largest, kMaxBlockRequest);
  EXPECT_EQ(host.run(cdb16(0x88, 3, 5 << 11), {}, 6u << 20).data, data);
  EXPECT_EQ(host.disk->counters().bytes_read, 5u << 20);
  EXPECT_EQ(host.disk->counters().bytes_written, 5u << 20);
}

TEST(ScsiBlocks, AnUnreadableBlockIsNamedAndTheOnesBeforeItAreGiven) {
  ScsiHost host;
  host.medium->failure = BlockFailure{BlockError::medium_error, 12 * 512 + 100};
  const auto outcome = host.run(cdb10(0x28, 10, 8));
  EXPECT_EQ(outcome.sense, sense::unrecovered_read_error(12));
  EXPECT_EQ(outcome.data.size(), 2u * 512);
}

TEST(ScsiBlocks, EachWayInWhichWritingFailsHasItsSense) {
  ScsiHost host;
  const auto write = [&](BlockError error) {
    host.medium->failure = BlockFailure{error, 12 * 512};
    return host.run(cdb10(0x2a, 10, 8), pattern(8 * 512)).sense;
  };
  EXPECT_EQ(write(BlockError::medium_error), sense::write_error(12));
  EXPECT_EQ(write(BlockError::no_space), sense::kSpaceAllocationFailed);
  EXPECT_EQ(write(BlockError::gone), sense::kInternalTargetFailure);
  EXPECT_EQ(write(BlockError::write_protected), sense::kWriteProtected);
  EXPECT_EQ(host.disk->counters().check_conditions, 5u);
}

TEST(ScsiBlocks, AWriteProtectedDiskRefusesEveryCommandThatWrites) {
  ScsiHost host({.read_only = true});
  host.medium->discards = true;
  for (const Bytes& cdb : {bytes({0x0a, 0, 0, 0, 1, 0}), cdb10(0x2a, 0, 1), bytes({0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
                           cdb16(0x8a, 0, 1), cdb10(0x41, 0, 1), cdb16(0x93, 0, 1), cdb10(0x42, 0, 24)}) {
    EXPECT_EQ(host.run(cdb, Bytes(512)).sense, sense::kWriteProtected) << hex(cdb);
  }
  EXPECT_TRUE(host.run(cdb10(0x28, 0, 1)).good());
  EXPECT_TRUE(host.run(cdb10(0x35, 0, 0)).good());
  EXPECT_EQ(host.medium->requests, 2u);
}

TEST(ScsiBlocks, SynchronizeCacheFlushesAndReportsItsFailure) {
  ScsiHost host;
  EXPECT_TRUE(host.run(cdb10(0x35, 0, 0)).good());
  EXPECT_TRUE(host.run(cdb16(0x91, 0, 0)).good());
  EXPECT_EQ(host.medium->flushes, 2u);
  host.medium->failure = BlockFailure{BlockError::medium_error, 0};
  EXPECT_EQ(host.run(cdb10(0x35, 0, 0)).sense, sense::write_error(std::nullopt));
  host.medium->failure = BlockFailure{BlockError::no_space, 0};
  EXPECT_EQ(host.run(cdb10(0x35, 0, 0)).sense, sense::kSpaceAllocationFailed);
}

TEST(ScsiBlocks, AForcedWriteIsDurableBeforeItCompletes) {
  ScsiHost host;
  EXPECT_TRUE(host.run(cdb10(0x2a, 0, 1), pattern(512)).good());
  EXPECT_EQ(host.medium->flushes, 0u);
  EXPECT_TRUE(host.run(cdb10(0x2a, 0, 1, 0x08), pattern(512)).good());
  EXPECT_EQ(host.medium->flushes, 1u);
}

TEST(ScsiBlocks, VerifyReadsAndFindsTheBadBlock) {
  ScsiHost host;
  EXPECT_TRUE(host.run(cdb10(0x2f, 0, 1024)).good());
  EXPECT_EQ(host.stage.direction, DataDirection::none);
  host.medium->failure = BlockFailure{BlockError::medium_error, 700 * 512};
  EXPECT_EQ(host.run(cdb16(0x8f, 0, 1024)).sense, sense::unrecovered_read_error(700));
}

TEST(ScsiBlocks, VerifyComparesWithTheHostsData) {
  ScsiHost host;
  Bytes data = pattern(512 * 300);
  std::ranges::copy(data, host.medium->content.begin() + 512);
  EXPECT_TRUE(host.run(cdb10(0x2f, 1, 300, 0x02), data).good());
  data[200 * 512 + 17] ^= std::byte{1};
  EXPECT_EQ(host.run(cdb10(0x2f, 1, 300, 0x02), data).sense, sense::miscompare(201));
  EXPECT_EQ(host.run(cdb10(0x2f, 1, 300, 0x06), data).sense, sense::invalid_field_in_cdb(1));
}

TEST(ScsiBlocks, WriteSameRepeatsOneBlock) {
  ScsiHost host;
  const Bytes block = pattern(512);
  EXPECT_TRUE(host.run(cdb10(0x41, 5, 300), block).good());
  EXPECT_EQ(host.stage.length, 512u);
  for (const std::size_t lba : {5u, 200u, 304u}) {
    EXPECT_TRUE(std::ranges::equal(block, ByteView(host.medium->content).subspan(lba * 512, 512))) << lba;
  }
  EXPECT_EQ(host.medium->content[305 * 512 + 1], std::byte{0});
  EXPECT_EQ(host.medium->content[4 * 512 + 1], std::byte{0});
  EXPECT_EQ(host.run(cdb10(0x41, 5, 0), block).sense, sense::invalid_field_in_cdb(7)) << "WSNZ";
  EXPECT_EQ(host.run(cdb10(0x41, 5, 1, 0x08), block).sense, sense::invalid_field_in_cdb(1)) << "cannot unmap";
}

TEST(ScsiBlocks, WriteSameUnmapsOnlyZeros) {
  ScsiHost host;
  host.medium->discards = true;
  std::ranges::fill(host.medium->content, std::byte{9});
  EXPECT_TRUE(host.run(cdb16(0x93, 5, 3, 0x08), Bytes(512)).good());
  EXPECT_EQ(host.medium->discarded, 1u);
  EXPECT_TRUE(host.run(cdb16(0x93, 5, 3, 0x08), pattern(512)).good());
  EXPECT_EQ(host.medium->discarded, 1u) << "other bytes are written";
  EXPECT_EQ(host.medium->content[6 * 512], pattern(512)[0]);
  EXPECT_TRUE(host.run(cdb16(0x93, 5, 3, 0x09)).good()) << "no data-out buffer: zeros";
  EXPECT_EQ(host.medium->discarded, 2u);
  EXPECT_EQ(host.medium->content[6 * 512], std::byte{0});
}

Bytes unmap_list(std::initializer_list<BlockRange> ranges) {
  ByteWriter out;
  out.be16(static_cast<std::uint16_t>(6 + 16 * ranges.size())).be16(static_cast<std::uint16_t>(16 * ranges.size()));
  out.be32(0);
  for (const BlockRange& range : ranges) out.be64(range.lba).be32(static_cast<std::uint32_t>(range.blocks)).be32(0);
  return out.take();
}

TEST(ScsiBlocks, UnmapGivesRangesBack) {
  ScsiHost host;
  host.medium->discards = true;
  std::ranges::fill(host.medium->content, std::byte{9});
  EXPECT_TRUE(host.run(cdb10(0x42, 0, 56), unmap_list({{1, 2}, {9, 0}, {1023, 1}})).good());
  EXPECT_EQ(host.medium->discarded, 2u);
  EXPECT_EQ(host.medium->content[512], std::byte{0});
  EXPECT_EQ(host.medium->content[3 * 512], std::byte{9});
  EXPECT_EQ(host.run(cdb10(0x42, 0, 40), unmap_list({{1, 2}, {1023, 2}})).sense, sense::lba_out_of_range(1024));
  EXPECT_EQ(host.medium->discarded, 2u) << "all or nothing";
  EXPECT_EQ(host.run(cdb10(0x42, 0, 7), Bytes(7)).sense, sense::kParameterListLengthError);
  EXPECT_TRUE(host.run(cdb10(0x42, 0, 0)).good());
}

TEST(ScsiBlocks, UnmapIsUnknownWhereTheMediumCannotDiscard) {
  ScsiHost host;
  EXPECT_EQ(host.run(cdb10(0x42, 0, 24), unmap_list({{1, 2}})).sense, sense::kInvalidOperationCode);
}

TEST(ScsiBlocks, ASlowMediumGivesTheSameResults) {
  ScsiHost host({}, 1 << 14);
  host.medium->slow = true;
  const Bytes data = pattern(3u << 20);
  EXPECT_TRUE(host.run(cdb16(0x8a, 0, 3 << 11, 0x08), data).good());
  EXPECT_EQ(host.medium->flushes, 1u);
  EXPECT_EQ(host.run(cdb16(0x88, 0, 3 << 11), {}, 4u << 20).data, data);
  EXPECT_TRUE(host.run(cdb16(0x8f, 0, 3 << 11, 0x02), data).good());
  host.medium->failure = BlockFailure{BlockError::medium_error, 2u << 20};
  EXPECT_EQ(host.run(cdb16(0x88, 0, 3 << 11), {}, 4u << 20).sense, sense::unrecovered_read_error(4096));
}

TEST(ScsiTask, TakesABlockApartAndWritesOnlyWholeOnes) {
  ScsiHost host;
  Bytes data = pattern(1024);
  host.task.start(0, cdb10(0x2a, 0, 2));
  for (std::size_t at = 0; at < 960; at += 64) {
    MutableByteView piece = MutableByteView(data).subspan(at, 64);
    EXPECT_EQ(host.task.move({&piece, 1}), Progress::done);
    EXPECT_EQ(host.task.moved(), 64u);
  }
  EXPECT_EQ(host.medium->requests, 1u);
  EXPECT_TRUE(std::ranges::equal(ByteView(data).first(512), ByteView(host.medium->content).first(512)));
  EXPECT_EQ(host.medium->content[512], std::byte{0}) << "half a block is never written";
  MutableByteView rest = MutableByteView(data).subspan(960);
  EXPECT_EQ(host.task.move({&rest, 1}), Progress::done);
  EXPECT_TRUE(std::ranges::equal(data, ByteView(host.medium->content).first(1024)));
}

TEST(ScsiTask, GathersOddPiecesThatStraddleBlocks) {
  ScsiHost host;
  Bytes data = pattern(4 * 512);
  host.task.start(0, cdb10(0x2a, 1, 4));
  const std::array<MutableByteView, 3> first = {MutableByteView(data).first(100),
                                                MutableByteView(data).subspan(100, 900),
                                                MutableByteView(data).subspan(1000, 7)};
  EXPECT_EQ(host.task.move(first), Progress::done);
  EXPECT_EQ(host.task.moved(), 1007u);
  MutableByteView second = MutableByteView(data).subspan(1007);
  EXPECT_EQ(host.task.move({&second, 1}), Progress::done);
  EXPECT_TRUE(std::ranges::equal(data, ByteView(host.medium->content).subspan(512, data.size())));
}

TEST(ScsiTask, AnInterruptedMoveTouchesNothingAndCanBeRepeated) {
  ScsiHost host;
  std::ranges::fill(host.medium->content, std::byte{7});
  host.medium->slow = true;
  host.task.start(0, cdb10(0x28, 0, 1));
  Bytes gone(512);
  MutableByteView view = gone;
  EXPECT_EQ(host.task.move({&view, 1}), Progress::pending);
  host.task.interrupt();
  EXPECT_FALSE(host.medium->complete_next());
  EXPECT_EQ(gone[0], std::byte{0});
  Bytes again(512);
  view = again;
  EXPECT_EQ(host.task.move({&view, 1}), Progress::pending);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.steps_done, 1u);
  EXPECT_EQ(again[511], std::byte{7});
}

TEST(ScsiTask, SeveralTasksMayBeInFlightOnOneDisk) {
  ScsiHost host;
  host.medium->slow = true;
  ScsiTask other(*host.disk, host);
  Bytes a(512);
  Bytes b(512);
  MutableByteView view_a = a;
  MutableByteView view_b = b;
  host.task.start(0, cdb10(0x28, 0, 1));
  other.start(0, cdb10(0x28, 1, 1));
  EXPECT_EQ(host.task.move({&view_a, 1}), Progress::pending);
  EXPECT_EQ(other.move({&view_b, 1}), Progress::pending);
  EXPECT_EQ(host.medium->pending(), 2u);
  const auto medium = host.disk->remove();
  EXPECT_EQ(host.steps_done, 2u) << "both end when the medium is taken away";
  EXPECT_EQ(host.task.sense(), sense::kMediumNotPresent);
  EXPECT_EQ(other.sense(), sense::kMediumNotPresent);
  EXPECT_EQ(host.medium->pending(), 0u);
}

}  // namespace
}  // namespace periplex::usb::device
