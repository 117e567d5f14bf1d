// SPDX-License-Identifier: Apache-2.0
#include "seat/rules.hpp"

#include <gmock/gmock.h>

namespace periplex::seat {
namespace {

Peripheral stick() {
  return {.vendor = 0x0781,
          .product = 0x5567,
          .interface_classes = {8},
          .serial_number = "4C53",
          .place = "1-2",
          .description = "A stick"};
}

TEST(Rules, WithoutAnyNothingIsOffered) {
  EXPECT_EQ(Rules().decide(stick()), (Decision{Action::deny, "there are no rules"}));
}

TEST(Rules, TheFirstThatFitsDecidesAndSaysSo) {
  const Rules rules({{.action = Action::deny, .match = {.serial_number = "other"}},
                     {.name = "sticks", .action = Action::ask, .match = {.interface_class = 8}},
                     {.action = Action::allow}});
  EXPECT_EQ(rules.decide(stick()), (Decision{Action::ask, "rule 2 (sticks)"}));
  Peripheral keyboard = stick();
  keyboard.interface_classes = {3};
  EXPECT_EQ(rules.decide(keyboard), (Decision{Action::allow, "rule 3"}));
}

TEST(Rules, WhatNoneFitsIsNotOffered) {
  const Rules rules({{.action = Action::allow, .match = {.vendor = 1}}});
  EXPECT_EQ(rules.decide(stick()), (Decision{Action::deny, "no rule fits"}));
}

TEST(Rules, AHubIsNeverOffered) {
  Peripheral hub = stick();
  hub.device_class = 9;
  EXPECT_EQ(Rules({{.action = Action::allow}}).decide(hub).action, Action::deny);
}

TEST(Rules, EverythingThatARuleNamesMustAgree) {
  const auto fits = [](const Match& match) { return match.fits(stick()); };
  EXPECT_TRUE(fits({}));
  EXPECT_TRUE(fits({.kind = Kind::usb,
                    .vendor = 0x0781,
                    .product = 0x5567,
                    .device_class = 0,
                    .interface_class = 8,
                    .only_interface_classes = {8, 3},
                    .serial_number = "4C53",
                    .place = "1-2"}));
  EXPECT_FALSE(fits({.kind = Kind::input}));
  EXPECT_FALSE(fits({.vendor = 0x0781, .product = 1}));
  EXPECT_FALSE(fits({.device_class = 0xff}));
  EXPECT_FALSE(fits({.interface_class = 3}));
  EXPECT_FALSE(fits({.serial_number = ""}));
  EXPECT_FALSE(fits({.place = "1-3"}));
}

TEST(Rules, ADiskThatTypesIsNoneOfARuleForDisksAlone) {
  Peripheral strange = stick();
  strange.interface_classes = {8, 3};
  EXPECT_TRUE((Match{.interface_class = 8}).fits(strange));
  EXPECT_FALSE((Match{.only_interface_classes = {8}}).fits(strange));
  strange.interface_classes = {};
  EXPECT_FALSE((Match{.only_interface_classes = {8}}).fits(strange)) << "nothing is known of it";
}

TEST(Identity, FollowsFromTheSerialNumberOrElseFromThePlace) {
  EXPECT_EQ(identify(stick()), "usb:0781:5567:4C53");
  Peripheral mouse = stick();
  mouse.serial_number = "";
  EXPECT_EQ(identify(mouse), "usb:0781:5567@1-2");
  mouse.serial_number = "../a b\xc3";
  EXPECT_EQ(identify(mouse), "usb:0781:5567:%2E.%2Fa%20b%C3");
}

TEST(Identity, IsNeverTooLongAndStillTellsTwoApart) {
  Peripheral one = stick();
  one.serial_number = std::string(100, '*') + "1";
  Peripheral other = one;
  other.serial_number.back() = '2';
  EXPECT_EQ(identify(one).size(), kMostId);
  EXPECT_TRUE(identify(one).starts_with("usb:0781:5567:%2A%2A"));
  EXPECT_NE(identify(one), identify(other));
}

TEST(Identity, TwinsWithOneSerialNumberAreToldApartByTheirPlaces) {
  Identifiers identifiers;
  Peripheral twin = stick();
  twin.place = "1-3";
  const std::string first = identifiers.take(stick());
  EXPECT_EQ(first, "usb:0781:5567:4C53");
  EXPECT_EQ(identifiers.take(twin), "usb:0781:5567@1-3");
  identifiers.give_back(first);
  EXPECT_EQ(identifiers.take(stick()), first);
}

}  // namespace
}  // namespace periplex::seat
