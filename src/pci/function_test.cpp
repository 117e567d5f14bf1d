// SPDX-License-Identifier: Apache-2.0
#include "pci/function.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"

namespace periplex::pci {
namespace {

class Scratch final : public BarModel {
 public:
  void read(std::uint64_t offset, MutableByteView out) override {
    for (std::byte& byte : out) byte = std::byte(offset++);
  }
  void write(std::uint64_t offset, ByteView in) override { writes.emplace_back(offset, in.size()); }
  std::vector<std::pair<std::uint64_t, std::size_t>> writes;
};

class SampleFunction final : public Function {
 public:
  explicit SampleFunction(guest::Interrupts& interrupts) : Function({.vendor_id = 1}, interrupts) {
    add_bar({0, BarKind::memory32, 0x1000}, scratch);
    add_msix(4, 0, 0x800, 0xc00);
  }
  Scratch scratch;
  unsigned resets = 0;
  unsigned mode_changes = 0;

 private:
  void reset_model() override { ++resets; }
  void interrupt_mode_changed() override { ++mode_changes; }
};

class FunctionTest : public ::testing::Test {
 protected:
  void enable_msix(bool on) {
    const std::uint16_t control = on ? 0x8000 : 0;
    function.config_write(0x42, ByteView(reinterpret_cast<const std::byte*>(&control), 2));
  }
  std::uint32_t bar(std::uint64_t offset) {
    std::uint32_t value = 0;
    function.bar_read(0, offset, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
    return value;
  }

  guest::testing::RecordedInterrupts interrupts;
  SampleFunction function{interrupts};
};

TEST_F(FunctionTest, AccessesOutsideABarReadOnes) {
  EXPECT_EQ(bar(0x1000), 0xffff'ffffu);
  EXPECT_EQ(bar(0xffe), 0xffff'fffeu) << "the part inside is answered by the model";
  std::uint32_t value = 0;
  function.bar_read(9, 0, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
  EXPECT_EQ(value, 0xffff'ffffu);
}

TEST_F(FunctionTest, TheMsixTableIsStorageAndStartsMasked) {
  EXPECT_EQ(bar(0x80c), 1u);
  const std::uint32_t address = 0xfee0'0000;
  function.bar_write(0, 0x800, ByteView(reinterpret_cast<const std::byte*>(&address), 4));
  EXPECT_EQ(bar(0x800), address);
  EXPECT_TRUE(function.scratch.writes.empty());
}

TEST_F(FunctionTest, ThePinIsQuietWhileMessagesAreEnabled) {
  function.set_pin(true);
  EXPECT_TRUE(interrupts.pin);
  enable_msix(true);
  EXPECT_FALSE(interrupts.pin);
  EXPECT_EQ(function.mode_changes, 1u);
  enable_msix(false);
  EXPECT_TRUE(interrupts.pin);
}

TEST_F(FunctionTest, ResetReturnsEverythingToPowerOn) {
  enable_msix(true);
  function.set_pin(true);
  function.reset();
  EXPECT_FALSE(function.message_signalled());
  EXPECT_FALSE(interrupts.pin);
  EXPECT_EQ(function.resets, 1u);
}

}  // namespace
}  // namespace periplex::pci
