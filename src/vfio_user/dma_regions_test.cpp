// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/dma_regions.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "vfio_user/shared_ram.hpp"

namespace periplex::vfio_user {
namespace {

using guest::GuestAddress;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kReadWrite = DmaMap::kReadable | DmaMap::kWriteable;

class DmaRegionsTest : public ::testing::Test {
 protected:
  std::expected<void, std::errc> map(std::uint64_t address, std::uint64_t size, std::uint64_t offset = 0,
                                     std::uint32_t flags = kReadWrite) {
    return regions.map({.flags = flags, .offset = offset, .address = address, .size = size},
                       UniqueFd(::fcntl(ram.fd(), F_DUPFD_CLOEXEC, 0)));
  }
  std::expected<void, std::errc> map_without_fd(std::uint64_t address, std::uint64_t size, std::uint32_t flags) {
    return regions.map({.flags = flags, .address = address, .size = size}, UniqueFd());
  }

  SharedRam ram{4 * kMiB};
  guest::Memory memory;
  DmaRegions regions{memory};
};

TEST_F(DmaRegionsTest, ARegionIsTheClientsMemory) {
  ASSERT_TRUE(map(0x10'0000, kMiB, 2 * kMiB));
  ram.bytes()[2 * kMiB + 5] = std::byte{0x42};
  EXPECT_EQ(memory.read<std::uint8_t>(GuestAddress(0x10'0005)), 0x42);
  ASSERT_TRUE(memory.write<std::uint8_t>(GuestAddress(0x10'0006), 0x43));
  EXPECT_EQ(ram.bytes()[2 * kMiB + 6], std::byte{0x43});
}

TEST_F(DmaRegionsTest, AFileIsMappedOnceHoweverOftenItsRegionsComeAndGo) {
  ASSERT_TRUE(map(0, kMiB));
  const std::byte* const first = memory.pin(GuestAddress(0), 1, guest::Intent::read)->spans()[0].data();
  for (unsigned i = 0; i < 1000; ++i) {
    ASSERT_TRUE(map(kMiB, kMiB, kMiB));
    ASSERT_TRUE(regions.unmap(kMiB, kMiB));
    ASSERT_TRUE(regions.unmap(0, kMiB));
    ASSERT_TRUE(map(0, kMiB));
  }
  EXPECT_EQ(regions.files(), 1u);
  EXPECT_EQ(memory.pin(GuestAddress(0), 1, guest::Intent::read)->spans()[0].data(), first);
}

TEST_F(DmaRegionsTest, ReadOnlyAndWritableRegionsOfOneFileShareItsMapping) {
  ASSERT_TRUE(map(0, kMiB));
  ASSERT_TRUE(map(kMiB, kMiB, kMiB, DmaMap::kReadable));
  EXPECT_EQ(regions.files(), 1u);
  EXPECT_EQ(memory.write<std::uint8_t>(GuestAddress(kMiB), 1).error(), guest::Fault::not_writable);
}

TEST_F(DmaRegionsTest, OverlapsAreRefusedWithEexist) {
  ASSERT_TRUE(map(kMiB, kMiB));
  EXPECT_EQ(map(kMiB, kMiB).error(), std::errc::file_exists);
  EXPECT_EQ(map(0, kMiB + 8).error(), std::errc::file_exists);
  EXPECT_EQ(map(2 * kMiB - 8, 16).error(), std::errc::file_exists);
  EXPECT_EQ(map_without_fd(kMiB + 4096, 4096, DmaMap::kReadable).error(), std::errc::file_exists);
  EXPECT_TRUE(map(2 * kMiB, kMiB));
}

TEST_F(DmaRegionsTest, ARegionCannotLieBehindTheFilesEnd) {
  EXPECT_EQ(map(0, 5 * kMiB).error(), std::errc::invalid_argument);
  EXPECT_EQ(map(0, 8, 4 * kMiB).error(), std::errc::invalid_argument);
  EXPECT_EQ(map(0, kMiB, ~std::uint64_t{0} - 7).error(), std::errc::invalid_argument) << "offset + size wraps";
  EXPECT_EQ(map(0, 0).error(), std::errc::invalid_argument);
  EXPECT_EQ(map(~std::uint64_t{0} - 7, kMiB).error(), std::errc::invalid_argument) << "leaves the address space";
  EXPECT_TRUE(map(0, 4 * kMiB));
}

TEST_F(DmaRegionsTest, AFileThatHasGrownIsMappedAnew) {
  ASSERT_TRUE(map(0, 4 * kMiB));
  ASSERT_EQ(::ftruncate(ram.fd(), 8 * kMiB), 0);
  ASSERT_TRUE(map(4 * kMiB, 4 * kMiB, 4 * kMiB));
  ASSERT_TRUE(memory.write<std::uint8_t>(GuestAddress(8 * kMiB - 1), 1));
  EXPECT_EQ(regions.files(), 2u);
}

TEST_F(DmaRegionsTest, WordsThatAreAlignedForTheGuestAreAlignedForUs) {
  EXPECT_EQ(map(0, 4096, 2).error(), std::errc::invalid_argument);
}

TEST_F(DmaRegionsTest, WhatIsNoRegularFileIsRefused) {
  const auto map_fd = [&](UniqueFd fd) { return regions.map({.flags = kReadWrite, .size = 4096}, std::move(fd)); };
  EXPECT_FALSE(map_fd(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  EXPECT_FALSE(map_fd(UniqueFd(::open("/", O_RDONLY | O_CLOEXEC))));
  EXPECT_EQ(memory.regions(), 0u);
}

TEST_F(DmaRegionsTest, ARegionWithoutADescriptorIsRememberedButNoMemory) {
  ASSERT_TRUE(map_without_fd(0xc0000, 0x20000, DmaMap::kReadable));
  EXPECT_FALSE(memory.read<std::uint8_t>(GuestAddress(0xc0000)));
  EXPECT_TRUE(regions.unmap(0xc0000, 0x20000));
  EXPECT_EQ(map_without_fd(0, 4096, DmaMap::kReadable | DmaMap::kAccessMmap).error(), std::errc::invalid_argument);
}

TEST_F(DmaRegionsTest, OnlyTheExactRegionIsUnmapped) {
  ASSERT_TRUE(map(0, kMiB));
  EXPECT_FALSE(regions.unmap(0, 4096));
  EXPECT_FALSE(regions.unmap(4096, kMiB));
  EXPECT_FALSE(regions.unmap(kMiB, kMiB));
  EXPECT_TRUE(regions.unmap(0, kMiB));
  EXPECT_EQ(memory.regions(), 0u);
}

TEST_F(DmaRegionsTest, SaysOnceWhichOptionIsMissingWhenRamIsNotShared) {
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(map_without_fd(0xe0000, 0x20000, DmaMap::kReadable));
  ASSERT_TRUE(map_without_fd(0xfd00'0000, 16 * kMiB, kReadWrite));
  ASSERT_TRUE(map_without_fd(0, 0xa0000, kReadWrite));
  ASSERT_TRUE(map_without_fd(0x10'0000, 128 * kMiB, kReadWrite));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_NE(said.find("memory-backend-memfd"), std::string::npos) << said;
  EXPECT_NE(said.find("share=on"), std::string::npos) << said;
}

TEST_F(DmaRegionsTest, PinnedMemoryOutlivesItsRegionAndItsClient) {
  ASSERT_TRUE(map(0, kMiB));
  const auto pinned = memory.pin(GuestAddress(64), 4, guest::Intent::write);
  regions.clear();
  EXPECT_EQ(memory.regions(), 0u);
  EXPECT_EQ(regions.files(), 0u);
  pinned->spans()[0][0] = std::byte{7};
  EXPECT_EQ(ram.bytes()[64], std::byte{7});
}

TEST_F(DmaRegionsTest, OfFilesThatAreNotUsedOnlyAFewAreKept) {
  for (unsigned i = 0; i < 200; ++i) {
    const SharedRam other(4096);
    ASSERT_TRUE(regions.map({.flags = kReadWrite, .size = 4096}, UniqueFd(::fcntl(other.fd(), F_DUPFD_CLOEXEC, 0))));
    ASSERT_TRUE(regions.unmap(0, 4096));
  }
  EXPECT_LE(regions.files(), 40u);
}

}  // namespace
}  // namespace periplex::vfio_user
