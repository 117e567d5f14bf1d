// SPDX-License-Identifier: Apache-2.0
#include "control/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::control {
namespace {

using ::testing::HasSubstr;

TEST(MonitorArguments, QemuGetsSharedMemoryAndTheDeviceReadyToPaste) {
  const MonitorArguments arguments = monitor_arguments(Monitor::qemu, "/run/p/vm1/xhci.sock", "2G");
  EXPECT_EQ(arguments.text,
            "-m 2G -object memory-backend-memfd,id=ram,size=2G,share=on -machine q35,memory-backend=ram -device "
            R"('{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/p/vm1/xhci.sock"}}')");
  EXPECT_EQ(arguments.words.size(), 8u);
}

TEST(MonitorArguments, CloudHypervisorGetsAUserDevice) {
  EXPECT_EQ(monitor_arguments(Monitor::cloud_hypervisor, "/s", "512M").text,
            "--memory size=512M,shared=on --user-device socket=/s");
}

TEST(MonitorArguments, LibvirtGetsXml) {
  const std::string text = monitor_arguments(Monitor::libvirt, "/a&b", "1G").text;
  EXPECT_THAT(text, HasSubstr("<memory unit='b'>1073741824</memory>"));
  EXPECT_THAT(text, HasSubstr("<access mode='shared'/>"));
  EXPECT_THAT(text, HasSubstr(R"("path":"/a&amp;b")"));
}

TEST(MonitorArguments, OddPathsSurviveEveryQuoting) {
  const MonitorArguments arguments = monitor_arguments(Monitor::qemu, "/it's \"x\"", "2G");
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
