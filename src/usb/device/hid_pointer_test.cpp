// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_pointer.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"
#include "usb/device/testing/hid_bench.hpp"

namespace periplex::usb::device {
namespace {

using Reports = std::vector<std::string>;

class HidTabletTest : public ::testing::Test {
 protected:
  HidTabletTest() { bench.configure(); }
  testing::HidBench<HidTablet> bench;
  HidTablet& tablet = *bench.device;
};

TEST_F(HidTabletTest, PositionsAreExact) {
  for (const int position : {0, 1, 255, 256, 16384, 32766, 32767}) {
    tablet.move_to(position, HidTablet::kMaxPosition - position);
    const int y = HidTablet::kMaxPosition - position;
    EXPECT_EQ(bench.drain(), Reports{fmt::format("00 {:02x} {:02x} {:02x} {:02x} 00 00", position & 0xff, position >> 8,
                                                 y & 0xff, y >> 8)});
  }
}

TEST_F(HidTabletTest, PositionsOutsideAreMovedToTheEdge) {
  tablet.move_to(-5, 40000);
  EXPECT_EQ(bench.drain(), Reports{"00 00 00 ff 7f 00 00"});
}

TEST_F(HidTabletTest, ASlowGuestSeesTheNewestPositionAndEveryClick) {
  for (int i = 0; i < 10000; ++i) tablet.move_to(i, i);
  ASSERT_TRUE(tablet.press(PointerButton::left));
  for (int i = 0; i < 10000; ++i) tablet.move_to(2 * i, 0);
  tablet.release(PointerButton::left);
  EXPECT_EQ(bench.drain(),
            (Reports{"00 0f 27 0f 27 00 00", "01 0f 27 0f 27 00 00", "01 1e 4e 00 00 00 00", "00 1e 4e 00 00 00 00"}));
}

TEST_F(HidTabletTest, APendingTransferGetsTheMotionAtOnce) {
  const TransferId pending = bench.poll();
  tablet.move_to(1, 2);
  EXPECT_EQ(bench.report(pending), "00 01 00 02 00 00 00");
}

TEST_F(HidTabletTest, EveryButtonHasItsBit) {
  const PointerButton buttons[] = {PointerButton::left, PointerButton::right, PointerButton::middle,
                                   PointerButton::side, PointerButton::extra};
  for (const PointerButton button : buttons) {
    ASSERT_TRUE(tablet.press(button));
    tablet.release(button);
  }
  Reports expected;
  for (int bit = 0; bit < 5; ++bit) {
    expected.push_back(fmt::format("{:02x} 00 00 00 00 00 00", 1 << bit));
    expected.push_back("00 00 00 00 00 00 00");
  }
  EXPECT_EQ(bench.drain(), expected);
}

TEST_F(HidTabletTest, TheWheelsTurn) {
  tablet.scroll(1, 0);
  EXPECT_EQ(bench.drain(), Reports{"00 00 00 00 00 01 00"});
  tablet.scroll(-1, -2);
  EXPECT_EQ(bench.drain(), Reports{"00 00 00 00 00 ff fe"});
}

TEST_F(HidTabletTest, WithNobodyListeningOnlyThePositionIsKept) {
  tablet.reset();
  tablet.move_to(16, 32);
  tablet.scroll(1, 1);
  EXPECT_FALSE(tablet.press(PointerButton::left));
  tablet.release(PointerButton::left);
  bench.configure();
  EXPECT_TRUE(bench.drain().empty());
  EXPECT_EQ(bench.ask({.request_type = 0xa1, .request = 1, .value = 0x0100, .length = 7}), "00 10 00 20 00 00 00");
}

TEST_F(HidTabletTest, AHeldButtonIsToldToANewDriver) {
  ASSERT_TRUE(tablet.press(PointerButton::right));
  tablet.reset();
  bench.configure();
  EXPECT_EQ(bench.drain(), Reports{"02 00 00 00 00 00 00"});
}

class HidMouseTest : public ::testing::Test {
 protected:
  HidMouseTest() { bench.configure(); }
  void use_boot_protocol() { ASSERT_EQ(bench.ask({.request_type = 0x21, .request = 0x0b, .value = 0}), ""); }
  testing::HidBench<HidMouse> bench;
  HidMouse& mouse = *bench.device;
};

TEST_F(HidMouseTest, DistancesAreSignedBytes) {
  mouse.move_by(5, -5);
  EXPECT_EQ(bench.drain(), Reports{"00 05 fb 00 00"});
}

TEST_F(HidMouseTest, LongMotionsAreSplitAndNothingIsLost) {
  mouse.move_by(300, -128);
  EXPECT_EQ(bench.drain(), (Reports{"00 7f 81 00 00", "00 7f ff 00 00", "00 2e 00 00 00"}));
}

TEST_F(HidMouseTest, MotionOfASlowGuestIsSummedBetweenClicks) {
  for (int i = 0; i < 10; ++i) mouse.move_by(1, 2);
  ASSERT_TRUE(mouse.press(PointerButton::left));
  for (int i = 0; i < 10; ++i) mouse.move_by(-1, 0);
  mouse.release(PointerButton::left);
  EXPECT_EQ(bench.drain(), (Reports{"00 0a 14 00 00", "01 00 00 00 00", "01 f6 00 00 00", "00 00 00 00 00"}));
}

TEST_F(HidMouseTest, BootReportsHaveThreeBytes) {
  use_boot_protocol();
  ASSERT_TRUE(mouse.press(PointerButton::left));
  mouse.move_by(1, 2);
  EXPECT_EQ(bench.drain(), (Reports{"01 00 00", "01 01 02"}));
}

TEST_F(HidMouseTest, DistancesWithNobodyListeningAreLost) {
  mouse.reset();
  mouse.move_by(100, 100);
  bench.configure();
  EXPECT_TRUE(bench.drain().empty());
}

}  // namespace
}  // namespace periplex::usb::device
