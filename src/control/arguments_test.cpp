// SPDX-License-Identifier: Apache-2.0
#include "control/arguments.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::control {
namespace {

using ::testing::HasSubstr;
using Controllers = std::vector<machine::ControllerView>;

Controllers one(std::string socket) {
  return {{.name = "xhci", .kind = "xhci", .socket = std::move(socket)}};
}

/// Two EHCIs with companions, and an xHCI between them.
Controllers many() {
  return {{.name = "a1", .socket = "/a1", .companion_of = "a"},
          {.name = "a2", .socket = "/a2", .companion_of = "a"},
          {.name = "a", .socket = "/a"},
          {.name = "x", .socket = "/x"},
          {.name = "b1", .socket = "/b1", .companion_of = "b"},
          {.name = "b", .socket = "/b"}};
}

TEST(MonitorArguments, QemuGetsSharedMemoryAndTheDeviceReadyToPaste) {
  const MonitorArguments arguments = monitor_arguments(Monitor::qemu, one("/run/p/vm1/xhci.sock"), "2G");
  EXPECT_EQ(arguments.text,
            "-m 2G -object memory-backend-memfd,id=ram,size=2G,share=on -machine q35,memory-backend=ram -device "
            R"('{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/p/vm1/xhci.sock"}}')");
  EXPECT_EQ(arguments.words.size(), 8u);
}

TEST(MonitorArguments, CloudHypervisorGetsAUserDevice) {
  EXPECT_EQ(monitor_arguments(Monitor::cloud_hypervisor, one("/s"), "512M").text,
            "--memory size=512M,shared=on --user-device socket=/s");
}

TEST(MonitorArguments, LibvirtGetsXml) {
  const std::string text = monitor_arguments(Monitor::libvirt, one("/a&b"), "1G").text;
  EXPECT_THAT(text, HasSubstr("<memory unit='b'>1073741824</memory>"));
  EXPECT_THAT(text, HasSubstr("<access mode='shared'/>"));
  EXPECT_THAT(text, HasSubstr(R"("path":"/a&amp;b")"));
}

TEST(MonitorArguments, AControllerAndItsCompanionsShareASlotOfQemu) {
  const std::vector<std::string> words = monitor_arguments(Monitor::qemu, many(), "2G").words;
  ASSERT_EQ(words.size(), 6u + 12u);
  const auto device = [](std::string_view place, std::string_view path) {
    return fmt::format(R"({{"driver":"vfio-user-pci",{}"socket":{{"type":"unix","path":"{}"}}}})", place, path);
  };
  EXPECT_EQ(words[7], device(R"("addr":"1a.0","multifunction":true,)", "/a1"));
  EXPECT_EQ(words[9], device(R"("addr":"1a.1",)", "/a2"));
  EXPECT_EQ(words[11], device(R"("addr":"1a.7",)", "/a"));
  EXPECT_EQ(words[13], device("", "/x"));
  EXPECT_EQ(words[15], device(R"("addr":"19.0","multifunction":true,)", "/b1"));
  EXPECT_EQ(words[17], device(R"("addr":"19.7",)", "/b"));
}

TEST(MonitorArguments, EveryFunctionGoesToEveryMonitor) {
  EXPECT_EQ(
      monitor_arguments(Monitor::cloud_hypervisor, many(), "512M").text,
      "--memory size=512M,shared=on --user-device socket=/a1 socket=/a2 socket=/a socket=/x socket=/b1 socket=/b");
  const std::string text = monitor_arguments(Monitor::libvirt, many(), "1G").text;
  EXPECT_THAT(text, HasSubstr(R"("addr":"1a.7","socket":{"type":"unix","path":"/a"})"));
  EXPECT_THAT(text, HasSubstr(R"("path":"/b1")"));
}

TEST(MonitorArguments, OddPathsSurviveEveryQuoting) {
  const MonitorArguments arguments = monitor_arguments(Monitor::qemu, one("/it's \"x\""), "2G");
  EXPECT_THAT(arguments.words.back(), HasSubstr(R"("path":"/it's \"x\"")"));
  EXPECT_THAT(arguments.text, HasSubstr(R"(/it'\''s \"x\")"));
}

TEST(MonitorArguments, MonitorsAreKnownByName) {
  for (const Monitor monitor : {Monitor::qemu, Monitor::libvirt, Monitor::cloud_hypervisor}) {
    EXPECT_EQ(parse_monitor(name(monitor)), monitor);
  }
  EXPECT_FALSE(parse_monitor("xen"));
}

TEST(MonitorArguments, MemorySizesAreWrittenAsForQemu) {
  EXPECT_EQ(parse_memory_size("512M"), 512u << 20);
  EXPECT_EQ(parse_memory_size("2G"), 2ull << 30);
  EXPECT_EQ(parse_memory_size("4096"), 4096u);
  for (const char* bad : {"", "G", "0", "2Gi", "-1G", "2g", "99999999999999999999", "99999999999T"}) {
    EXPECT_FALSE(parse_memory_size(bad)) << bad;
  }
}

}  // namespace
}  // namespace periplex::control
