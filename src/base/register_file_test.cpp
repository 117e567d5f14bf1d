// SPDX-License-Identifier: Apache-2.0
#include "base/register_file.hpp"

#include <gtest/gtest.h>

namespace periplex {
namespace {

constexpr Field kLow = bits("LOW", 31, 0, Access::RW);
constexpr Register kWord{"WORD", 0x0, 4, 0x1111'1111, {kLow}};
constexpr Field kAll = bits("ALL", 63, 0, Access::RW);
constexpr Register kPointer{"POINTER", 0x8, 8, 0, {kAll}};

class RegisterFileTest : public ::testing::Test {
 protected:
  std::uint64_t read(std::uint64_t offset, std::size_t size) {
    std::uint64_t value = 0;
    file.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), size));
    return value;
  }
  void write(std::uint64_t offset, std::uint64_t value, std::size_t size) {
    file.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), size));
  }

  RegisterFile file{"test", 0x20};
  RegisterCell& word = file.add(kWord, 0);
  RegisterCell& pointer = file.add(kPointer, 0);
};

TEST_F(RegisterFileTest, SubWidthAccessesTouchTheirBytesOnly) {
  write(1, 0xab, 1);
  EXPECT_EQ(read(0, 4), 0x1111'ab11u);
  EXPECT_EQ(read(1, 2), 0x11abu);
}

TEST_F(RegisterFileTest, GapsAndTheSpaceBeyondReadZero) {
  write(4, ~0u, 4);
  write(0x1000, ~0u, 4);
  EXPECT_EQ(read(4, 4), 0u);
  EXPECT_EQ(read(0x1e, 8), 0u);
}

TEST_F(RegisterFileTest, AStraddlingAccessIsCutAtTheRegisterBoundary) {
  write(2, 0x0000'0000'beef, 6);
  EXPECT_EQ(read(0, 4), 0xbeef'1111u);
}

TEST_F(RegisterFileTest, EightBytesAtOnceAreOneWriteAndHalvesAreTwo) {
  std::vector<std::uint64_t> seen;
  pointer.on_write([&](const RegisterWrite& w) { seen.push_back(w.lanes); });
  write(8, 0x1234'5678'9abc'def0, 8);
  EXPECT_EQ(pointer.value(), 0x1234'5678'9abc'def0u);
  write(8, 1, 4);
  write(12, 2, 4);
  EXPECT_EQ(pointer.value(), 0x0000'0002'0000'0001u);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{~0ull, 0xffff'ffffull, 0xffff'ffff'0000'0000ull}));
}

TEST_F(RegisterFileTest, ALiveRegisterIsReadThroughItsHook) {
  word.on_read([] { return 0x42u; });
  EXPECT_EQ(read(0, 4), 0x42u);
}

}  // namespace
}  // namespace periplex
