// SPDX-License-Identifier: Apache-2.0
#include "usb/device/descriptor_set.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::device {
namespace {

using std::chrono::milliseconds;

DeviceDescription keyboard_like(Microseconds interval = milliseconds(10)) {
  DeviceDescription device{.vendor_id = 0x1209,
                           .product_id = 1,
                           .manufacturer = "Maker",
                           .product = "Thing",
                           .serial_number = "0123",
                           .max_power_ma = 100,
                           .remote_wake_up = true};
  EndpointDescription in{
      .address = EndpointAddress(0x81), .type = TransferType::interrupt, .payload = 8, .interval = interval};
  device.interfaces.push_back({.endpoints = {in}});
  return device;
}

DeviceDescription disk_like() {
  DeviceDescription device = keyboard_like();
  device.interfaces[0].endpoints = {{.address = EndpointAddress(0x81), .max_burst = 15},
                                    {.address = EndpointAddress(0x02),
                                     .max_burst = 15,
                                     .class_descriptors = ByteWriter().u8(4).u8(0x24).u8(1).u8(0).take()}};
  return device;
}

/// Descriptor `value` of `set`; no bytes if there is none.
Bytes bytes_of(const DescriptorSet& set, unsigned value) {
  const auto found = set.find(static_cast<std::uint16_t>(value)).value_or(ByteView{});
  return {found.begin(), found.end()};
}

/// What stands behind endpoint `index` of the first interface.
SuperSpeedCompanion companion_of(const ParsedConfiguration& configuration, std::size_t index) {
  return configuration.interfaces.at(0).endpoints.at(index).companion.value_or(SuperSpeedCompanion{});
}

DeviceDescriptor device_at(Speed speed) {
  const DescriptorSet set(keyboard_like(), speed);
  return parse_device(bytes_of(set, 0x0100)).value();
}

ParsedConfiguration configuration_at(const DeviceDescription& device, Speed speed, std::uint16_t value = 0x0200) {
  const DescriptorSet set(device, speed);
  return parse_configuration(bytes_of(set, value)).value();
}

EndpointDescriptor interrupt_at(Speed speed, Microseconds interval) {
  return configuration_at(keyboard_like(interval), speed).interfaces.at(0).endpoints.at(0).descriptor;
}

TEST(DescriptorSet, TheDeviceSpeaksTheVersionOfItsSpeed) {
  EXPECT_EQ(device_at(Speed::low).bcd_usb, 0x0110);
  EXPECT_EQ(device_at(Speed::full).bcd_usb, 0x0200);
  EXPECT_EQ(device_at(Speed::high).bcd_usb, 0x0200);
  EXPECT_EQ(device_at(Speed::super).bcd_usb, 0x0320);
}

TEST(DescriptorSet, TheDefaultPipeHasThePacketSizeOfItsSpeed) {
  EXPECT_EQ(device_at(Speed::low).max_packet_size0, 8);
  EXPECT_EQ(device_at(Speed::full).max_packet_size0, 64);
  EXPECT_EQ(device_at(Speed::high).max_packet_size0, 64);
  EXPECT_EQ(device_at(Speed::super).max_packet_size0, 9);
}

TEST(DescriptorSet, BulkEndpointsHaveThePacketSizeOfTheirSpeed) {
  const auto packet = [](Speed speed) {
    return configuration_at(disk_like(), speed).interfaces.at(0).endpoints.at(0).descriptor.max_packet_size;
  };
  EXPECT_EQ(packet(Speed::full), 64);
  EXPECT_EQ(packet(Speed::high), 512);
  EXPECT_EQ(packet(Speed::super), 1024);
}

TEST(DescriptorSet, CompanionsStandBehindEndpointsFromUsb3On) {
  const auto high = configuration_at(disk_like(), Speed::high);
  EXPECT_FALSE(high.interfaces.at(0).endpoints.at(0).companion);
  const auto super = configuration_at(disk_like(), Speed::super);
  EXPECT_EQ(companion_of(super, 0).max_burst, 15);
  EXPECT_EQ(companion_of(super, 1).max_burst, 15);
  EXPECT_EQ(super.interfaces.at(0).class_descriptors.size(), 4u);
  const auto interrupt = configuration_at(keyboard_like(), Speed::super);
  EXPECT_EQ(companion_of(interrupt, 0).bytes_per_interval, 8);
}

TEST(DescriptorSet, IntervalsAreFramesOrPowersOfMicroframesAndNeverLongerThanAskedFor) {
  EXPECT_EQ(interrupt_at(Speed::low, milliseconds(4)).interval, 10) << "low speed knows none below 10 ms";
  EXPECT_EQ(interrupt_at(Speed::full, milliseconds(4)).interval, 4);
  EXPECT_EQ(interrupt_at(Speed::full, milliseconds(1000)).interval, 255);
  EXPECT_EQ(interrupt_at(Speed::high, milliseconds(4)).interval, 6) << "2^5 microframes";
  EXPECT_EQ(interrupt_at(Speed::high, milliseconds(10)).interval, 7) << "8 ms";
  EXPECT_EQ(interrupt_at(Speed::super, Microseconds(125)).interval, 1);
  EXPECT_EQ(interrupt_at(Speed::super, Microseconds(0)).interval, 1);
  EXPECT_EQ(interrupt_at(Speed::super, std::chrono::minutes(1)).interval, 16);
}

TEST(DescriptorSet, PowerIsCountedInTheUnitOfTheSpeed) {
  EXPECT_EQ(configuration_at(keyboard_like(), Speed::high).descriptor.max_power, 50);
  EXPECT_EQ(configuration_at(keyboard_like(), Speed::super).descriptor.max_power, 13);
  EXPECT_EQ(configuration_at(keyboard_like(), Speed::high).descriptor.attributes, 0xa0);
}

TEST(DescriptorSet, OnlyHighSpeedHasAQualifierAndAnotherSpeed) {
  for (const Speed speed : {Speed::low, Speed::full, Speed::super}) {
    const DescriptorSet set(keyboard_like(), speed);
    EXPECT_FALSE(set.find(0x0600)) << name(speed);
    EXPECT_FALSE(set.find(0x0700)) << name(speed);
  }
  const DescriptorSet set(disk_like(), Speed::high);
  EXPECT_EQ(hex(bytes_of(set, 0x0600)), "0a 06 00 02 00 00 00 40 01 00");
  const auto other = configuration_at(disk_like(), Speed::high, 0x0700);
  EXPECT_EQ(other.interfaces.at(0).endpoints.at(0).descriptor.max_packet_size, 64);
}

TEST(DescriptorSet, OnlyUsb3HasABos) {
  EXPECT_FALSE(DescriptorSet(keyboard_like(), Speed::high).find(0x0f00));
  EXPECT_EQ(hex(bytes_of(DescriptorSet(keyboard_like(), Speed::super), 0x0f00)),
            "05 0f 16 00 02 07 10 02 02 00 00 00 0a 10 03 00 0e 00 01 0a 20 00");
}

TEST(DescriptorSet, StringsAreFoundUnderTheIndexTheDeviceNames) {
  const DescriptorSet set(keyboard_like(), Speed::high);
  const DeviceDescriptor device = device_at(Speed::high);
  EXPECT_EQ(hex(bytes_of(set, 0x0300)), "04 03 09 04");
  EXPECT_EQ(hex(bytes_of(set, 0x0300 | device.serial_number)), "0a 03 30 00 31 00 32 00 33 00");
  EXPECT_FALSE(set.find(0x0304));
  EXPECT_FALSE(set.find(0x03ee)) << "Microsoft's";
}

TEST(DescriptorSet, EmptyStringsHaveNoIndex) {
  DeviceDescription device = keyboard_like();
  device.manufacturer = device.product = device.serial_number = "";
  const DescriptorSet set(device, Speed::high);
  EXPECT_EQ(parse_device(bytes_of(set, 0x0100)).value().product, 0);
  EXPECT_FALSE(set.find(0x0300));
}

TEST(DescriptorSet, AlternateSettingsAreOneInterface) {
  DeviceDescription device = disk_like();
  device.interfaces.push_back(device.interfaces[0]);
  device.interfaces[1].alternate_setting = 1;
  const auto configuration = configuration_at(device, Speed::high);
  EXPECT_EQ(configuration.descriptor.num_interfaces, 1);
  EXPECT_EQ(configuration.interfaces.size(), 2u);
}

TEST(DeviceDescription, BulkAndLongPacketsDoNotRunAtLowSpeed) {
  EXPECT_TRUE(runs_at(keyboard_like(), Speed::low));
  EXPECT_FALSE(runs_at(disk_like(), Speed::low));
  EXPECT_TRUE(runs_at(disk_like(), Speed::full));
  DeviceDescription device = keyboard_like();
  device.interfaces[0].endpoints[0].payload = 9;
  EXPECT_FALSE(runs_at(device, Speed::low));
}

TEST(DeviceDescription, SerialNumbersDependOnTheNameOnly) {
  EXPECT_EQ(stable_serial_number("keyboard"), stable_serial_number("keyboard"));
  EXPECT_NE(stable_serial_number("disk1"), stable_serial_number("disk2"));
  EXPECT_EQ(stable_serial_number(""), "CBF29CE484222325") << "it must never change";
}

}  // namespace
}  // namespace periplex::usb::device
