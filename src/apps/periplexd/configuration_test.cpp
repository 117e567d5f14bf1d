// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "apps/files.hpp"
#include "apps/periplexd/settings.hpp"

namespace periplex::apps {
namespace {

using ::testing::HasSubstr;

class ManagerConfigurationTest : public ::testing::Test {
 protected:
  ~ManagerConfigurationTest() override { std::filesystem::remove_all(directory); }
  auto read(std::string_view text) {
    EXPECT_TRUE(make_own_directory(directory));
    EXPECT_TRUE(replace_file(directory + "/host.toml", text, 0600));
    return read_manager_settings(directory + "/host.toml");
  }
  const std::string directory = ::testing::TempDir() + fmt::format("periplex-manager-{}", ::getpid());
};

TEST_F(ManagerConfigurationTest, IsReadWithPathsRelativeToIt) {
  const auto settings = read(R"(
state-dir = "state"
runtime-dir = "run"
[gate]
name = "host"
listen = "127.0.0.1:0"
[[machine]]
name = "vm1"
start = true
config = "vm1.toml"
[machine.remote-disks]
read-ahead = "32M"
write-cache = true
[[machine]]
name = "vm2"
streams = "elsewhere.sock"
[[binding]]
seat = "desk-*"
machine = "vm1"
[[limit]]
seat = "desk-*"
peripherals = 3
[[peripheral]]
peripheral = "desk-7/usb:1-2"
readonly = true
name = "Red, round"
interval-ms = 4
)");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(settings->state_directory, directory + "/state");
  EXPECT_EQ(settings->listen, "127.0.0.1:0");
  EXPECT_TRUE(settings->datagrams);
  EXPECT_FALSE(read("[gate]\ndatagrams = false\n")->datagrams);
  ASSERT_EQ(settings->machines.size(), 2U);
  EXPECT_EQ(settings->machines[0].configuration, directory + "/vm1.toml");
  EXPECT_EQ(machine::format_disk_settings(settings->machines[0].remote_disks), "read-ahead=32M,write-cache=8M");
  EXPECT_EQ(settings->machines[0].streams, directory + "/run/vm1/streams.sock");
  EXPECT_EQ(settings->machines[1].streams, directory + "/elsewhere.sock");
  ASSERT_EQ(settings->bindings.size(), 1U);
  EXPECT_EQ(settings->bindings[0], (gate::Binding{"desk-*", "*", "vm1"}));
  EXPECT_EQ(settings->presets, std::vector<std::string>{"desk-7/usb:1-2,interval-ms=4,name=Red,, round,readonly=true"});
  EXPECT_EQ(settings->limits, (std::vector<gate::Limit>{{"desk-*", 3}}));
}

TEST_F(ManagerConfigurationTest, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(read("nonsense").error(), HasSubstr("host.toml:1:"));
  EXPECT_THAT(read("\ncolour = 3\n").error(), HasSubstr("host.toml:2: \"colour\""));
  EXPECT_THAT(read("[gate]\nname = \"a b\"\n").error(), HasSubstr("cannot be a gate's name"));
  EXPECT_THAT(read("[[machine]]\nname = \"../x\"\n").error(), HasSubstr("cannot be a machine's name"));
  EXPECT_THAT(read("[[machine]]\nname = \"a\"\n[[machine]]\nname = \"a\"\n").error(), HasSubstr("two machines"));
  EXPECT_THAT(read("[[binding]]\nmachine = \"vm9\"\n").error(), HasSubstr("\"vm9\", which there is not"));
  EXPECT_THAT(read("[[machine]]\nname = \"a\"\nstart = \"yes\"\n").error(), HasSubstr("\"start\""));
  const std::string started = "[[machine]]\nname = \"a\"\nstart = true\n[machine.remote-disks]\n";
  EXPECT_THAT(read(started + "colour = 3\n").error(), HasSubstr("host.toml:4: disks at seats have no setting"));
  EXPECT_THAT(read(started + "read-ahead = \"fast\"\n").error(), HasSubstr("read-ahead=off"));
  EXPECT_THAT(read("[[machine]]\nname = \"a\"\nremote-disks = {terminate = false}\n").error(),
              HasSubstr("the worker of a is started elsewhere"));
  EXPECT_THAT(read("[[limit]]\nseat = \"a\"\n").error(), HasSubstr(":1: a limit has"));
  EXPECT_THAT(read("[[limit]]\nperipherals = 65\n").error(), HasSubstr("from 0 to 64"));
  EXPECT_THAT(read("[[limit]]\nperipherals = \"x\"\n").error(), HasSubstr(":2: \"peripherals\""));
  EXPECT_THAT(read("limit = 3\n").error(), HasSubstr("\"limit\""));
  EXPECT_THAT(read("[[peripheral]]\nreadonly = true\n").error(), HasSubstr(":1: \"\" names no peripheral"));
  EXPECT_THAT(read("[[peripheral]]\nperipheral = \"a\"\ncolour = 3\n").error(), HasSubstr("nothing that can be set"));
  EXPECT_THAT(read("[[peripheral]]\nperipheral = \"a\"\nname = 1.5\n").error(), HasSubstr(":3: \"name\""));
}

TEST_F(ManagerConfigurationTest, NeedsNoFile) {
  const auto settings = read_manager_settings("");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_TRUE(settings->machines.empty());
  EXPECT_EQ(settings->listen, "[::]:24817");
}

}  // namespace
}  // namespace periplex::apps
