// SPDX-License-Identifier: Apache-2.0
#include "seat/configuration.hpp"

#include <gmock/gmock.h>

namespace periplex::seat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SeatConfiguration, RulesKeepTheirOrder) {
  const auto read = parse_configuration(R"(
    consent-command = ["zenity", "--question"]
    [input]
    grab = false
    [[rule]]
    name = "sticks"
    action = "ask"
    only-interface-classes = [8]
    [[rule]]
    action = "deny"
    kind = "usb"
    vendor = 0x046d
    product = 0xc31c
    class = 0
    interface-class = 3
    serial = "42"
    place = "1-2"
    [[rule]]
    action = "allow"
    kind = "input"
  )",
                                        "seat.toml");
  ASSERT_TRUE(read.has_value()) << read.error().text;
  EXPECT_THAT(read->consent_command, ElementsAre("zenity", "--question"));
  EXPECT_TRUE(read->input);
  EXPECT_FALSE(read->grab_input);
  ASSERT_EQ(read->rules.size(), 3u);
  EXPECT_EQ(read->rules[0].name, "sticks");
  EXPECT_EQ(read->rules[0].action, Action::ask);
  EXPECT_THAT(read->rules[0].match.only_interface_classes, ElementsAre(8));
  EXPECT_EQ(read->rules[1].match.vendor, 0x046d);
  EXPECT_EQ(read->rules[1].match.serial_number, "42");
  EXPECT_EQ(read->rules[2].match.kind, Kind::input);
}

TEST(SeatConfiguration, MistakesAreToldWithTheirLine) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"nonsense = 1", "t:1: \"nonsense\""},
      {"[[rule]]\nvendor = 1", "no action"},
      {"[[rule]]\naction = \"maybe\"", "t:2: \"rule.action\""},
      {"[[rule]]\naction = \"deny\"\nvendor = 0x10000", "t:3: \"rule.vendor\""},
      {"[[rule]]\naction = \"deny\"\nvendor = -1", "t:3: \"rule.vendor\""},
      {"[[rule]]\naction = \"deny\"\nonly-interface-classes = [\"x\"]", "only-interface-classes"},
      {"[[rule]]\naction = \"deny\"\nonly-interface-classes = []", "only-interface-classes"},
      {"rule = 3", "\"rule\""},
      {"[input]\noffer = 3", "input.offer"},
      {"x = [", "t:1: "},
  };
  for (const auto& [text, message] : mistakes) {
    const auto read = parse_configuration(text, "t");
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_THAT(read.error().text, HasSubstr(message));
  }
}

TEST(SeatConfiguration, AFileThatIsNotThereIsAMistakeToo) {
  EXPECT_FALSE(read_configuration("/nonexistent/seat.toml").has_value());
}

}  // namespace
}  // namespace periplex::seat
