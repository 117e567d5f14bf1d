// SPDX-License-Identifier: Apache-2.0
#include "machine/presets.hpp"

#include <gtest/gtest.h>

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;

TEST(Presets, EverySettingIsRead) {
  const auto preset = parse_preset(
      "desk-*/usb:1-?,readonly=true,vendor=0x046D,product=17,manufacturer=A,name=B,,C,serial=7,interval-ms=8");
  ASSERT_TRUE(preset) << preset.error().text;
  EXPECT_EQ(*preset, (Preset{.peripheral = "desk-*/usb:1-?",
                             .readonly = true,
                             .device = {.vendor = 0x046d,
                                        .product = 17,
                                        .manufacturer = "A",
                                        .product_name = "B,C",
                                        .serial_number = "7",
                                        .interval = 8ms}}));
}

TEST(Presets, TheFirstThatFitsCounts) {
  const Presets presets({{.peripheral = "desk-7/*", .readonly = true}, {.peripheral = "*"}});
  EXPECT_TRUE(presets.find("desk-7/usb:1")->readonly);
  EXPECT_FALSE(presets.find("desk-8/usb:1")->readonly);
  EXPECT_EQ(Presets().find("x"), nullptr);
}

TEST(Presets, MistakesAreRefused) {
  const std::string long_text(127, 'x');
  for (const std::string& text : std::vector<std::string>{
           "", "a,b", "a,colour=red", "a,readonly=yes", "a,vendor=0x10000", "a,vendor=", "a,vendor=0x", "a,vendor=-1",
           "a,interval-ms=0", "a,interval-ms=256", "a,interval-ms=x", "a,name=", "a,name=" + long_text, "a,serial=x\n",
           std::string(129, 'a')}) {
    const auto preset = parse_preset(text);
    ASSERT_FALSE(preset) << text;
    EXPECT_NE(preset.error().advice, "") << text;
  }
}

}  // namespace
}  // namespace periplex::machine
