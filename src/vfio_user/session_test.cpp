// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/session.hpp"

#include <gtest/gtest.h>

#include "vfio_user/testing/scratch_function.hpp"
#include "vfio_user/version.hpp"

namespace periplex::vfio_user {
namespace {

using testing::ScratchFunction;
using Verdict = Session::Verdict;

class SessionTest : public ::testing::Test {
 protected:
  struct Reply {
    Header header;
    Bytes payload;
  };

  /// The reply to a message, if there was one.
  std::optional<Reply> ask(Command command, ByteView payload, std::uint32_t flags = 0) {
    Bytes replies;
    const Header header{.id = 0xabcd,
                        .command = command,
                        .size = static_cast<std::uint32_t>(Header::kSize + payload.size()),
                        .flags = flags};
    verdict = session.handle({header, payload, {}}, replies);
    if (replies.empty()) return std::nullopt;
    Reply reply{Header::parse(replies), Bytes(replies.begin() + Header::kSize, replies.end())};
    EXPECT_EQ(reply.header.size, replies.size());
    EXPECT_EQ(reply.header.id, 0xabcd);
    EXPECT_EQ(reply.header.command, command);
    EXPECT_TRUE(reply.header.is_reply());
    return reply;
  }
  /// The errno of the reply; 0 for a good one.
  int error_of(Command command, ByteView payload, std::uint32_t flags = 0) {
    const auto reply = ask(command, payload, flags);
    if (!reply) return -1;
    if ((reply->header.flags & Header::kError) == 0) return 0;
    EXPECT_TRUE(reply->payload.empty()) << "only the header";
    return static_cast<int>(reply->header.error);
  }
  void negotiate() { ASSERT_EQ(error_of(Command::version, propose({}, "{}")), 0); }

  static Bytes access(std::uint32_t region, std::uint64_t offset, std::uint32_t count, ByteView data = {}) {
    ByteWriter out;
    out.bytes(RegionAccess{.offset = offset, .region = region, .count = count}.packed()).bytes(data);
    return out.take();
  }
  ByteView read(std::uint32_t region, std::uint64_t offset, std::uint32_t count) {
    const auto reply = ask(Command::region_read, access(region, offset, count));
    EXPECT_EQ(reply->payload.size(), RegionAccess::kSize + count);
    last_read = reply->payload;
    return ByteView(last_read).subspan(RegionAccess::kSize);
  }

