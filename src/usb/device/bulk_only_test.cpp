// SPDX-License-Identifier: Apache-2.0
// Split, queued, slow and cancelled transfers.
#include "usb/device/bulk_only.hpp"

#include <gtest/gtest.h>

#include "usb/device/testing/bulk_only_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::BulkOnlyHost;
using enum BulkOnlyStatus;

Bytes read_cdb(unsigned lba, unsigned blocks) {
  ByteWriter out;
  out.u8(0x28).u8(0).be32(lba).u8(0).be16(static_cast<std::uint16_t>(blocks)).u8(0);
  return out.take();
}
Bytes write_cdb(unsigned lba, unsigned blocks, bool forced = false) {
  Bytes cdb = read_cdb(lba, blocks);
  cdb[0] = std::byte{0x2a};
  if (forced) cdb[1] = std::byte{8};
  return cdb;
}
Bytes pattern(std::size_t size) {
  Bytes result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<std::byte>(i * 31 + i / 256);
  return result;
}

TEST(BulkOnly, FirmwareMaySplitTheDataStageAsItLikes) {
  for (const std::size_t piece : {13u, 64u, 512u, 700u, 4096u}) {
    BulkOnlyHost host;
    const Bytes content = pattern(8 * 512);
    host.out(BulkOnlyHost::cbw(write_cdb(3, 8), 4096, false));
    for (std::size_t at = 0; at < content.size(); at += piece) {
      const auto part = ByteView(content).subspan(at, std::min(piece, content.size() - at));
      EXPECT_EQ(host.get(host.out(Bytes(part.begin(), part.end()))).actual, part.size());
    }
    EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
    host.out(BulkOnlyHost::cbw(read_cdb(3, 8), 4096, true));
    Bytes back;
    while (back.size() < content.size()) {
      const Bytes part = host.get(host.in(std::min(piece, content.size() - back.size()))).data;
      back.insert(back.end(), part.begin(), part.end());
    }
    EXPECT_EQ(back, content) << piece;
    EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
  }
}

TEST(BulkOnly, DataAndStatusMayBeQueuedAheadOfTheCommand) {
  BulkOnlyHost host;
  const TransferId data = host.in(1024);
  const TransferId status = host.in(13);
  EXPECT_FALSE(host.answer(data));
  host.out(BulkOnlyHost::cbw(read_cdb(0, 2), 1024, true));
  const TransferId next_status = host.in(13);
  host.out(BulkOnlyHost::cbw(Bytes(6), 0, true));
  EXPECT_EQ(host.get(data).actual, 1024u);
  EXPECT_EQ(host.get(status).data, BulkOnlyHost::csw(0, passed));
  EXPECT_EQ(host.get(next_status).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnly, ATransferWithMoreRoomThanTheStageEndsShort) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  EXPECT_EQ(host.get(host.in(4096)).actual, 512u);
  EXPECT_EQ(host.get(host.in(512)).data, BulkOnlyHost::csw(0, passed)) << "a short packet, too";
}

TEST(BulkOnly, MoreDataThanAnnouncedAreNoCommand) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(write_cdb(0, 1), 512, false));
  const auto data = host.get(host.out(Bytes(600)));
  EXPECT_EQ(data.status, Status::stall);
  EXPECT_EQ(data.actual, 512u);
  EXPECT_TRUE(host.is_halted(0x02));
  EXPECT_TRUE(host.is_halted(0x81));
}

TEST(BulkOnly, AStatusWithoutRoomIsGivenAgain) {
  BulkOnlyHost host;
  host.out(BulkOnlyHost::cbw(Bytes(6), 0, true));
  EXPECT_EQ(host.get(host.in(5)).status, Status::babble);
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnly, ASlowReadAnswersWhenTheMediumDoes) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  const TransferId data = host.in(512);
  const TransferId status = host.in(13);
  EXPECT_FALSE(host.answer(data));
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(data).actual, 512u);
  EXPECT_EQ(host.get(status).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnly, StatusWaitsForASlowFlush) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(write_cdb(0, 1, true), 512, false));
  const TransferId data = host.out(pattern(512));
  const TransferId status = host.in(13);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(data).actual, 512u);
  EXPECT_FALSE(host.answer(status));
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.medium->flushes, 1u);
  EXPECT_EQ(host.get(status).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnly, AMediumErrorHalfWayGivesTheRestAsPaddingAndTheResidue) {
  BulkOnlyHost host;
  std::ranges::fill(host.medium->content, std::byte{9});
  host.medium->failure = BlockFailure{BlockError::medium_error, 2 * 512};
  EXPECT_EQ(host.run(read_cdb(0, 4), 2048), BulkOnlyHost::csw(1024, failed));
  EXPECT_EQ(host.data[1023], std::byte{9});
  EXPECT_EQ(host.data[1024], std::byte{0});
  EXPECT_EQ(host.sense(), (std::array{3u, 0x11u, 0u}));
  host.medium->failure.reset();
  EXPECT_EQ(host.run(read_cdb(0, 4), 2048), BulkOnlyHost::csw(0, passed)) << "and nothing else breaks";
}

