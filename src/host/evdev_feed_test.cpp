// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_feed.hpp"

#include <gmock/gmock.h>
#include <linux/input-event-codes.h>

#include "host/evdev_keys.hpp"
#include "usb/device/testing/hid_bench.hpp"

namespace periplex::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using usb::device::HidKeyboard;
using usb::device::HidMouse;
using usb::device::HidTablet;
using usb::device::KeyUsage;
using usb::device::PointerButton;
using usb::device::testing::HidBench;

constexpr EvdevEvent kGroupEnd{.type = EV_SYN, .code = SYN_REPORT};

TEST(EvdevKeys, AreThePlacesOnTheKeyboard) {
  EXPECT_EQ(usage_of_key(KEY_A), KeyUsage(0x04));
  EXPECT_EQ(usage_of_key(KEY_102ND), KeyUsage(0x64));
  EXPECT_EQ(usage_of_key(KEY_RIGHTALT), KeyUsage(0xe6));
  EXPECT_FALSE(usage_of_key(KEY_RESERVED));
  EXPECT_FALSE(usage_of_key(BTN_LEFT));
  EXPECT_FALSE(usage_of_key(0xffff));
  EXPECT_EQ(button_of_key(BTN_TOUCH), PointerButton::left);
  EXPECT_FALSE(button_of_key(KEY_A));
}

TEST(EvdevKeys, EachUsageHasOneKey) {
  std::set<std::uint8_t> seen;
  for (std::uint16_t code = 0; code < KEY_MAX; ++code) {
    const auto usage = usage_of_key(code);
    if (!usage) continue;
    EXPECT_TRUE(usb::device::is_key(*usage)) << code;
    EXPECT_TRUE(seen.insert(usage->value).second) << code;
  }
  EXPECT_GT(seen.size(), 130u);
}

TEST(EvdevKeyboard, PressesAndReleasesTravelAndRepetitionDoesNot) {
  HidBench<HidKeyboard> bench;
  bench.configure();
  (void)bench.drain();
  EvdevKeyboardFeed feed(*bench.device);
  feed.handle({.type = EV_KEY, .code = KEY_LEFTSHIFT, .value = 1});
  feed.handle({.type = EV_KEY, .code = KEY_A, .value = 1});
  feed.handle({.type = EV_KEY, .code = KEY_A, .value = 2});
  feed.handle({.type = EV_MSC, .code = MSC_SCAN, .value = 30});
  feed.handle({.type = EV_KEY, .code = KEY_A, .value = 0});
  feed.handle({.type = EV_KEY, .code = KEY_CAMERA, .value = 1});
  EXPECT_THAT(bench.drain(),
              ElementsAre("02 00 00 00 00 00 00 00", "02 00 04 00 00 00 00 00", "02 00 00 00 00 00 00 00"));
}

TEST(EvdevKeyboard, AfterALossTheKeysAreAsTheyAre) {
  HidBench<HidKeyboard> bench;
  bench.configure();
  EvdevKeyboardFeed feed(*bench.device);
  feed.handle({.type = EV_KEY, .code = KEY_A, .value = 1});
  (void)bench.drain();
  feed.set_pressed(std::array<std::uint16_t, 2>{KEY_B, BTN_LEFT});
  EXPECT_EQ(bench.drain().back(), "00 00 05 00 00 00 00 00");
}

TEST(EvdevMouse, AGroupOfMotionsIsOneMotion) {
  HidBench<HidMouse> bench;
  bench.configure();
  (void)bench.drain();
  EvdevMouseFeed feed(*bench.device);
  feed.handle({.type = EV_REL, .code = REL_X, .value = 3});
  feed.handle({.type = EV_REL, .code = REL_Y, .value = -2});
  EXPECT_THAT(bench.drain(), IsEmpty());
  feed.handle(kGroupEnd);
  EXPECT_THAT(bench.drain(), ElementsAre("00 03 fe 00 00"));
  feed.handle({.type = EV_KEY, .code = BTN_RIGHT, .value = 1});
  feed.handle({.type = EV_REL, .code = REL_WHEEL, .value = 1});
  feed.handle(kGroupEnd);
  EXPECT_THAT(bench.drain(), ElementsAre("02 00 00 00 00", "02 00 00 01 00"));
}

TEST(EvdevMouse, AButtonIsUpWhenAllThatMeanItAre) {
  HidBench<HidMouse> bench;
  bench.configure();
  (void)bench.drain();
  EvdevMouseFeed feed(*bench.device);
  feed.set_pressed(std::array<std::uint16_t, 2>{BTN_LEFT, BTN_TOUCH});
  feed.set_pressed(std::array<std::uint16_t, 1>{BTN_TOUCH});
  EXPECT_THAT(bench.drain(), ElementsAre("01 00 00 00 00"));
  feed.set_pressed({});
  EXPECT_THAT(bench.drain(), ElementsAre("00 00 00 00 00"));
}

TEST(EvdevMouse, AbsurdMotionsHarmNobody) {
  HidBench<HidMouse> bench;
  bench.configure();
  EvdevMouseFeed feed(*bench.device);
  for (const std::int32_t value : {INT32_MAX, INT32_MAX, INT32_MIN, INT32_MIN, 5}) {
    feed.handle({.type = EV_REL, .code = REL_X, .value = value});
    feed.handle({.type = EV_REL, .code = REL_WHEEL, .value = value});
  }
  feed.handle(kGroupEnd);
}

TEST(EvdevTablet, PositionsAreScaledToTheWholeScreen) {
  HidBench<HidTablet> bench;
  bench.configure();
  (void)bench.drain();
  EvdevTabletFeed feed(*bench.device, {.minimum = 100, .maximum = 1100}, {.minimum = 0, .maximum = 0});
  const auto move = [&](std::int32_t x) {
    feed.handle({.type = EV_ABS, .code = ABS_X, .value = x});
    feed.handle({.type = EV_ABS, .code = ABS_Y, .value = 5});
    feed.handle(kGroupEnd);
    return bench.drain();
  };
  EXPECT_THAT(move(1100), ElementsAre("00 ff 7f 00 00 00 00"));
  EXPECT_THAT(move(600), ElementsAre("00 00 40 00 00 00 00"));
  EXPECT_THAT(move(INT32_MIN), ElementsAre("00 00 00 00 00 00 00"));
}

}  // namespace
}  // namespace periplex::host
