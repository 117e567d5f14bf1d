// SPDX-License-Identifier: Apache-2.0
#include "usb/device/typing.hpp"

#include <gtest/gtest.h>

#include "usb/device/testing/hid_bench.hpp"

namespace periplex::usb::device {
namespace {

using Reason = TypingError::Reason;
using Reports = std::vector<std::string>;

const std::string kNothing = "00 00 00 00 00 00 00 00";

class TypingTest : public ::testing::Test {
 protected:
  TypingTest() { bench.configure(); }
  testing::HidBench<HidKeyboard> bench;
  HidKeyboard& keyboard = *bench.device;
};

TEST_F(TypingTest, TextIsPressedAndReleasedKeyByKey) {
  ASSERT_TRUE(type_text(keyboard, "aaB"));
  EXPECT_EQ(bench.drain(),
            (Reports{"00 00 04 00 00 00 00 00", kNothing, "00 00 04 00 00 00 00 00", kNothing,
                     "02 00 00 00 00 00 00 00", "02 00 05 00 00 00 00 00", "02 00 00 00 00 00 00 00", kNothing}));
}

TEST_F(TypingTest, AChordIsReleasedInReverse) {
  ASSERT_TRUE(type_chord(keyboard, "ctrl+alt+delete"));
  EXPECT_EQ(bench.drain(), (Reports{"01 00 00 00 00 00 00 00", "05 00 00 00 00 00 00 00", "05 00 4c 00 00 00 00 00",
                                    "05 00 00 00 00 00 00 00", "01 00 00 00 00 00 00 00", kNothing}));
}

TEST_F(TypingTest, AnUnknownCharacterTypesNothingAndIsNamed) {
  const auto typed = type_text(keyboard, "abc€");
  ASSERT_FALSE(typed);
  EXPECT_EQ(typed.error().reason, Reason::no_such_key);
  EXPECT_EQ(typed.error().describe(), "a US keyboard has no key for \"€\"");
  EXPECT_EQ(type_chord(keyboard, "ctrl+x1").error().name, "x1");
  EXPECT_TRUE(bench.drain().empty());
}

TEST_F(TypingTest, MoreThanTheKeyboardKeepsTypesNothing) {
  EXPECT_EQ(type_text(keyboard, std::string(HidKeyboard::kMaxReports, 'a')).error().reason, Reason::too_much);
  EXPECT_TRUE(bench.drain().empty());
  EXPECT_TRUE(type_text(keyboard, std::string(HidKeyboard::kMaxReports / 2, 'a')));
  EXPECT_EQ(type_chord(keyboard, "a").error().reason, Reason::too_much);
}

TEST_F(TypingTest, WithNobodyListeningNothingIsTyped) {
  keyboard.reset();
  EXPECT_EQ(type_text(keyboard, "a").error().reason, Reason::nobody_listens);
  EXPECT_EQ(type_chord(keyboard, "a").error().reason, Reason::nobody_listens);
  EXPECT_TRUE(type_text(keyboard, "€").error().reason == Reason::no_such_key) << "what can never work is told first";
}

}  // namespace
}  // namespace periplex::usb::device
