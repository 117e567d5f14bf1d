// SPDX-License-Identifier: Apache-2.0
#include "usb/device/key_names.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace periplex::usb::device {
namespace {

TEST(KeyNames, LettersDigitsAndPlainCharactersNameTheirKeys) {
  EXPECT_EQ(key_named("a"), KeyUsage(0x04));
  EXPECT_EQ(key_named("Z"), KeyUsage(0x1d));
  EXPECT_EQ(key_named("1"), KeyUsage(0x1e));
  EXPECT_EQ(key_named("0"), KeyUsage(0x27));
  EXPECT_EQ(key_named("-"), KeyUsage(0x2d));
  EXPECT_EQ(key_named("/"), KeyUsage(0x38));
}

TEST(KeyNames, NamesAreFoundInAnyCase) {
  EXPECT_EQ(key_named("enter"), KeyUsage(0x28));
  EXPECT_EQ(key_named("Esc"), KeyUsage(0x29));
  EXPECT_EQ(key_named("kp_enter"), KeyUsage(0x58));
  EXPECT_EQ(key_named("kp_1"), KeyUsage(0x59));
  EXPECT_EQ(key_named("kp_9"), KeyUsage(0x61));
  EXPECT_EQ(key_named("CTRL"), KeyUsage(0xe0));
  EXPECT_EQ(key_named("altgr"), KeyUsage(0xe6));
}

TEST(KeyNames, FunctionKeysLieInTwoRows) {
  EXPECT_EQ(key_named("f1"), KeyUsage(0x3a));
  EXPECT_EQ(key_named("f12"), KeyUsage(0x45));
  EXPECT_EQ(key_named("f13"), KeyUsage(0x68));
  EXPECT_EQ(key_named("f24"), KeyUsage(0x73));
}

TEST(KeyNames, OtherNamesAreNone) {
  for (const char* name : {"", " ", "f0", "f25", "f01", "f1x", "f123", "kp_", "kp_a", "!", "foo", "\n", "ctrl ", "+"}) {
    EXPECT_EQ(key_named(name), std::nullopt) << name;
  }
}

TEST(Chord, NamesItsKeysInOrder) {
  EXPECT_EQ(parse_chord("ctrl+alt+delete"), (std::vector{KeyUsage(0xe0), KeyUsage(0xe2), KeyUsage(0x4c)}));
  EXPECT_EQ(parse_chord("f2"), std::vector{KeyUsage(0x3b)});
  EXPECT_EQ(parse_chord("ctrl+-"), (std::vector{KeyUsage(0xe0), KeyUsage(0x2d)}));
}

TEST(Chord, AnUnknownPartIsNamed) {
  EXPECT_EQ(parse_chord("ctrl+foo+a").error(), UnknownKey{"foo"});
  EXPECT_EQ(parse_chord("").error(), UnknownKey{""});
  EXPECT_EQ(parse_chord("ctrl+").error(), UnknownKey{""});
  EXPECT_EQ(parse_chord("+a").error(), UnknownKey{""});
}

TEST(TextStrokes, EveryPrintableCharacterHasOne) {
  for (char c = ' '; c <= '~'; ++c) {
    const auto strokes = strokes_for(std::string_view(&c, 1));
    ASSERT_TRUE(strokes) << c;
    EXPECT_EQ(strokes->size(), 1u);
  }
}

TEST(TextStrokes, NoTwoCharactersShareAStroke) {
  std::vector<KeyStroke> seen;
  for (char c = ' '; c <= '~'; ++c) {
    const KeyStroke stroke = strokes_for(std::string_view(&c, 1)).value()[0];
    EXPECT_EQ(std::ranges::find(seen, stroke), seen.end()) << c;
    seen.push_back(stroke);
  }
}

TEST(TextStrokes, ShiftIsHeldForCapitalsAndSigns) {
  EXPECT_EQ(strokes_for("aA1!"),
            (std::vector<KeyStroke>{
                {KeyUsage(0x04), false}, {KeyUsage(0x04), true}, {KeyUsage(0x1e), false}, {KeyUsage(0x1e), true}}));
  EXPECT_EQ(strokes_for("\n\t"), (std::vector<KeyStroke>{{KeyUsage(0x28)}, {KeyUsage(0x2b)}}));
  EXPECT_EQ(strokes_for(""), std::vector<KeyStroke>{});
}

TEST(TextStrokes, TheFirstCharacterThatHasNoneIsNamed) {
  EXPECT_EQ(strokes_for("ab€c").error(), UnknownKey{"€"});
  EXPECT_EQ(strokes_for("ä").error(), UnknownKey{"ä"});
  EXPECT_EQ(strokes_for("a\rb").error(), UnknownKey{"\r"});
  EXPECT_EQ(strokes_for("\x80").error(), UnknownKey{"\x80"});
}

}  // namespace
}  // namespace periplex::usb::device
