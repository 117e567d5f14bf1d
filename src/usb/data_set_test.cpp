// SPDX-License-Identifier: Apache-2.0
#include "usb/data_set.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"

namespace periplex::usb {
namespace {

using guest::GuestAddress;

class DataSetTest : public ::testing::TestWithParam<Holding> {
 protected:
  std::unique_ptr<guest::Memory> memory = guest::testing::make_ram(0x10000);
};

TEST_P(DataSetTest, GathersDeviceBoundPiecesInOrder) {
  ASSERT_TRUE(memory->write(GuestAddress(0x100), as_bytes("hello ")));
  ASSERT_TRUE(memory->write(GuestAddress(0x5000), as_bytes("world")));
  DataSet set;
  set.add(GuestAddress(0x100), 6);
  set.add(GuestAddress(0x5000), 5);
  const auto data = set.gather(*memory, Direction::out, GetParam());
  ASSERT_TRUE(data);
  EXPECT_EQ(as_text(data->copy(100)), "hello world");
}

TEST_P(DataSetTest, ScattersWhatTheDeviceGaveAndNothingMore) {
  DataSet set;
  set.add(GuestAddress(0x100), 4);
  set.add(GuestAddress(0x200), 4);
  auto data = set.gather(*memory, Direction::in, GetParam());
  ASSERT_TRUE(data);
  EXPECT_EQ(data->write(0, as_bytes("abcdef")), 6u);
  ASSERT_TRUE(set.scatter(*memory, *data, 6, GetParam()));
  EXPECT_EQ(memory->read<std::uint32_t>(GuestAddress(0x100)), 0x64636261u);
  EXPECT_EQ(memory->read<std::uint32_t>(GuestAddress(0x200)), 0x00006665u);
  EXPECT_EQ(set.portion(0, 6).moved, 4u);
  EXPECT_FALSE(set.portion(0, 6).is_short());
  EXPECT_EQ(set.portion(1, 6).residual(), 2u);
  EXPECT_EQ(set.portion(1, 3).moved, 0u);
}

TEST_P(DataSetTest, APieceOutsideMemoryIsAFaultBeforeAnythingMoves) {
  DataSet set;
  set.add(GuestAddress(0x100), 4);
  set.add(GuestAddress(0xffff), 4);
  EXPECT_FALSE(set.gather(*memory, Direction::in, GetParam()));
  EXPECT_FALSE(set.gather(*memory, Direction::out, GetParam()));
}

TEST_P(DataSetTest, ImmediateBytesTravelAsACopy) {
  DataSet set;
  set.add_immediate(as_bytes("imm"));
  const auto data = set.gather(*memory, Direction::out, GetParam());
  ASSERT_TRUE(data);
  EXPECT_EQ(as_text(data->copy(8)), "imm");
}

TEST_P(DataSetTest, AnEmptySetIsATransferWithoutData) {
  const DataSet set;
  EXPECT_EQ(set.gather(*memory, Direction::in, GetParam())->size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Holdings, DataSetTest, ::testing::Values(Holding::copied, Holding::pinned));

}  // namespace
}  // namespace periplex::usb
