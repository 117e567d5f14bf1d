// SPDX-License-Identifier: Apache-2.0
#include "gate/configuration.hpp"

#include <gtest/gtest.h>

#include "base/pattern.hpp"

namespace periplex::gate {
namespace {

TEST(Pattern, FitsAsAShellsDoes) {
  EXPECT_TRUE(fits("usb:1-2", "usb:1-2"));
  EXPECT_FALSE(fits("usb:1-2", "usb:1-20"));
  EXPECT_TRUE(fits("*", ""));
  EXPECT_TRUE(fits("*", "anything"));
  EXPECT_TRUE(fits("usb:*", "usb:1-2"));
  EXPECT_FALSE(fits("usb:*", "evdev:3"));
  EXPECT_TRUE(fits("*-2", "usb:1-2-2"));
  EXPECT_TRUE(fits("u?b*1*2", "usb:1-2"));
  EXPECT_FALSE(fits("u?b*1*3", "usb:1-2"));
  EXPECT_FALSE(fits("", "x"));
  EXPECT_TRUE(fits("", ""));
  EXPECT_FALSE(fits("?", ""));
}

TEST(Pattern, ManyStarsTakeNoLongerThanTheLengthsAllow) {
  std::string pattern;
  for (int i = 0; i < 32; ++i) pattern += "a*";
  EXPECT_FALSE(fits(pattern + "b", std::string(10'000, 'a')));
}

TEST(Configuration, TheFirstBindingThatFitsCounts) {
  const Configuration configuration{.bindings = {{"desk-7", "usb:1-2", "vm2"}, {"desk-*", "*", "vm1"}}};
  EXPECT_EQ(configuration.machine_for("desk-7", "usb:1-2"), "vm2");
  EXPECT_EQ(configuration.machine_for("desk-7", "usb:1-3"), "vm1");
  EXPECT_EQ(configuration.machine_for("lab", "usb:1-2"), "");
}

TEST(Configuration, NobodyHasNoCertificate) {
  const Configuration configuration{.seats = {{"desk", ""}, {"lab", "00"}}};
  EXPECT_EQ(configuration.seat_of(""), nullptr);
  EXPECT_EQ(configuration.seat_of("00")->name, "lab");
  EXPECT_EQ(configuration.seat_of("01"), nullptr);
}

TEST(Names, HaveNoSlash) {
  EXPECT_TRUE(is_name("desk-7.lab_2"));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name("a/b"));
  EXPECT_FALSE(is_name(".."));
  EXPECT_FALSE(is_name(std::string(65, 'a')));
  EXPECT_EQ(unique_name("desk-7", "usb:1-2"), "desk-7/usb:1-2");
}

}  // namespace
}  // namespace periplex::gate
