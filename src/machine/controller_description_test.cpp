// SPDX-License-Identifier: Apache-2.0
#include "machine/controller_description.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::machine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ControllerDescription parsed(std::string_view text) {
  auto description = parse_controller(text);
  EXPECT_TRUE(description) << text;
  return description.value_or(ControllerDescription{});
}

TEST(ControllerSpecification, ASettingThatIsNotGivenHasItsDefault) {
  EXPECT_EQ(parsed("xhci"), (ControllerDescription{"", Xhci{.usb2_ports = 4, .usb3_ports = 4}}));
  EXPECT_EQ(parsed("uhci"), (ControllerDescription{"", Uhci{.ports = 2}}));
  EXPECT_EQ(parsed("ehci"), (ControllerDescription{"", Ehci{.ports = 6}}));
}

TEST(ControllerSpecification, EverySettingIsRead) {
  EXPECT_EQ(parsed("xhci,name=a,usb2-ports=1,usb3-ports=15"),
            (ControllerDescription{"a", Xhci{.usb2_ports = 1, .usb3_ports = 15}}));
  EXPECT_EQ(parsed("uhci,ports=4,verify=descriptors+data,name=b"),
            (ControllerDescription{
                "b", Uhci{.ports = 4, .verification = {.addresses = false, .descriptors = true, .data = true}}}));
  EXPECT_EQ(parsed("ehci,ports=2,verify=addresses"),
            (ControllerDescription{
                "", Ehci{.ports = 2, .verification = {.addresses = true, .descriptors = false, .data = false}}}));
  EXPECT_EQ(parsed("ehci").kind(), "ehci");
}

TEST(ControllerSpecification, EveryMistakeIsNamedWithAdvice) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "no controller of kind \"\""},
      {"ohci", "no controller of kind \"ohci\""},
      {"xhci,ports=4", "xhci has no setting \"ports\""},
      {"xhci,usb2-ports=0", "cannot have usb2-ports=0"},
      {"xhci,usb3-ports=16", "cannot have usb3-ports=16"},
      {"xhci,usb3-ports=a", "cannot have usb3-ports=a"},
      {"xhci,usb2-ports", "not KEY=VALUE"},
      {"xhci,name=../x", "cannot be a controller's name"},
      {"xhci,name=a,name=b", "given twice"},
      {"uhci,usb2-ports=4", "uhci has no setting \"usb2-ports\""},
      {"uhci,ports=1000", "cannot have ports=1000"},
      {"uhci,verify=", "does not say by what"},
      {"uhci,verify=data", "does not say by what"},
      {"ehci,verify=addresses+luck", "does not say by what"},
      {"ehci,ports=3", "cannot have 3 ports"},
      {"ehci,ports=16", "cannot have ports=16"},
  };
  for (const auto& [text, expected] : mistakes) {
    const auto description = parse_controller(text);
    ASSERT_FALSE(description) << text;
    EXPECT_THAT(description.error().text, HasSubstr(expected)) << text;
    EXPECT_FALSE(description.error().advice.empty()) << text;
  }
}

TEST(ControllerNames, EveryFunctionHasOneOfItsOwn) {
  EXPECT_THAT(function_names({"x", Xhci{}}), ElementsAre("x"));
  EXPECT_THAT(function_names({"e", Ehci{.ports = 4}}), ElementsAre("e-companion1", "e-companion2", "e"));
}

TEST(ControllerNames, AreTheKindAndANumberWhereNoneIsGiven) {
  const auto named = with_names({{"", Xhci{}}, {"", Uhci{}}, {"xhci3", Xhci{}}, {"", Xhci{}}, {"", Xhci{}}});
  ASSERT_TRUE(named);
  std::vector<std::string> names;
  for (const ControllerDescription& controller : *named) names.push_back(controller.name);
  EXPECT_THAT(names, ElementsAre("xhci", "uhci", "xhci3", "xhci2", "xhci4"));
}

TEST(ControllerNames, AreNotGivenTwice) {
  EXPECT_THAT(with_names({{"a", Xhci{}}, {"a", Uhci{}}}).error().text, HasSubstr("\"a\": that name is taken"));
  EXPECT_FALSE(with_names({{"ehci-companion1", Xhci{}}, {"", Ehci{}}}));
  EXPECT_FALSE(with_names({{"control", Xhci{}}})) << "its socket would be that of the control API";
}

TEST(ControllerNames, ThereAreNotTooMany) {
  EXPECT_TRUE(with_names(std::vector<ControllerDescription>(kMostControllers)));
  EXPECT_FALSE(with_names(std::vector<ControllerDescription>(kMostControllers + 1)));
}

}  // namespace
}  // namespace periplex::machine
