// SPDX-License-Identifier: Apache-2.0
#include "pci/config_space.hpp"

#include <gtest/gtest.h>

namespace periplex::pci {
namespace {

class ConfigSpaceTest : public ::testing::Test {
 protected:
  std::uint32_t read(std::uint32_t offset, std::size_t size = 4) {
    std::uint32_t value = 0;
    config.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), size));
    return value;
  }
  void write(std::uint32_t offset, std::uint32_t value, std::size_t size = 4) {
    config.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), size));
  }

  ConfigSpace config{{.vendor_id = 0x1234, .device_id = 0x5678, .revision_id = 1, .class_code = 0x0c0330}};
};

TEST_F(ConfigSpaceTest, ShowsItsIdentityAtEveryWidth) {
  EXPECT_EQ(read(0), 0x5678'1234u);
  EXPECT_EQ(read(2, 2), 0x5678u);
  EXPECT_EQ(read(0xb, 1), 0x0cu);
  write(0, 0);
  EXPECT_EQ(read(0), 0x5678'1234u) << "the identity is read only";
}

TEST_F(ConfigSpaceTest, ABarTellsItsSizeWhenWrittenWithOnes) {
  config.add_bar({0, BarKind::memory64, 0x4000});
  write(0x10, ~0u);
  write(0x14, ~0u);
  EXPECT_EQ(read(0x10), 0xffff'c004u);
  EXPECT_EQ(read(0x14), 0xffff'ffffu);
  write(0x10, 0xfebf'1234);
  EXPECT_EQ(read(0x10), 0xfebf'0004u) << "bits below the size are hardwired";
}

TEST_F(ConfigSpaceTest, AnIoBarSaysSo) {
  config.add_bar({4, BarKind::io, 0x20});
  write(0x20, ~0u);
  EXPECT_EQ(read(0x20), 0xffff'ffe1u);
}

TEST_F(ConfigSpaceTest, AnAbsentBarReadsZero) {
  write(0x18, ~0u);
  EXPECT_EQ(read(0x18), 0u);
  write(0x30, ~0u);
  EXPECT_EQ(read(0x30), 0u) << "no expansion ROM";
}

TEST_F(ConfigSpaceTest, CapabilitiesAreChained) {
  static constexpr Register kHeader{"CAP", 0, 4, 0, {bits("ID", 7, 0, Access::RO)}};
  const auto first = config.add_capability(0x01, kHeader, 8);
  const auto second = config.add_capability(0x11, kHeader, 12);
  EXPECT_EQ(read(0x34, 1), first.offset);
  EXPECT_EQ(read(first.offset, 2), second.offset << 8 | 0x01);
  EXPECT_EQ(read(second.offset, 2), 0x0011u);
  EXPECT_EQ(read(0x06, 2) & 0x10, 0x10u) << "Status.Capabilities List";
  config.reset();
  EXPECT_EQ(read(0x34, 1), first.offset) << "the list survives a reset";
}

TEST_F(ConfigSpaceTest, CommandKeepsOnlyItsWritableBits) {
  write(0x04, 0xffff, 2);
  EXPECT_EQ(read(0x04, 2), 0x0547u);
  EXPECT_TRUE(config.interrupt_disabled());
  EXPECT_TRUE(config.bus_master());
}

}  // namespace
}  // namespace periplex::pci