TEST(BulkOnly, AFullImageAnswersAsAFullThinDisk) {
  BulkOnlyHost host;
  host.medium->failure = BlockFailure{BlockError::no_space, 0};
  EXPECT_EQ(host.run_out(write_cdb(0, 1), Bytes(512)), BulkOnlyHost::csw(512, failed));
  EXPECT_EQ(host.sense(), (std::array{7u, 0x27u, 7u}));
}

// Cancelling, stage by stage.

TEST(BulkOnlyCancel, OfAWaitingCommandTransferLeavesNothingBehind) {
  BulkOnlyHost host;
  const TransferId status = host.in(13);
  host.device->cancel(status);
  EXPECT_EQ(host.get(status).status, Status::cancelled);
  EXPECT_EQ(host.run(Bytes(6)), BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyCancel, OfASlowReadTouchesNoDataAndTheCommandGoesOn) {
  BulkOnlyHost host;
  host.medium->slow = true;
  std::ranges::fill(host.medium->content, std::byte{9});
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  const TransferId data = host.in(512);
  host.device->cancel(data);
  EXPECT_EQ(host.get(data), (testing::Answer{Status::cancelled, {}, 0}));
  EXPECT_EQ(host.medium->pending(), 0u);
  const TransferId again = host.in(512);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(again).data, Bytes(512, std::byte{9}));
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyCancel, OfALongReadTellsWhatHadArrived) {
  BulkOnlyHost host({.serial = "0123456789ABCDEF"}, 1 << 13);
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 4096), 2u << 20, true));
  const TransferId data = host.in(2u << 20);
  EXPECT_TRUE(host.medium->complete_next());
  host.device->cancel(data);
  EXPECT_EQ(host.get(data).status, Status::cancelled);
  EXPECT_EQ(host.get(data).actual, kMaxBlockRequest);
  const TransferId rest = host.in(1u << 20);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(rest).actual, 1u << 20);
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyCancel, OfASlowWriteLetsTheNextTransferTakeItsPlace) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(write_cdb(0, 1), 512, false));
  const TransferId data = host.out(Bytes(512, std::byte{1}));
  const TransferId behind = host.out(Bytes(512, std::byte{2}));
  host.device->cancel(data);
  EXPECT_EQ(host.get(data).status, Status::cancelled);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(behind).status, Status::ok);
  EXPECT_EQ(host.medium->content[0], std::byte{2});
}

TEST(BulkOnlyCancel, OfTheStatusTransferKeepsTheStatus) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(Bytes{std::byte{0x35}, {}, {}, {}, {}, {}, {}, {}, {}, {}}, 0, true));
  const TransferId status = host.in(13);
  host.device->cancel(status);
  EXPECT_EQ(host.get(status).status, Status::cancelled);
  EXPECT_TRUE(host.medium->complete_next());
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyReset, RecoveryEndsASlowCommandAndTheDeviceIsReady) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  const TransferId data = host.in(512);
  EXPECT_EQ(host.reset_recovery().status, Status::ok);
  EXPECT_EQ(host.get(data).status, Status::stall);
  EXPECT_FALSE(host.medium->complete_next());
  host.medium->slow = false;
  EXPECT_EQ(host.run(read_cdb(0, 1), 512), BulkOnlyHost::csw(0, passed));
}

TEST(BulkOnlyReset, PortResetCancelsEverythingAndTellsThePowerOn) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  const TransferId data = host.in(512);
  const TransferId status = host.in(13);
  host.device->reset();
  EXPECT_EQ(host.get(data).status, Status::cancelled);
  EXPECT_EQ(host.get(status).status, Status::cancelled);
  EXPECT_EQ(host.unanswered(), 0u);
  host.medium->slow = false;
  (void)host.control(0x00, 0x09, 1, 0, 0);
  EXPECT_EQ(host.run(Bytes(6)), BulkOnlyHost::csw(0, failed));
  EXPECT_EQ(host.sense(), (std::array{6u, 0x29u, 0u}));
}

TEST(BulkOnlyReset, UnplugFinishesEverything) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(read_cdb(0, 1), 512, true));
  const TransferId data = host.in(512);
  const TransferId status = host.in(13);
  host.device.reset();
  EXPECT_EQ(host.get(data).status, Status::disconnected);
  EXPECT_EQ(host.get(status).status, Status::disconnected);
  EXPECT_EQ(host.unanswered(), 0u);
}

}  // namespace
}  // namespace periplex::usb::device
