// SPDX-License-Identifier: Apache-2.0
#include "usb/without_streams.hpp"

#include <gtest/gtest.h>

namespace periplex::usb {
namespace {

constexpr std::uint8_t kBulk = 2;
constexpr std::uint8_t kSixteenStreams = 4;

void add_interface(ByteWriter& out, std::uint8_t alternate_setting, std::uint8_t streams) {
  encode(out, InterfaceDescriptor{.number = 0, .alternate_setting = alternate_setting, .num_endpoints = 1});
  encode(out, EndpointDescriptor{.address = EndpointAddress(0x81), .attributes = kBulk, .max_packet_size = 1024});
  encode(out, SuperSpeedCompanion{.max_burst = 3, .attributes = streams});
}

Bytes configuration(std::uint8_t first, std::uint8_t second) {
  ByteWriter rest;
  add_interface(rest, 0, first);
  add_interface(rest, 1, second);
  ByteWriter out;
  encode(out,
         ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + rest.size()), .num_interfaces = 1});
  out.bytes(rest.view());
  return out.take();
}

TEST(WithoutStreams, AnAlternateSettingWithStreamsIsLeftOut) {
  const auto parsed = parse_configuration(without_streams(configuration(0, kSixteenStreams)));
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->interfaces.size(), 1u);
  EXPECT_EQ(parsed->interfaces[0].descriptor.alternate_setting, 0);
  EXPECT_EQ(parsed->interfaces[0].endpoints[0].companion->max_burst, 3);
  EXPECT_EQ(parsed->descriptor.total_length, 9 + 9 + 7 + 6);
}

TEST(WithoutStreams, ASettingZeroStaysButHasNone) {
  const Bytes original = configuration(kSixteenStreams, 0);
  EXPECT_TRUE(needs_streams(*parse_configuration(original)));
  const auto parsed = parse_configuration(without_streams(original));
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->interfaces.size(), 2u);
  EXPECT_EQ(parsed->interfaces[0].endpoints[0].companion->attributes, 0);
  EXPECT_FALSE(needs_streams(*parsed));
}

TEST(WithoutStreams, WhatHasNoneOrIsBrokenStaysAsItIs) {
  const Bytes plain = configuration(0, 0);
  EXPECT_EQ(without_streams(plain), plain);
  const Bytes broken(5, std::byte{1});
  EXPECT_EQ(without_streams(broken), broken);
  EXPECT_TRUE(without_streams({}).empty());
}

}  // namespace
}  // namespace periplex::usb
