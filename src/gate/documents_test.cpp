// SPDX-License-Identifier: Apache-2.0
#include "gate/documents.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::gate {
namespace {

using ::testing::HasSubstr;

TEST(Documents, AConfigurationIsReadAsItWasWritten) {
  const Configuration configuration{.name = "host",
                                    .own = {.certificate = "c", .key = "k"},
                                    .authority = "a",
                                    .seats = {{"desk", "f"}},
                                    .machines = {"vm1"},
                                    .bindings = {{"desk", "*", "vm1"}},
                                    .limits = {{"desk", 3}}};
  const std::string line = to_line(configuration);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto read = parse_instruction(line);
  ASSERT_TRUE(read) << read.error();
  const auto& again = std::get<Configuration>(*read);
  EXPECT_EQ(again.own.key, "k");
  EXPECT_EQ(again.seats, configuration.seats);
  EXPECT_EQ(again.machines, configuration.machines);
  EXPECT_EQ(again.limits, configuration.limits);
  EXPECT_EQ(again.bindings, configuration.bindings);
}

TEST(Documents, AVerdictIsYesOrNo) {
  const auto yes = parse_instruction(to_line(EnrolmentVerdict{.id = 7, .name = "desk", .certificate = "c"}));
  ASSERT_TRUE(yes);
  EXPECT_EQ(std::get<EnrolmentVerdict>(*yes).certificate, "c");
  const auto no = parse_instruction(to_line(EnrolmentVerdict{.id = 7, .why = "used"}));
  ASSERT_TRUE(no);
  EXPECT_EQ(std::get<EnrolmentVerdict>(*no).certificate, "");
  EXPECT_EQ(std::get<EnrolmentVerdict>(*no).why, "used");
}

TEST(Documents, ReportsAreReadAsTheyWereWritten) {
  const State state{
      .seats = {{.name = "desk",
                 .agent = "a \"quoted\" name\n",
                 .state = "held",
                 .datagrams = "used",
                 .peripherals = {{.id = "usb:1", .kind = "usb", .vendor = 0x951, .product = 2, .state = "attached"}}}},
      .machines = {{.name = "vm1", .worker = true}},
      .confinement = {.in_force = {"landlock"}, .missing = {"a root: why"}}};
  const auto read = parse_report(to_line(state));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(std::get<State>(*read), state);
  const auto question = parse_report(to_line(EnrolmentQuestion{.id = 3, .digest = "d", .request = "r"}));
  ASSERT_TRUE(question);
  EXPECT_EQ(std::get<EnrolmentQuestion>(*question).id, 3U);
}

TEST(Documents, SayWhatIsWrong) {
  EXPECT_THAT(parse_instruction("nonsense").error(), HasSubstr("no JSON"));
  EXPECT_THAT(parse_instruction("[]").error(), HasSubstr("no JSON object"));
  EXPECT_THAT(parse_instruction(R"({"other":{}})").error(), HasSubstr("no instruction"));
  EXPECT_THAT(parse_instruction(R"({"configure":{}})").error(), HasSubstr("\"name\" is no text"));
  EXPECT_THAT(parse_instruction(R"({"configure":{"name":"h","certificate":"","key":"","authority":"",)"
                                R"("machines":[{"name":"../x"}]}})")
                  .error(),
              HasSubstr("no machine's name"));
  EXPECT_THAT(parse_instruction(R"({"configure":{"name":"h","certificate":"","key":"","authority":"",)"
                                R"("seats":[3]}})")
                  .error(),
              HasSubstr("no object"));
  EXPECT_THAT(parse_report(R"({"enrol":{"id":-1}})").error(), HasSubstr("no number"));
}

}  // namespace
}  // namespace periplex::gate