  EventLoop loop;
  guest::Memory memory;
  IrqLines lines{loop};
  ScratchFunction function{lines};
  Session session{function, memory, lines};
  Verdict verdict = Verdict::go_on;
  Bytes last_read;
};

TEST_F(SessionTest, TheFirstMessageMustBeTheVersion) {
  EXPECT_EQ(error_of(Command::device_get_info, DeviceInfo{}.packed()), EINVAL);
  EXPECT_EQ(verdict, Verdict::close);
}

TEST_F(SessionTest, AVersionThatIsNotOursEndsTheSession) {
  EXPECT_EQ(error_of(Command::version, propose({.major = 3, .minor = 0}, "{}")), ENOTSUP);
  EXPECT_EQ(verdict, Verdict::close);
  EXPECT_FALSE(session.negotiated());
}

TEST_F(SessionTest, AVersionIsAgreedOnOnce) {
  negotiate();
  EXPECT_TRUE(session.negotiated());
  EXPECT_EQ(error_of(Command::version, propose({}, "{}")), EINVAL);
  EXPECT_EQ(verdict, Verdict::close);
}

TEST_F(SessionTest, TellsWhatTheDeviceHas) {
  negotiate();
  const auto info = DeviceInfo::parse(ask(Command::device_get_info, DeviceInfo{}.packed())->payload);
  EXPECT_EQ(info->argsz, 16u);
  EXPECT_EQ(info->flags, 3u) << "PCI, RESET";
  EXPECT_EQ(info->num_regions, 9u);
  EXPECT_EQ(info->num_irqs, 5u);
}

TEST_F(SessionTest, TellsEachRegion) {
  negotiate();
  const std::uint64_t sizes[] = {ScratchFunction::kBarSize, 0, 0, 0, ScratchFunction::kIoSize, 0, 0, 256, 0, 0, 0};
  for (std::uint32_t index = 0; index < std::size(sizes); ++index) {
    const auto reply = ask(Command::device_get_region_info, RegionInfo{.index = index}.packed());
    const auto info = RegionInfo::parse(reply->payload);
    ASSERT_TRUE(info) << index;
    EXPECT_EQ(info->index, index);
    EXPECT_EQ(info->argsz, 32u);
    EXPECT_EQ(info->size, sizes[index]) << index;
    EXPECT_EQ(info->flags, sizes[index] != 0 ? 3u : 0u) << "never MMAP";
  }
}

TEST_F(SessionTest, TellsEachInterruptType) {
  negotiate();
  const std::pair<std::uint32_t, std::uint32_t> expected[] = {{7, 1}, {0, 0}, {1, ScratchFunction::kVectors},
                                                              {1, 1}, {0, 0}, {0, 0}};
  for (std::uint32_t index = 0; index < std::size(expected); ++index) {
    const auto info = IrqInfo::parse(ask(Command::device_get_irq_info, IrqInfo{.index = index}.packed())->payload);
    ASSERT_TRUE(info) << index;
    EXPECT_EQ(std::pair(info->flags, info->count), expected[index]) << index;
    EXPECT_EQ(info->argsz, 16u);
  }
}

TEST_F(SessionTest, ReadsAndWritesRegions) {
  negotiate();
  const Bytes data{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  const auto reply = ask(Command::region_write, access(0, 0x100, 4, data));
  EXPECT_EQ(reply->payload, access(0, 0x100, 4)) << "32 bytes in all, without data";
  EXPECT_EQ(hex(read(0, 0x0fe, 8)), "00 00 01 02 03 04 00 00");
  EXPECT_EQ(hex(read(kRegionConfig, 0, 4)), "34 12 78 56");
  EXPECT_TRUE(read(0, 0, 0).empty());
}

TEST_F(SessionTest, WhatIsNotThereReadsAsOnesAndIgnoresWrites) {
  negotiate();
  for (const std::uint32_t region : {1u, 5u, 6u, 8u, 9u, ~0u}) {
    EXPECT_EQ(hex(read(region, 0, 2)), "ff ff") << region;
    EXPECT_EQ(error_of(Command::region_write, access(region, 0, 2, Bytes(2))), 0) << region;
  }
  EXPECT_EQ(hex(read(0, ScratchFunction::kBarSize, 2)), "ff ff");
  EXPECT_EQ(hex(read(0, ~std::uint64_t{0}, 2)), "ff ff");
  EXPECT_EQ(hex(read(kRegionConfig, 255, 2)), "00 ff") << "the part inside is answered";
  EXPECT_EQ(hex(read(kRegionConfig, std::uint64_t{1} << 32, 2)), "ff ff");
  EXPECT_EQ(error_of(Command::region_write, access(kRegionConfig, 255, 2, Bytes(2))), 0);
  EXPECT_EQ(error_of(Command::region_write, access(kRegionConfig, ~std::uint64_t{0}, 2, Bytes(2))), 0);
}

TEST_F(SessionTest, APostedWriteIsDoneAndNeverAnswered) {
  negotiate();
  EXPECT_FALSE(ask(Command::region_write, access(0, 0x40, 8, Bytes(8, std::byte{9})), Header::kNoReply));
  EXPECT_EQ(function.writes.back(), std::pair(std::uint64_t{0x40}, std::size_t{8}));
  EXPECT_FALSE(ask(Command::region_write, access(0, 0x40, 8, Bytes(3)), Header::kNoReply))
      << "not even a malformed one";
  EXPECT_FALSE(ask(Command::region_read, access(0, 0x40, 8), Header::kNoReply));
}

TEST_F(SessionTest, ADmaUnmapIsEchoedWhateverItNames) {
  negotiate();
  const auto request = DmaUnmap{.address = 0x1000, .size = 0x2000}.packed();
  const auto reply = ask(Command::dma_unmap, request);
  EXPECT_EQ(reply->header.size, 40u);
  EXPECT_EQ(hex(reply->payload), hex(request));
}

TEST_F(SessionTest, UnmapAllEmptiesTheMemory) {
  negotiate();
  ASSERT_EQ(error_of(Command::dma_map, DmaMap{.flags = 1, .address = 0, .size = 4096}.packed()), 0);
  EXPECT_EQ(error_of(Command::dma_map, DmaMap{.flags = 1, .address = 0, .size = 4096}.packed()), EEXIST);
  ASSERT_EQ(error_of(Command::dma_unmap, DmaUnmap{.flags = DmaUnmap::kAll}.packed()), 0);
  EXPECT_EQ(error_of(Command::dma_map, DmaMap{.flags = 1, .address = 0, .size = 4096}.packed()), 0);
}

TEST_F(SessionTest, ResetIsPossibleAtAnyTimeAndForgetsPendingMessages) {
  negotiate();
  lines.send_message(4);
  EXPECT_EQ(hex(read(0, ScratchFunction::kPba, 1)), "10") << "the Pending Bit Array is read from us";
  EXPECT_EQ(error_of(Command::device_reset, {}), 0);
  EXPECT_EQ(function.resets, 1u);
  EXPECT_EQ(hex(read(0, ScratchFunction::kPba, 1)), "00");
}

TEST_F(SessionTest, OptionalCommandsAreNotSupported) {
  negotiate();
  for (const int number : {0, 6, 11, 12, 14, 15, 16, 17, 18, 19, 0xffff}) {
    EXPECT_EQ(error_of(Command{static_cast<std::uint16_t>(number)}, Bytes(64)), ENOTSUP) << number;
    EXPECT_EQ(verdict, Verdict::go_on);
  }
}

TEST_F(SessionTest, TruncatedRequestsAreInvalid) {
  negotiate();
  for (const Command command :
       {Command::dma_map, Command::dma_unmap, Command::device_get_info, Command::device_get_region_info,
        Command::device_get_irq_info, Command::device_set_irqs, Command::region_read, Command::region_write}) {
    EXPECT_EQ(error_of(command, Bytes(12)), EINVAL) << name(command);
  }
  EXPECT_EQ(error_of(Command::region_read, access(0, 0, kMaxDataSize + 1)), EINVAL);
  EXPECT_EQ(error_of(Command::region_write, access(0, 0, 8, Bytes(4))), EINVAL) << "less data than announced";
  EXPECT_EQ(error_of(Command::device_get_info, DeviceInfo{.argsz = 15}.packed()), EINVAL);
  EXPECT_EQ(error_of(Command::device_get_info, DeviceInfo{.argsz = 32}.packed()), 0) << "as Cloud Hypervisor asks";
  EXPECT_EQ(error_of(Command::device_set_irqs, IrqSet{.index = 5}.packed()), EINVAL);
}

TEST_F(SessionTest, RepliesAndUnknownMessageTypesAskForNothing) {
  negotiate();
  EXPECT_FALSE(ask(Command::dma_read, {}, Header::kTypeReply));
  EXPECT_EQ(error_of(Command::device_get_info, DeviceInfo{}.packed(), 2), EINVAL);
}

}  // namespace
}  // namespace periplex::vfio_user
