// SPDX-License-Identifier: Apache-2.0
#include "guest/memory.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"

namespace periplex::guest {
namespace {

using testing::VectorBacking;

TEST(Memory, ReadsAcrossNeighbouringRegions) {
  Memory memory;
  auto backing = std::make_shared<VectorBacking>(0x2000);
  ASSERT_TRUE(memory.map(GuestAddress(0x1000), 0x1000, backing, 0x1000, true));
  ASSERT_TRUE(memory.map(GuestAddress(0x2000), 0x1000, backing, 0, true));
  ASSERT_TRUE(memory.write<std::uint64_t>(GuestAddress(0x1ffc), 0x1122334455667788));
  EXPECT_EQ(memory.read<std::uint64_t>(GuestAddress(0x1ffc)), 0x1122334455667788u);
  EXPECT_EQ(std::to_integer<int>(backing->bytes()[0]), 0x44) << "the second half lies at the start of the backing";
}

TEST(Memory, RefusesWhatIsNotThere) {
  const auto memory = testing::make_ram(0x1000);
  EXPECT_EQ(memory->read<std::uint32_t>(GuestAddress(0xffe)).error(), Fault::unmapped);
  EXPECT_EQ(memory->read<std::uint8_t>(GuestAddress(~0ull)).error(), Fault::unmapped);
  EXPECT_FALSE(memory->pin(GuestAddress(0), 0x1001, Intent::read));
}

TEST(Memory, RefusesWritesToReadOnlyRegions) {
  Memory memory;
  ASSERT_TRUE(memory.map(GuestAddress(0), 0x1000, std::make_shared<VectorBacking>(0x1000), 0, false));
  EXPECT_EQ(memory.write<std::uint8_t>(GuestAddress(0), 1).error(), Fault::not_writable);
  EXPECT_FALSE(memory.pin(GuestAddress(0), 4, Intent::write));
  EXPECT_TRUE(memory.pin(GuestAddress(0), 4, Intent::read));
}

TEST(Memory, RefusesOverlapsWrapsAndRangesOutsideTheBacking) {
  Memory memory;
  auto backing = std::make_shared<VectorBacking>(0x1000);
  ASSERT_TRUE(memory.map(GuestAddress(0x1000), 0x1000, backing, 0, true));
  EXPECT_FALSE(memory.map(GuestAddress(0x1fff), 0x10, backing, 0, true));
  EXPECT_FALSE(memory.map(GuestAddress(0x0), 0x1001, backing, 0, true));
  EXPECT_FALSE(memory.map(GuestAddress(~0ull - 0xf), 0x20, backing, 0, true));
  EXPECT_FALSE(memory.map(GuestAddress(0x8000), 0x10, backing, 0xff8, true));
  EXPECT_FALSE(memory.map(GuestAddress(0x8000), 0, backing, 0, true));
}

TEST(Memory, APinnedRangeOutlivesItsMapping) {
  Memory memory;
  ASSERT_TRUE(memory.map(GuestAddress(0), 0x1000, std::make_shared<VectorBacking>(0x1000), 0, true));
  auto range = memory.pin(GuestAddress(0x10), 0x20, Intent::write);
  ASSERT_TRUE(range);
  ASSERT_TRUE(memory.unmap(GuestAddress(0), 0x1000));
  range->spans()[0][0] = std::byte{1};  // AddressSanitizer would object
  EXPECT_EQ(range->size(), 0x20u);
}

TEST(Memory, NeighbouringPinsBecomeOneSpan) {
  const auto memory = testing::make_ram(0x3000);
  auto range = memory->pin(GuestAddress(0x0), 0x1000, Intent::read).value();
  range.append(memory->pin(GuestAddress(0x1000), 0x800, Intent::read).value());
  range.append(memory->pin(GuestAddress(0x2000), 0x10, Intent::read).value());
  ASSERT_EQ(range.spans().size(), 2u);
  EXPECT_EQ(range.spans()[0].size(), 0x1800u);
  EXPECT_EQ(range.size(), 0x1810u);
}

TEST(Memory, OwnershipWordsMustBeAligned) {
  const auto memory = testing::make_ram(0x1000);
  EXPECT_TRUE(memory->store_release(GuestAddress(4), 7));
  EXPECT_EQ(memory->load_acquire(GuestAddress(4)), 7u);
  EXPECT_FALSE(memory->load_acquire(GuestAddress(2)));
}

}  // namespace
}  // namespace periplex::guest
