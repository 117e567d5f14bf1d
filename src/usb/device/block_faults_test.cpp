// SPDX-License-Identifier: Apache-2.0
#include "usb/device/block_faults.hpp"

#include <gtest/gtest.h>

#include "usb/device/testing/fake_block.hpp"

namespace periplex::usb::device {
namespace {

using testing::FakeBlock;

BlockRequest request(BlockOperation operation, MutableByteView& data, std::uint64_t lba) {
  return {operation, lba * 512, data.size(), {&data, 1}};
}

TEST(BlockFaults, OnlyReadsThatReachABadBlockFail) {
  auto inner = std::make_unique<FakeBlock>(64);
  std::ranges::fill(inner->content, std::byte{5});
  BlockFaults faults(std::move(inner), {{10, 2}, {63, 100}});
  Bytes data(4 * 512);
  MutableByteView view = data;
  EXPECT_TRUE(std::get<BlockResult>(faults.start(request(BlockOperation::read, view, 6), nullptr)));
  EXPECT_TRUE(std::get<BlockResult>(faults.start(request(BlockOperation::read, view, 12), nullptr)));
  EXPECT_TRUE(std::get<BlockResult>(faults.start(request(BlockOperation::write, view, 9), nullptr)));
  std::ranges::fill(data, std::byte{0});
  const auto result = std::get<BlockResult>(faults.start(request(BlockOperation::read, view, 8), nullptr));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().error, BlockError::medium_error);
  EXPECT_EQ(result.error().offset, 10u * 512);
  EXPECT_EQ(data[2 * 512 - 1], std::byte{5}) << "what stands before the bad block is read";
  EXPECT_EQ(data[2 * 512], std::byte{0});
  EXPECT_FALSE(std::get<BlockResult>(faults.start(request(BlockOperation::read, view, 60), nullptr)));
}

TEST(BlockFaults, ASlowMediumFailsLater) {
  auto inner = std::make_unique<FakeBlock>(64);
  FakeBlock& medium = *inner;
  medium.slow = true;
  BlockFaults faults(std::move(inner), {{10, 1}});
  Bytes data(4 * 512);
  MutableByteView view = data;
  std::optional<BlockResult> seen;
  const auto start =
      faults.start(request(BlockOperation::read, view, 8), [&](const BlockResult& result) { seen = result; });
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<BlockClaim>>(start));
  EXPECT_FALSE(seen);
  EXPECT_TRUE(medium.complete_next());
  ASSERT_TRUE(seen);
  EXPECT_FALSE(*seen);
}

}  // namespace
}  // namespace periplex::usb::device
