// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_keyboard.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "usb/device/testing/hid_bench.hpp"

namespace periplex::usb::device {
namespace {

constexpr KeyUsage kA{0x04};
constexpr KeyUsage kB{0x05};
constexpr std::uint16_t kOutputReport = 0x0200;
const std::string kNothing = "00 00 00 00 00 00 00 00";

SetupPacket set_report(std::uint16_t length) {
  return {.request_type = 0x21, .request = 9, .value = kOutputReport, .length = length};
}

class HidKeyboardTest : public ::testing::Test {
 protected:
  HidKeyboardTest() { bench.configure(); }
  void tap(KeyUsage key) {
    ASSERT_TRUE(keyboard.press(key));
    keyboard.release(key);
  }

  testing::HidBench<HidKeyboard> bench;
  HidKeyboard& keyboard = *bench.device;
};

TEST_F(HidKeyboardTest, APendingTransferGetsThePress) {
  const TransferId pending = bench.poll();
  EXPECT_EQ(bench.report(pending), "-");
  ASSERT_TRUE(keyboard.press(kA));
  EXPECT_EQ(bench.report(pending), "00 00 04 00 00 00 00 00");
}

TEST_F(HidKeyboardTest, EachPendingTransferGetsOneReportInOrder) {
  const TransferId first = bench.poll();
  const TransferId second = bench.poll();
  tap(kA);
  tap(kB);
  EXPECT_EQ(bench.report(first), "00 00 04 00 00 00 00 00");
  EXPECT_EQ(bench.report(second), "-") << "two reports come no closer together than the endpoint's interval";
  bench.time.advance(std::chrono::milliseconds(8));
  EXPECT_EQ(bench.report(second), kNothing);
  EXPECT_EQ(bench.drain(), (std::vector<std::string>{"00 00 05 00 00 00 00 00", kNothing}));
}

TEST_F(HidKeyboardTest, AThousandKeysWaitForASlowGuest) {
  for (int i = 0; i < 1000; ++i) tap(KeyUsage(static_cast<std::uint8_t>(4 + i % 26)));
  const auto reports = bench.drain();
  ASSERT_EQ(reports.size(), 2000u);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(reports[2 * i], fmt::format("00 00 {:02x} 00 00 00 00 00", 4 + i % 26));
    EXPECT_EQ(reports[2 * i + 1], kNothing);
  }
}

TEST_F(HidKeyboardTest, ModifiersAreBits) {
  ASSERT_TRUE(keyboard.press(kLeftShift));
  ASSERT_TRUE(keyboard.press(KeyUsage(0xe7)));
  ASSERT_TRUE(keyboard.press(kA));
  EXPECT_EQ(bench.drain().back(), "82 00 04 00 00 00 00 00");
  keyboard.release(kLeftShift);
  EXPECT_EQ(bench.drain().back(), "80 00 04 00 00 00 00 00");
  keyboard.release_all();
  EXPECT_EQ(bench.drain().back(), kNothing);
}

TEST_F(HidKeyboardTest, SixKeysFitAndASeventhIsAPhantom) {
  for (std::uint8_t i = 0; i < 6; ++i) ASSERT_TRUE(keyboard.press(KeyUsage(static_cast<std::uint8_t>(4 + i))));
  EXPECT_EQ(bench.drain().back(), "00 00 04 05 06 07 08 09");
  ASSERT_TRUE(keyboard.press(KeyUsage(10)));
  ASSERT_TRUE(keyboard.press(KeyUsage(11)));
  EXPECT_EQ(bench.drain(), std::vector<std::string>{"00 00 01 01 01 01 01 01"}) << "an eighth changes nothing";
  ASSERT_TRUE(keyboard.press(kLeftShift));
  EXPECT_EQ(bench.drain().back(), "02 00 01 01 01 01 01 01");
  keyboard.release(KeyUsage(4));
  keyboard.release(KeyUsage(10));
  EXPECT_EQ(bench.drain(), std::vector<std::string>{"02 00 05 06 07 08 09 0b"});
}

TEST_F(HidKeyboardTest, WhatChangesNothingIsNotReported) {
  ASSERT_TRUE(keyboard.press(kA));
  ASSERT_TRUE(keyboard.press(kA));
  keyboard.release(kB);
  EXPECT_EQ(bench.drain().size(), 1u);
}

TEST_F(HidKeyboardTest, UsagesThatAreNoKeysAreRefused) {
  for (const unsigned value : {0x00u, 0x01u, 0x03u, 0xdeu, 0xe8u, 0xffu}) {
    const auto usage = static_cast<std::uint8_t>(value);
    EXPECT_FALSE(keyboard.press(KeyUsage(usage))) << value;
    keyboard.release(KeyUsage(usage));
  }
  EXPECT_TRUE(bench.drain().empty());
}

TEST_F(HidKeyboardTest, WithNobodyListeningPressesAreRefused) {
  keyboard.reset();
  EXPECT_FALSE(keyboard.press(kA));
  EXPECT_EQ(keyboard.room(), 0u);
  keyboard.release(kA);
  bench.configure();
  EXPECT_TRUE(bench.drain().empty());
}

TEST_F(HidKeyboardTest, AFullQueueRefusesPressesButNoReleases) {
  std::size_t presses = 0;
  while (keyboard.press(kA)) {
    ++presses;
    if (keyboard.room() == 0) break;
    keyboard.release(kA);
  }
  EXPECT_EQ(keyboard.room(), 0u);
  EXPECT_FALSE(keyboard.press(kB));
  keyboard.release_all();
  const auto reports = bench.drain();
  EXPECT_EQ(reports.size(), 2 * presses);
  EXPECT_EQ(reports.back(), kNothing) << "no key is stuck";
  EXPECT_EQ(keyboard.room(), HidKeyboard::kMaxReports);
}

TEST_F(HidKeyboardTest, AHeldKeySurvivesAReset) {
  ASSERT_TRUE(keyboard.press(kLeftShift));
  ASSERT_TRUE(keyboard.press(kA));
  keyboard.reset();
  keyboard.release(kA);
  bench.configure();
  EXPECT_EQ(bench.drain(), std::vector<std::string>{"02 00 00 00 00 00 00 00"});
}

TEST_F(HidKeyboardTest, ANewConfigurationForgetsWhatWasTypedForTheOldOne) {
  tap(kA);
  bench.configure();
  EXPECT_TRUE(bench.drain().empty());
}

TEST_F(HidKeyboardTest, GetReportTellsTheState) {
  ASSERT_TRUE(keyboard.press(kA));
  EXPECT_EQ(bench.ask({.request_type = 0xa1, .request = 1, .value = 0x0100, .length = 8}), "00 00 04 00 00 00 00 00");
  EXPECT_EQ(bench.ask({.request_type = 0xa1, .request = 1, .value = 0x0100, .length = 3}), "00 00 04");
  EXPECT_EQ(bench.drain().size(), 1u) << "the report itself still comes";
}

TEST_F(HidKeyboardTest, LightsFollowTheGuest) {
  std::vector<KeyboardLeds> changes;
  keyboard.set_on_leds([&](KeyboardLeds leds) { changes.push_back(leds); });
  EXPECT_EQ(bench.ask(set_report(1), Bytes{std::byte{0x02}}), "");
  EXPECT_EQ(bench.ask(set_report(1), Bytes{std::byte{0xe2}}), "") << "padding is ignored";
  EXPECT_EQ(keyboard.leds(), (KeyboardLeds{.caps_lock = true}));
  EXPECT_EQ(changes.size(), 1u);
  EXPECT_EQ(bench.ask({.request_type = 0xa1, .request = 1, .value = kOutputReport, .length = 8}), "02");
  keyboard.reset();
  EXPECT_EQ(keyboard.leds(), KeyboardLeds{});
  EXPECT_EQ(changes.size(), 2u);
}

TEST_F(HidKeyboardTest, OutputReportsOfAnotherLengthAreRefused) {
  EXPECT_EQ(bench.ask(set_report(0)), "stall");
  EXPECT_EQ(bench.ask(set_report(2), Bytes(2)), "stall");
  EXPECT_EQ(bench.ask(set_report(1)), "stall") << "no data came";
  EXPECT_EQ(keyboard.leds(), KeyboardLeds{});
}

}  // namespace
}  // namespace periplex::usb::device
