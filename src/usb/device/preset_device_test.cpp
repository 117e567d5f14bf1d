// SPDX-License-Identifier: Apache-2.0
#include "usb/device/preset_device.hpp"

#include <gtest/gtest.h>

#include "usb/descriptors.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/testing/fronted_disk_host.hpp"

namespace periplex::usb::device {
namespace {

using namespace std::chrono_literals;
using testing::FrontedDiskHost;

FrontedDiskHost::Front preset(DevicePreset settings) {
  return [settings](std::unique_ptr<Device> disk, Scheduler& scheduler) {
    return std::make_unique<PresetDevice>(std::move(disk), settings, scheduler);
  };
}
/// A keyboard in place of the disk.
FrontedDiskHost::Front keyboard(DevicePreset settings, Speed speed) {
  return [settings, speed](std::unique_ptr<Device>, Scheduler& scheduler) {
    return std::make_unique<PresetDevice>(std::make_unique<HidKeyboard>("k", speed, scheduler), settings, scheduler);
  };
}

unsigned interval_of(Nanoseconds wanted, Speed speed) {
  FrontedDiskHost host(keyboard({.interval = wanted}, speed));
  const auto parsed = parse_configuration(host.descriptor(DescriptorType::configuration).data);
  return parsed ? parsed->interfaces.at(0).endpoints.at(0).descriptor.interval : 0;
}

TEST(PresetDevice, B10TheGuestSeesTheIdsThatAreSet) {
  FrontedDiskHost host(preset({.vendor = 0x1234, .product = 0xabcd}));
  const Bytes all = host.descriptor(DescriptorType::device).data;
  ASSERT_EQ(all.size(), 18U);
  EXPECT_EQ(hex(ByteView(all).subspan(8, 4)), "34 12 cd ab");
  FrontedDiskHost plain([](std::unique_ptr<Device> disk, Scheduler&) { return disk; });
  Bytes own = plain.descriptor(DescriptorType::device).data;
  std::copy(all.begin() + 8, all.begin() + 12, own.begin() + 8);
  EXPECT_EQ(all, own) << "nothing else is changed";
  for (std::uint16_t length = 0; length < 18; ++length) {
    EXPECT_EQ(host.descriptor(DescriptorType::device, 0, length).data, Bytes(all.begin(), all.begin() + length));
  }
}

TEST(PresetDevice, B10TheGuestReadsTheStringsThatAreSet) {
  FrontedDiskHost host(preset({.manufacturer = "Ours", .product_name = "Red stick", .serial_number = "77"}));
  const Bytes device = host.descriptor(DescriptorType::device).data;
  const auto string = [&](std::size_t at) {
    return host.descriptor(DescriptorType::string, std::to_integer<std::uint8_t>(device.at(at))).data;
  };
  EXPECT_EQ(string(14), encode_string("Ours"));
  EXPECT_EQ(string(15), encode_string("Red stick"));
  EXPECT_EQ(string(16), encode_string("77"));
  EXPECT_EQ(host.descriptor(DescriptorType::string, 0xf2, 6).data.size(), 6U) << "its beginning";
  EXPECT_EQ(host.descriptor(DescriptorType::string, 0).status, Status::ok);
}

TEST(PresetDevice, StringsThatAreNotSetStayTheDevicesOwn) {
  FrontedDiskHost host(preset({.product_name = "Red stick"}));
  FrontedDiskHost plain([](std::unique_ptr<Device> disk, Scheduler&) { return disk; });
  const auto serial = [](FrontedDiskHost& at) {
    const Bytes device = at.descriptor(DescriptorType::device).data;
    return at.descriptor(DescriptorType::string, std::to_integer<std::uint8_t>(device.at(16))).data;
  };
  EXPECT_EQ(serial(host), serial(plain));
  EXPECT_EQ(host.descriptor(DescriptorType::string, 0xf1).status, Status::stall) << "there is none of ours";
}

TEST(PresetDevice, B10TheIntervalIsTheNearestBelowThatTheSpeedCanSay) {
  EXPECT_EQ(interval_of(1ms, Speed::full), 1U);
  EXPECT_EQ(interval_of(32ms, Speed::full), 32U);
  EXPECT_EQ(interval_of(1s, Speed::full), 255U);
  EXPECT_EQ(interval_of(100us, Speed::full), 1U);
  EXPECT_EQ(interval_of(125us, Speed::high), 1U);
  EXPECT_EQ(interval_of(1ms, Speed::high), 4U);
  EXPECT_EQ(interval_of(5ms, Speed::high), 6U);
  EXPECT_EQ(interval_of(60s, Speed::high), 16U);
  EXPECT_EQ(interval_of(8ms, Speed::super), 7U);
}

TEST(PresetDevice, DataPassesAndEverythingComesBackOnce) {
  FrontedDiskHost host(preset({.vendor = 1, .product_name = "x", .interval = 1ms}));
  host.configure();
  (void)host.run({std::byte{0}});
  EXPECT_TRUE(host.run({std::byte{0x12}, {}, {}, {}, std::byte{36}, {}}, 36));
  EXPECT_EQ(host.data.size(), 36U);
  (void)host.in(13);
  host.device->reset();
  host.time.run_until_idle();
  EXPECT_EQ(host.completions, host.submitted());
}

}  // namespace
}  // namespace periplex::usb::device
