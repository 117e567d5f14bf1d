// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/doctor.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/periplex/run_program.hpp"

namespace periplex::apps {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Shown examined(std::optional<std::string> machine) {
  return examine({.qemu = "/nonexistent/qemu",
                  .control = "/c",
                  .machine = std::move(machine),
                  .no_machine = {"none", "start it"}})
      .value();
}

/// What /v1/machine says of a machine with two controllers, the second with `client`.
std::string machine(std::string_view client) {
  return fmt::format(R"({{"name":"vm1","controllers":[{{"name":"xhci","client":{{"connected":false}}}},)"
                     R"({{"name":"ehci","client":{}}}]}})",
                     client);
}

TEST(Doctor, ReadsQemuVersions) {
  EXPECT_EQ(parse_qemu_version("QEMU emulator version 10.1.3 (Debian 1:10.1.3)"), std::pair(10u, 1u));
  EXPECT_EQ(parse_qemu_version("QEMU emulator version 7.2"), std::pair(7u, 2u));
  for (const char* bad :
       {"", "QEMU", "QEMU emulator version ", "QEMU emulator version x.1", "QEMU emulator version 9"}) {
    EXPECT_FALSE(parse_qemu_version(bad)) << bad;
  }
}

TEST(Doctor, MissingThingsAreProblemsWithAdvice) {
  const Shown shown = examined(std::nullopt);
  EXPECT_EQ(shown.status, 1);
  EXPECT_THAT(shown.json, HasSubstr(R"("healthy":false)"));
  EXPECT_THAT(shown.json, HasSubstr(R"({"check":"machine","state":"problem","text":"none","advice":"start it"})"));
  EXPECT_THAT(shown.text, HasSubstr("/nonexistent/qemu is not installed"));
}

TEST(Doctor, AMonitorThatIsNotThereYetIsOnlyANote) {
  const Shown shown = examined(machine(R"({"connected":false,"shared_bytes":0})"));
  EXPECT_THAT(shown.json, HasSubstr(R"("check":"client","state":"note")"));
  EXPECT_THAT(shown.json, Not(HasSubstr(R"("check":"memory")")));
}

TEST(Doctor, TellsWhetherMemoryIsShared) {
  EXPECT_THAT(examined(machine(R"({"connected":true,"shared_bytes":0})")).json,
              HasSubstr(R"("check":"memory","state":"problem")"));
  EXPECT_THAT(examined(machine(R"({"connected":true,"shared_bytes":1048576})")).text,
              HasSubstr("1 MiB of the machine's RAM are shared with ehci"));
}

TEST(Doctor, TellsHowTheGateIsConfined) {
  const auto gate = [](std::string_view missing) {
    return examine({.qemu = "/nonexistent/qemu",
                    .control = "/c",
                    .machine = std::nullopt,
                    .no_machine = {"none", "start it"},
                    .gate = fmt::format(R"({{"state":{{"in_force":["system-calls"],"missing":[{}]}}}})", missing)})
        .value();
  };
  EXPECT_THAT(gate("").json,
              HasSubstr(R"("check":"confinement","state":"ok","text":"the gate is confined: system-calls")"));
  EXPECT_THAT(gate(R"("landlock: none")").json, HasSubstr(R"("check":"confinement","state":"note")"));
  EXPECT_THAT(gate(R"("landlock: none")").text, HasSubstr("missing: landlock: none"));
  EXPECT_THAT(examined(std::nullopt).json, Not(HasSubstr("confinement")));
  EXPECT_THAT(examined(R"({"name":"vm1","confinement":{"in_force":["system-calls"],"missing":[]}})").text,
              HasSubstr("vm1 is confined: system-calls"));
  EXPECT_THAT(examined(std::nullopt).json, HasSubstr(R"("check":"landlock")"));
}

TEST(Doctor, RunsProgramsAndReadsThem) {
  const auto ran = run_program({"sh", "-c", "echo hello; exit 3"});
  ASSERT_TRUE(ran);
  EXPECT_EQ(ran->status, 3);
  EXPECT_EQ(ran->output, "hello\n");
  EXPECT_FALSE(run_program({"/nonexistent/program"}));
}

}  // namespace
}  // namespace periplex::apps
