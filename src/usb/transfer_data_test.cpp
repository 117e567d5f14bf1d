// SPDX-License-Identifier: Apache-2.0
#include "usb/transfer_data.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"

namespace periplex::usb {
namespace {

TEST(TransferData, OwnedBytesAreOneSpanEvenAfterAMove) {
  TransferData data = TransferData::owned(Bytes(8, std::byte{7}));
  const TransferData moved = std::move(data);
  ASSERT_EQ(moved.spans().size(), 1u);
  EXPECT_EQ(moved.spans()[0].size(), 8u);
  EXPECT_EQ(moved.spans()[0][0], std::byte{7});
}

TEST(TransferData, WritesAndReadsAcrossSpans) {
  const auto memory = guest::testing::make_ram(0x1000);
  auto range = memory->pin(guest::GuestAddress(0), 3, guest::Intent::write).value();
  range.append(memory->pin(guest::GuestAddress(0x100), 3, guest::Intent::write).value());
  TransferData data = TransferData::pinned(std::move(range));
  EXPECT_EQ(data.size(), 6u);
  EXPECT_EQ(data.write(2, as_bytes("xyz12")), 4u) << "what does not fit is not written";
  Bytes out(3);
  EXPECT_EQ(data.read(2, out), 3u);
  EXPECT_EQ(as_text(out), "xyz");
  EXPECT_EQ(data.read(5, out), 1u);
}

TEST(TransferData, EmptyDataHasNoSpans) {
  EXPECT_TRUE(TransferData{}.spans().empty());
  EXPECT_TRUE(TransferData::room(0).spans().empty());
}

}  // namespace
}  // namespace periplex::usb
