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

class MsiFunction final : public Function {
 public:
  explicit MsiFunction(guest::Interrupts& interrupts) : Function({.vendor_id = 1}, interrupts) { add_msi(); }

 private:
  void reset_model() override {}
};

class MsiTest : public ::testing::Test {
 protected:
  void write(std::uint32_t offset, std::uint32_t value) {
    function.config_write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), 4));
  }
  std::uint32_t read(std::uint32_t offset) {
    std::uint32_t value = 0;
    function.config_read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), 4));
    return value;
  }
  void enable(bool on) { write(0x40, on ? 0x1'0000 : 0); }

  guest::testing::RecordedInterrupts interrupts;
  MsiFunction function{interrupts};
};

TEST_F(MsiTest, ACapabilityForOneMessageToA64BitAddressIsStorage) {
  EXPECT_EQ(read(0x34) & 0xff, 0x40u);
  EXPECT_EQ(read(0x40), 0x0080'0005u);
  write(0x44, 0xfee0'1003);
  write(0x48, 1);
  write(0x4c, 0xffff'4021);
  EXPECT_EQ(read(0x44), 0xfee0'1000u);
  EXPECT_EQ(read(0x48), 1u);
  EXPECT_EQ(read(0x4c), 0x4021u);
  EXPECT_EQ(function.msi_vectors(), 1u);
  EXPECT_EQ(function.msix_vectors(), 0u);
}

TEST_F(MsiTest, TheRisingLevelIsOneMessageAndThePinStaysQuiet) {
  enable(true);
  function.set_pin(true);
  function.set_pin(true);
  EXPECT_EQ(interrupts.count(0), 1u);
  EXPECT_FALSE(interrupts.pin);
  function.set_pin(false);
  EXPECT_EQ(interrupts.count(0), 1u);
  function.set_pin(true);
  EXPECT_EQ(interrupts.count(0), 2u);
}

TEST_F(MsiTest, WhatIsPendingGoesTheNewWayWhenTheGuestSwitches) {
  function.set_pin(true);
  EXPECT_EQ(interrupts.count(0), 0u);
  enable(true);
  EXPECT_EQ(interrupts.count(0), 1u);
  EXPECT_FALSE(interrupts.pin);
  enable(false);
  EXPECT_TRUE(interrupts.pin);
  EXPECT_EQ(interrupts.count(0), 1u);
}

TEST_F(MsiTest, AResetDisablesIt) {
  enable(true);
  function.set_pin(true);
  function.reset();
  EXPECT_FALSE(function.message_signalled());
  function.set_pin(true);
  EXPECT_TRUE(interrupts.pin);
  EXPECT_EQ(interrupts.count(0), 1u);
}

}  // namespace
}  // namespace periplex::pci
