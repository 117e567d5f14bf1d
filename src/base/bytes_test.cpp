// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace periplex {
namespace {

TEST(ByteReader, ReadsBothByteOrders) {
  const Bytes bytes = ByteWriter{}.le16(0x1234).be16(0x1234).le32(0xdeadbeef).be64(0x0102030405060708).take();
  EXPECT_EQ(hex(bytes), "34 12 12 34 ef be ad de 01 02 03 04 05 06 07 08");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.le16(), 0x1234);
  EXPECT_EQ(reader.be16(), 0x1234);
  EXPECT_EQ(reader.le32(), 0xdeadbeef);
  EXPECT_EQ(reader.be64(), 0x0102030405060708u);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, FailureIsSticky) {
  const Bytes bytes = ByteWriter{}.u8(1).u8(2).u8(3).take();
  ByteReader reader(bytes);
  EXPECT_EQ(reader.le32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0u) << "a failed reader gives nothing more, even where bytes are left";
}

TEST(ByteWriter, PadsAndCutsText) {
  EXPECT_EQ(as_text(ByteWriter{}.padded_text("ab", 4).view()), "ab  ");
  EXPECT_EQ(as_text(ByteWriter{}.padded_text("abcdef", 4).view()), "abcd");
}

}  // namespace
}  // namespace periplex
