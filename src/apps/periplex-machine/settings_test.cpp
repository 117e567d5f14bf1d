// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-machine/settings.hpp"

#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "apps/periplex-machine/options.hpp"

namespace periplex::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConfigurationTest : public ::testing::Test {
 protected:
  ~ConfigurationTest() override { std::remove(path.c_str()); }
  auto read(const std::string& text) {
    std::ofstream(path) << text;
    return read_configuration(path);
  }
  std::string path = ::testing::TempDir() + "periplex-settings-" + std::to_string(::getpid()) + ".toml";
};

auto parse(std::vector<const char*> words) {
  words.insert(words.begin(), "periplex-machine");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

TEST_F(ConfigurationTest, EveryKeyIsRead) {
  const auto settings = read(R"(
name = "vm7"
runtime-dir = "/r"
control = "/c.sock"
socket-owner = "0:0"
socket-mode = "0666"
log-level = "debug"
spin-us = 10
low-latency = true
[[controller]]
kind = "ehci"
name = "usb2"
ports = 4
verify = "addresses+data"
[xhci]
usb2-ports = 2
usb3-ports = 3
[capture]
usb = "/u.pcapng"
[remote-disks]
read-ahead = 131072
[[peripheral]]
kind = "storage"
id = "disk"
image = "/d.img"
readonly = true
bad-sectors = 7
[[peripheral]]
kind = "keyboard"
[[preset]]
peripheral = "desk-7/*"
readonly = true
vendor = 0x1234
)");
  ASSERT_TRUE(settings) << settings.error().text;
  const auto plan = make_plan(*settings);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->name, "vm7");
  EXPECT_EQ(function_socket(*plan, "usb2"), "/r/usb2.sock");
  EXPECT_EQ(plan->control_socket, "/c.sock");
  EXPECT_EQ(plan->socket_owner, 0u);
  EXPECT_EQ(plan->socket_mode, 0666u);
  EXPECT_EQ(plan->spin, Microseconds(10));
  EXPECT_TRUE(plan->low_latency);
  const machine::Ehci ehci{.ports = 4, .verification = {.addresses = true, .descriptors = false, .data = true}};
  EXPECT_THAT(plan->controllers,
              ElementsAre(machine::ControllerDescription{"usb2", ehci},
                          machine::ControllerDescription{"xhci", machine::Xhci{.usb2_ports = 2, .usb3_ports = 3}}));
  EXPECT_EQ(plan->capture, "/u.pcapng");
  EXPECT_EQ(plan->remote_disks.read_ahead, 131072u);
  ASSERT_EQ(plan->peripherals.size(), 2u);
  EXPECT_TRUE(plan->peripherals[0].storage()->readonly);
  EXPECT_EQ(plan->peripherals[0].storage()->bad_sectors.size(), 1u);
  EXPECT_THAT(plan->presets,
              ElementsAre(machine::Preset{.peripheral = "desk-7/*", .readonly = true, .device = {.vendor = 0x1234}}));
}

TEST_F(ConfigurationTest, RelativePathsBeginAtTheFile) {
  const auto settings = read("[[peripheral]]\nkind = \"storage\"\nimage = \"d.img\"\n");
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->peripherals[0].storage()->image, ::testing::TempDir() + "d.img");
}

TEST_F(ConfigurationTest, MistakesAreNamedWithTheirLine) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"name = \n", ":1: "},
      {"\ncolour = \"red\"\n", ":2: \"colour\" is not known"},
      {"name = 7\n", "\"name\" is not known, or of the wrong type"},
      {"spin-us = -1\n", "\"spin-us\""},
      {"xhci = 4\n", "\"xhci\""},
      {"[xhci]\nports = 4\n", ":1: xhci has no setting \"ports\""},
      {"controller = 4\n", "\"controller\""},
      {"[[controller]]\nports = 4\n", ":1: there is no controller of kind \"\""},
      {"[[controller]]\nkind = \"ehci\"\nports = 3\n", ":1: an EHCI cannot have 3 ports"},
      {"peripheral = 4\n", "\"peripheral\""},
      {"[remote-disks]\nterminate = false\nread-ahead = true\n", ":1: a disk that is tunnelled"},
      {"[[peripheral]]\nid = \"a\"\n", "no peripheral of kind \"\""},
      {"[[peripheral]]\nkind = \"mouse\"\nspeed = [1]\n", ":3: \"speed\""},
      {"[[preset]]\nreadonly = true\n", ":1: \"\" names no peripheral"},
      {"[[preset]]\nperipheral = \"a\"\ncolour = 1\n", ":1: colour=1 is nothing that can be set"},
  };
  for (const auto& [text, expected] : mistakes) {
    const auto settings = read(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_THAT(settings.error().text, HasSubstr(expected)) << text;
    EXPECT_FALSE(settings.error().advice.empty()) << text;
  }
  EXPECT_FALSE(read_configuration("/nonexistent.toml"));
}

