// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::apps {
namespace {

using ::testing::HasSubstr;

TEST(Tables, PeripheralsStandInColumns) {
  EXPECT_EQ(peripherals_table(R"({"devices":[
      {"id":"disk","kind":"storage","port":5,"speed":"super","configured":true,"medium":true,"image":"/d.img",
       "size":1572864,"readonly":true,"removable":true},
      {"id":"k","kind":"keyboard","port":1,"speed":"full","configured":false,"leds":["num_lock","caps_lock"]},
      {"id":"e","kind":"storage","port":6,"speed":"super","configured":false,"medium":false}]})"),
            "ID    KIND      PORT  SPEED  GUEST\n"
            "disk  storage   5     super  in use      /d.img (1.5 MiB, read-only, removable)\n"
            "k     keyboard  1     full   not in use  lit: num_lock, caps_lock\n"
            "e     storage   6     super  not in use  no medium");
  EXPECT_EQ(peripherals_table(R"({"devices":[]})"), "Nothing is plugged in.");
}

TEST(Tables, StatisticsShowCountersAndEndpoints) {
  const std::string text = statistics_table(
      R"({"server":{"messages":9},"loop":{"wakeups":2},"devices":[{"id":"d","endpoints":[
         {"endpoint":"0x81","type":"bulk","descriptors":4,"transfers":2,"bytes":1024,"errors":0}]}]})");
  EXPECT_THAT(text, HasSubstr("server messages  9\n"));
  EXPECT_THAT(text, HasSubstr("d   0x81      bulk  4            2          1024   0"));
}

TEST(Tables, MembersOfStrangeAnswersAreAbsent) {
  for (const char* strange : {"", "[]", "{", "null", R"({"a":[]})"}) {
    EXPECT_EQ(text_member(strange, "a"), "") << strange;
    EXPECT_FALSE(number_member(strange, "a")) << strange;
    EXPECT_FALSE(flag_member(strange, "a", "b")) << strange;
    EXPECT_EQ(peripherals_table(strange), "Nothing is plugged in.") << strange;
  }
  EXPECT_EQ(number_member(R"({"a":{"b":7}})", "a", "b"), 7u);
}

}  // namespace
}  // namespace periplex::apps
