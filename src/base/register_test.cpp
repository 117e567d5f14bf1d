// SPDX-License-Identifier: Apache-2.0
#include "base/register.hpp"

#include <gtest/gtest.h>

namespace periplex {
namespace {

constexpr Field kReadOnly = bits("RO", 3, 0, Access::RO);
constexpr Field kReadWrite = bits("RW", 11, 4, Access::RW);
constexpr Field kClear = bit("CLR", 12, Access::RW1C);
constexpr Field kSet = bit("SET", 13, Access::RW1S);
constexpr Register kSample{"SAMPLE", 0x10, 4, 0x0000'1005, {kReadOnly, kReadWrite, kClear, kSet}};

static_assert(kSample.mask(Access::RW) == 0xff0);
static_assert(kReadWrite.get(0x0000'0ab5) == 0xab);
static_assert(kReadWrite.set(0x5, 0x1cd) == 0xcd5);

TEST(Register, WriteKeepsReadOnlyAndReservedBits) {
  EXPECT_EQ(kSample.merge(0x1005, 0xffff'cfff), 0x1ff5u);
}

TEST(Register, WritingOneClearsAndWritingZeroDoesNot) {
  EXPECT_EQ(kSample.merge(0x1005, 0x0000), 0x1005u);
  EXPECT_EQ(kSample.merge(0x1005, 0x1000), 0x0005u);
}

TEST(Register, LanesLimitTheWrite) {
  EXPECT_EQ(kSample.merge(0x1005, 0xffff, 0xff), 0x10f5u) << "only the low byte was written";
}

TEST(Register, DescribesItselfWithTheManualsNames) {
  EXPECT_EQ(kSample.describe(0x1ab0), "SAMPLE=0x00001ab0 RW=0xab CLR=0x1");
}

}  // namespace
}  // namespace periplex
