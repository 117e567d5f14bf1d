// SPDX-License-Identifier: Apache-2.0
#include "usb/descriptors.hpp"

#include <gtest/gtest.h>

namespace periplex::usb {
namespace {

template <typename... Descriptors>
Bytes configuration_of(const Descriptors&... descriptors) {
  ByteWriter body;
  (encode(body, descriptors), ...);
  ByteWriter out;
  encode(out,
         ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + body.size()), .num_interfaces = 1});
  return out.bytes(body.view()).take();
}

constexpr EndpointDescriptor kBulkIn{
    .address = EndpointAddress(0x81), .attributes = 2, .max_packet_size = 1024, .interval = 0};

TEST(Descriptors, ADeviceDescriptorHasTheBytesOfTable9_8) {
  ByteWriter out;
  encode(out, DeviceDescriptor{.bcd_usb = 0x0200,
                               .device_class = 1,
                               .device_subclass = 2,
                               .device_protocol = 3,
                               .max_packet_size0 = 64,
                               .vendor_id = 0x1209,
                               .product_id = 0x0004,
                               .bcd_device = 0x0100,
                               .manufacturer = 1,
                               .product = 2,
                               .serial_number = 3,
                               .num_configurations = 1});
  EXPECT_EQ(hex(out.view()), "12 01 00 02 01 02 03 40 09 12 04 00 00 01 01 02 03 01");
}

TEST(Descriptors, ADeviceDescriptorComesBackAsItWent) {
  const DeviceDescriptor device{.bcd_usb = 0x0320, .max_packet_size0 = 9, .vendor_id = 0x1209, .product_id = 1};
  ByteWriter out;
  encode(out, device);
  EXPECT_EQ(parse_device(out.view()), device);
}

TEST(Descriptors, EndpointAndCompanionHaveTheBytesOfTheTables) {
  ByteWriter out;
  encode(out, kBulkIn);
  encode(out, SuperSpeedCompanion{.max_burst = 15, .attributes = 0, .bytes_per_interval = 0x0102});
  EXPECT_EQ(hex(out.view()), "07 05 81 02 00 04 00 06 30 0f 00 02 01");
}

TEST(Descriptors, TheQualifierHasTheBytesOfTable9_9) {
  EXPECT_EQ(hex(encode_device_qualifier({.bcd_usb = 0x0200, .max_packet_size0 = 64, .num_configurations = 1})),
            "0a 06 00 02 00 00 00 40 01 00");
}

TEST(Descriptors, TheBosHoldsBothCapabilities) {
  EXPECT_EQ(hex(encode_bos({.attributes = 2}, {.attributes = 0,
                                               .speeds_supported = 0x000e,
                                               .functionality_support = 1,
                                               .u1_exit_latency = 10,
                                               .u2_exit_latency = 32})),
            "05 0f 16 00 02 07 10 02 02 00 00 00 0a 10 03 00 0e 00 01 0a 20 00");
}

TEST(Descriptors, StringsAreUtf16) {
  EXPECT_EQ(hex(encode_string("aß")), "06 03 61 00 df 00");
  EXPECT_EQ(hex(encode_string("€😀")), "08 03 ac 20 3d d8 00 de");
  EXPECT_EQ(hex(encode_string("")), "02 03");
}

TEST(Descriptors, BrokenUtf8BecomesTheReplacementCharacter) {
  EXPECT_EQ(hex(encode_string("\xff")), "04 03 fd ff");
  EXPECT_EQ(hex(encode_string("\xe2\x82")), "06 03 fd ff fd ff") << "cut short";
  EXPECT_EQ(hex(encode_string("\xe0\x80\x80")), "04 03 fd ff") << "overlong";
  EXPECT_EQ(hex(encode_string("\xed\xa0\x80")), "04 03 fd ff") << "a surrogate";
}

TEST(Descriptors, LongStringsAreCutAtWholeCharacters) {
  EXPECT_EQ(encode_string(std::string(300, 'x')).size(), 254u);
  std::string text(125, 'x');
  text += "😀";
  EXPECT_EQ(encode_string(text).size(), 252u) << "no half of a surrogate pair";
}