TEST(MachineCommandLine, SaysWhatToStart) {
  const auto line = parse({"--name",         "a",
                           "--runtime-dir",  "/r",
                           "--attach",       "keyboard",
                           "--attach",       "storage,image=x",
                           "--xhci",         "usb2-ports=1",
                           "--controller",   "uhci",
                           "--controller",   "xhci",
                           "--capture",      "usb=f",
                           "--spin-us",      "0",
                           "--low-latency",  "--json",
                           "--remote-disks", "terminate=false"});
  ASSERT_TRUE(line) << line.error().text;
  const auto plan = make_plan(line->settings);
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_EQ(plan->control_socket, "/r/control.sock");
  EXPECT_EQ(plan->peripherals.size(), 2u);
  EXPECT_THAT(plan->controllers, ElementsAre(machine::ControllerDescription{"uhci", machine::Uhci{}},
                                             machine::ControllerDescription{"xhci", machine::Xhci{}},
                                             machine::ControllerDescription{"xhci2", machine::Xhci{.usb2_ports = 1}}));
  EXPECT_EQ(plan->spin, Microseconds(0));
  EXPECT_TRUE(plan->low_latency);
  EXPECT_EQ(plan->remote_disks.terminate, false);
  EXPECT_TRUE(line->json);
}

TEST(MachineCommandLine, CountsBeforeTheFile) {
  const Settings merged =
      merge({.name = "line", .remote_disks = {.read_ahead = 2}, .peripherals = {{.id = "b"}}},
            {.name = "file", .spin_us = 7, .remote_disks = {.write_cache = 1}, .peripherals = {{.id = "a"}}});
  EXPECT_EQ(merged.name, "line");
  EXPECT_EQ(merged.spin_us, 7u);
  EXPECT_EQ(merged.remote_disks.read_ahead, 2u);
  EXPECT_EQ(merged.remote_disks.write_cache, 1u);
  EXPECT_EQ(merged.peripherals.at(0).id, "a");
  EXPECT_EQ(merged.peripherals.at(1).id, "b");
}

TEST(MachineCommandLine, ControllersOfTheFileCountOnlyIfTheLineHasNone) {
  const Settings uhci{.controllers = {{"u", machine::Uhci{}}}};
  const Settings ehci{.controllers = {{"e", machine::Ehci{}}}};
  EXPECT_EQ(merge(uhci, ehci).controllers, uhci.controllers);
  EXPECT_EQ(merge({}, ehci).controllers, ehci.controllers);
}

TEST(MachineCommandLine, MistakesEndWithStatusTwo) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{"--nonsense"},
                                                {"--attach", "printer"},
                                                {"--xhci", "ports=2"},
                                                {"--controller", "ohci"},
                                                {"--controller", "uhci,ports=99"},
                                                {"--capture", "x"},
                                                {"--preset", "a,interval-ms=0"},
                                                {"--spin-us", "many"},
                                                {"--remote-disks", "read-ahead=fast"},
                                                {"stray"}}) {
    const auto line = parse(words);
    ASSERT_FALSE(line) << words[0];
    EXPECT_EQ(line.error().status, 2) << words[0];
  }
  EXPECT_EQ(parse({"--help"}).error().status, 0);
  EXPECT_THAT(parse({"--help"}).error().text, HasSubstr("PERIPHERALS"));
  EXPECT_THAT(parse({"--version"}).error().text, HasSubstr("periplex-machine "));
}

TEST(MachinePlan, HasSafeDefaultsAndRefusesNonsense) {
  const auto plan = make_plan({});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->name, "vm1");
  EXPECT_EQ(plan->socket_mode, 0600u);
  EXPECT_THAT(function_socket(*plan, "xhci"), HasSubstr("periplex/vm1/xhci.sock"));
  EXPECT_THAT(plan->controllers, ElementsAre(machine::ControllerDescription{"xhci", machine::Xhci{}}));
  EXPECT_EQ(make_plan({.socket_owner = "0"})->socket_mode, 0660u);
  EXPECT_FALSE(make_plan({.name = "../x"}));
  EXPECT_FALSE(make_plan({.socket_mode = "rw"}));
  EXPECT_FALSE(make_plan({.socket_owner = "nobody-has-this-name"}));
  EXPECT_FALSE(make_plan({.controllers = {{"a", machine::Uhci{}}, {"a", machine::Xhci{}}}}));
  EXPECT_FALSE(make_plan({.log_level = "loud"}));
  EXPECT_FALSE(make_plan({.spin_us = 1'000'000}));
}

}  // namespace
}  // namespace periplex::apps
