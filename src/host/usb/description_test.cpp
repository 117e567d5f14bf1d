// SPDX-License-Identifier: Apache-2.0
#include "host/usb/description.hpp"

#include <fstream>
#include <gmock/gmock.h>

#include "host/usb/active_interfaces.hpp"
#include "host/usb/testing/device_bench.hpp"

namespace periplex::host {
namespace {

using ::testing::ElementsAre;

Bytes configuration(std::uint8_t value, std::uint8_t interface_class, std::uint16_t claimed_length = 0) {
  ByteWriter out;
  usb::encode(out, usb::ConfigurationDescriptor{.total_length = claimed_length, .num_interfaces = 1, .value = value});
  usb::encode(out, usb::InterfaceDescriptor{.num_endpoints = 1, .interface_class = interface_class});
  usb::encode(out, usb::EndpointDescriptor{.address = usb::EndpointAddress(0x81), .attributes = 3});
  if (claimed_length == 0) out.patch_le16(2, static_cast<std::uint16_t>(out.size()));
  return out.take();
}

Bytes descriptor_file(std::initializer_list<Bytes> configurations) {
  ByteWriter out;
  usb::encode(out, usb::DeviceDescriptor{.vendor_id = 0x1234, .product_id = 0x5678});
  for (const Bytes& each : configurations) out.bytes(each);
  return out.take();
}

TEST(DescriptorFile, AllConfigurationsAreRead) {
  const auto parsed = parse_descriptor_file(descriptor_file({configuration(1, 3), configuration(2, 8)}));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->device.vendor_id, 0x1234);
  ASSERT_EQ(parsed->configurations.size(), 2u);
  EXPECT_EQ(parsed->configurations[1].descriptor.value, 2);
  EXPECT_EQ(parsed->configurations[1].interfaces.at(0).descriptor.interface_class, 8);
}

TEST(DescriptorFile, ATotalLengthThatDoesNotFitIsNotTrusted) {
  const auto parsed = parse_descriptor_file(descriptor_file({configuration(1, 3, 500), configuration(2, 8, 9)}));
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->configurations.size(), 2u);
  EXPECT_EQ(parsed->configurations[0].interfaces.at(0).endpoints.size(), 1u);
  EXPECT_EQ(parsed->configurations[1].interfaces.at(0).endpoints.size(), 1u);
}

TEST(DescriptorFile, WhatIsBrokenEndsTheList) {
  Bytes broken = configuration(2, 8);
  broken[9] = std::byte{1};
  const auto parsed = parse_descriptor_file(descriptor_file({configuration(1, 3), broken}));
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->configurations.size(), 2u);
  EXPECT_TRUE(parsed->configurations[1].interfaces.empty());
  EXPECT_FALSE(parse_descriptor_file(Bytes(5)).has_value());
}

TEST(Description, ComesFromSysfs) {
  const std::filesystem::path root = std::filesystem::path(::testing::TempDir()) / "periplex-sysfs";
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "1-2" / "1-2:1.0");
  std::filesystem::create_directory_symlink("/bus/usb/drivers/usbhid", root / "1-2" / "1-2:1.0" / "driver");
  const auto write = [&](const char* name, std::string_view text) { std::ofstream(root / "1-2" / name) << text; };
  write("busnum", "1\n");
  write("devnum", "17\n");
  write("speed", "1.5\n");
  write("bConfigurationValue", "1\n");
  write("product", "A keyboard\n");
  write("serial", "42\n");
  write("descriptors", as_text(descriptor_file({configuration(1, 3)})));

  const auto description = read_description("1-2", root);
  ASSERT_TRUE(description.has_value());
  EXPECT_EQ(description->location, (UsbLocation{.bus = 1, .address = 17}));
  EXPECT_EQ(description->speed, usb::Speed::low);
  EXPECT_EQ(description->active_configuration, 1);
  EXPECT_EQ(description->manufacturer, "");
  EXPECT_EQ(description->product, "A keyboard");
  EXPECT_EQ(description->serial_number, "42");
  EXPECT_THAT(description->drivers, ElementsAre("usbhid"));

  EXPECT_EQ(read_description("1-3", root).error(), UsbDescriptionError::gone);
  write("descriptors", "");
  EXPECT_EQ(read_description("1-2", root).error(), UsbDescriptionError::unreadable);
  std::filesystem::remove_all(root);
}

TEST(Description, PortsHaveTheKernelsNames) {
  EXPECT_EQ(port_name(3, {}), "usb3");
  EXPECT_EQ(port_name(1, std::array<std::uint8_t, 3>{2, 14, 1}), "1-2.14.1");
}

TEST(ActiveInterfacesTest, EndpointsAreThoseOfTheCurrentSettings) {
  ActiveInterfaces active(testing::bench_description().descriptors, 1);
  EXPECT_THAT(active.interfaces(), ElementsAre(0, 1));
  EXPECT_EQ(active.find(usb::EndpointAddress(testing::kBulkIn))->max_streams, 0u);
  EXPECT_FALSE(active.find(usb::EndpointAddress(testing::kInterruptIn)));
  EXPECT_TRUE(active.choose_alternate(0, 1));
  EXPECT_TRUE(active.choose_alternate(1, 1));
  EXPECT_EQ(active.find(usb::EndpointAddress(testing::kBulkIn))->max_streams, 16u);
  EXPECT_EQ(active.find(usb::EndpointAddress(testing::kInterruptIn))->type, usb::TransferType::interrupt);
  EXPECT_THAT(active.stream_endpoints(0), ElementsAre(testing::kBulkIn, testing::kBulkOut));
  EXPECT_FALSE(active.choose_alternate(0, 2));
  EXPECT_FALSE(active.choose_configuration(3));
  EXPECT_TRUE(active.choose_configuration(1));
  EXPECT_FALSE(active.find(usb::EndpointAddress(testing::kInterruptIn))) << "settings start afresh";
  EXPECT_TRUE(active.choose_configuration(0));
  EXPECT_TRUE(active.interfaces().empty());
}

}  // namespace
}  // namespace periplex::host