TEST(Descriptors, TheLanguageTableListsTheIds) {
  const std::uint16_t ids[] = {0x0409, 0x0407};
  EXPECT_EQ(hex(encode_language_ids(ids)), "06 03 09 04 07 04");
}

TEST(DescriptorParser, VisitsEveryDescriptorInOrder) {
  const Bytes bytes = configuration_of(InterfaceDescriptor{.num_endpoints = 1}, kBulkIn);
  std::vector<std::uint8_t> types;
  EXPECT_TRUE(for_each_descriptor(bytes, [&](const DescriptorView& view) { types.push_back(view.type); }));
  EXPECT_EQ(types, (std::vector<std::uint8_t>{2, 4, 5}));
}

TEST(DescriptorParser, ALengthBelowTwoEndsTheWalk) {
  const Bytes bytes(4, std::byte{1});
  EXPECT_EQ(for_each_descriptor(bytes, [](const DescriptorView&) {}).error(), DescriptorError::bad_length);
}

TEST(DescriptorParser, ADescriptorPastTheEndIsTruncated) {
  const Bytes bytes = configuration_of(InterfaceDescriptor{}, kBulkIn);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_configuration(ByteView(bytes).first(size)).error(), DescriptorError::truncated) << size;
  }
}

TEST(DescriptorParser, FindsInterfacesEndpointsAndCompanions) {
  const Bytes bytes = configuration_of(InterfaceDescriptor{.num_endpoints = 1, .interface_class = 8}, kBulkIn,
                                       SuperSpeedCompanion{.max_burst = 15});
  const auto parsed = parse_configuration(bytes);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->interfaces.size(), 1u);
  EXPECT_EQ(parsed->interfaces[0].descriptor.interface_class, 8);
  const ParsedEndpoint* endpoint = parsed->find_endpoint(EndpointAddress(0x81));
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(endpoint->descriptor, kBulkIn);
  EXPECT_EQ(endpoint->descriptor.type(), TransferType::bulk);
  EXPECT_EQ(endpoint->companion, SuperSpeedCompanion{.max_burst = 15});
  EXPECT_EQ(parsed->find_endpoint(EndpointAddress(0x01)), nullptr);
}

TEST(DescriptorParser, KeepsWhatOnlyTheClassKnows) {
  Bytes bytes = configuration_of(InterfaceDescriptor{});
  const Bytes hid = ByteWriter().u8(3).u8(0x21).u8(0x99).take();
  bytes.insert(bytes.end(), hid.begin(), hid.end());
  bytes[2] = static_cast<std::byte>(bytes.size());
  const auto parsed = parse_configuration(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->interfaces[0].class_descriptors, hid);
}

TEST(DescriptorParser, IgnoresBytesBehindTheTotalLength) {
  Bytes bytes = configuration_of(InterfaceDescriptor{});
  bytes.resize(bytes.size() + 3);
  EXPECT_TRUE(parse_configuration(bytes));
}

TEST(DescriptorParser, RefusesWhatStandsInTheWrongPlace) {
  EXPECT_EQ(parse_configuration(configuration_of(kBulkIn)).error(), DescriptorError::misplaced);
  EXPECT_EQ(parse_configuration(configuration_of(InterfaceDescriptor{}, SuperSpeedCompanion{})).error(),
            DescriptorError::misplaced);
  ByteWriter device;
  encode(device, DeviceDescriptor{});
  EXPECT_EQ(parse_configuration(device.view()).error(), DescriptorError::wrong_type);
}

TEST(DescriptorParser, RefusesATotalLengthSmallerThanTheHeader) {
  Bytes bytes = configuration_of(InterfaceDescriptor{});
  bytes[2] = std::byte{4};
  EXPECT_EQ(parse_configuration(bytes).error(), DescriptorError::bad_length);
}

TEST(DescriptorParser, RefusesDescriptorsTooSmallForTheirType) {
  const Bytes endpoint = ByteWriter().u8(5).u8(5).u8(0x81).u8(2).u8(0).take();
  EXPECT_EQ(parse_endpoint(endpoint).error(), DescriptorError::bad_length);
}

}  // namespace
}  // namespace periplex::usb
