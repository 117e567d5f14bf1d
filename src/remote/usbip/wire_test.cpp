// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "remote/usbip/device_list.hpp"
#include "remote/usbip/endpoint_table.hpp"
#include "remote/usbip/operation.hpp"
#include "remote/usbip/urb.hpp"

namespace periplex::remote::usbip {
namespace {

Bytes words(std::initializer_list<std::uint32_t> list) {
  ByteWriter out;
  for (const std::uint32_t word : list) out.be32(word);
  return out.take();
}

template <typename T>
Bytes encoded(const T& value) {
  ByteWriter out;
  encode(out, value);
  return out.take();
}

// The capture at the end of Linux's usbip_protocol.rst.
TEST(UsbipWire, UrbsAreThoseOfTheProtocolsExample) {
  const Submit in{.sequence = 0xd05,
                  .device_id = 0x1000f,
                  .direction = usb::Direction::in,
                  .endpoint = 1,
                  .flags = kDirectionIn,
                  .length = 0x40,
                  .packets = kNotIsochronousToo,
                  .interval = 4};
  // The example's words 8 and 9 have changed places; these stand where the text and Linux's code have them.
  const Bytes ordered = words({1, 0xd05, 0x1000f, 1, 1, 0x200, 0x40, 0, 0xffffffff, 4, 0, 0});
  EXPECT_EQ(encoded(in), ordered);
  EXPECT_EQ(std::get<Submit>(*parse_header(ordered)), in);
  EXPECT_EQ(ordered.size(), kHeaderSize);
  const SubmitReturn returned{.sequence = 0xd06, .actual = 0x40, .packets = kNotIsochronousToo};
  EXPECT_EQ(encoded(returned), words({3, 0xd06, 0, 0, 0, 0, 0x40, 0, 0xffffffff, 0, 0, 0}));
}

TEST(UsbipWire, EveryMessageSurvivesItsEncoding) {
  const Unlink unlink{.sequence = 9, .device_id = 0x20003, .target = 8};
  EXPECT_EQ(std::get<Unlink>(*parse_header(encoded(unlink))), unlink);
  const SubmitReturn returned{
      .sequence = 7, .status = kPipeStalled, .actual = 1, .start_frame = 2, .packets = 3, .error_count = 4};
  EXPECT_EQ(std::get<SubmitReturn>(*parse_header(encoded(returned))), returned);
  const UnlinkReturn unlinked{.sequence = 5, .status = kConnectionReset};
  EXPECT_EQ(encoded(unlinked).size(), kHeaderSize);
  EXPECT_EQ(std::get<UnlinkReturn>(*parse_header(encoded(unlinked))), unlinked);
  const PacketDescriptor packet{.offset = 1, .length = 2, .actual = 3, .status = -4};
  const Bytes bytes = encoded(packet);
  ByteReader in(bytes);
  EXPECT_EQ(read_packet_descriptor(in), packet);
  EXPECT_FALSE(parse_header(Bytes(kHeaderSize)));
  EXPECT_FALSE(parse_header(Bytes(kHeaderSize - 1, std::byte{1})));
}

TEST(UsbipWire, ASetupPacketKeepsItsBytes) {
  const usb::SetupPacket setup{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
  const Bytes bytes = encoded(Submit{.setup = setup.encode()});
  EXPECT_EQ(hex(ByteView(bytes).subspan(40)), "80 06 00 01 00 00 12 00");
}

TEST(UsbipWire, RecordsHaveTheirSizesAndSurvive) {
  const DeviceRecord record{.path = "/sys/devices/x",
                            .bus_id = "3-2.1",
                            .bus_number = 3,
                            .device_number = 7,
                            .speed = 5,
                            .vendor_id = 0x1234,
                            .product_id = 0x5678,
                            .bcd_device = 0x100,
                            .num_configurations = 1,
                            .num_interfaces = 1};
  const Bytes bytes = encoded(record);
  EXPECT_EQ(bytes.size(), DeviceRecord::kSize);
  ByteReader in(bytes);
  EXPECT_EQ(read_device_record(in), record);
  EXPECT_EQ(record.device_id(), 0x30007u);
  EXPECT_EQ(encode_import_request("3-2.1").size(), OperationHeader::kSize + DeviceRecord::kBusIdSize);
  EXPECT_EQ(encoded(InterfaceRecord{}).size(), InterfaceRecord::kSize);
}

TEST(UsbipWire, BusIdsAreThoseThatFit) {
  EXPECT_TRUE(is_bus_id("1-1"));
  EXPECT_FALSE(is_bus_id(""));
  EXPECT_FALSE(is_bus_id("1 1"));
  EXPECT_TRUE(is_bus_id(std::string(31, '1')));
  EXPECT_FALSE(is_bus_id(std::string(32, '1')));
}

TEST(UsbipWire, SpeedsAreLinuxs) {
  for (const usb::Speed speed : {usb::Speed::low, usb::Speed::full, usb::Speed::high, usb::Speed::super}) {
    EXPECT_EQ(speed_of(linux_speed(speed)), speed);
  }
  EXPECT_EQ(speed_of(6), usb::Speed::super);
  EXPECT_FALSE(speed_of(0));
}

TEST(UsbipDeviceList, ComesInPiecesOfAnySize) {
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_device_list)});
  out.be32(2);
  for (const char* bus_id : {"1-1", "1-2"}) {
    encode(out, DeviceRecord{.bus_id = bus_id, .num_interfaces = 2});
    encode(out, InterfaceRecord{.interface_class = 8});
    encode(out, InterfaceRecord{.interface_class = 3});
  }
  DeviceList list;
  const Bytes bytes = out.take();
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) ASSERT_FALSE(list.receive(ByteView(bytes).subspan(i, 1)));
  const auto offers = list.receive(ByteView(bytes).last(1));
  ASSERT_TRUE(offers && *offers);
  ASSERT_EQ((*offers)->size(), 2u);
  EXPECT_EQ((**offers)[1].record.bus_id, "1-2");
  EXPECT_EQ((**offers)[1].interfaces[1].interface_class, 3);
}

TEST(UsbipDeviceList, SaysThatSomethingElseIsAtTheFarEnd) {
  const auto answer = DeviceList().receive(as_bytes("SSH-2.0-OpenSSH_9.2\r\n"));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(*answer);
}

TEST(UsbipEndpointTable, FollowsTheSelectedSettings) {
  ByteWriter rest;
  for (const std::uint8_t setting : {std::uint8_t{0}, std::uint8_t{1}}) {
    encode(rest, usb::InterfaceDescriptor{.number = 1, .alternate_setting = setting, .num_endpoints = 1});
    encode(rest, usb::EndpointDescriptor{.address = usb::EndpointAddress(0x81),
                                         .attributes = static_cast<std::uint8_t>(setting == 0 ? 3 : 1),
                                         .max_packet_size = 8,
                                         .interval = 4});
  }
  ByteWriter out;
  encode(out, usb::ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + rest.size())});
  out.bytes(rest.view());
  const Bytes whole = out.take();
  EndpointTable table;
  table.learn(ByteView(whole).first(9));
  EXPECT_FALSE(table.find(usb::EndpointAddress(0x81)));
  table.learn(whole);
  EXPECT_EQ(table.find(usb::EndpointAddress(0x81))->type(), usb::TransferType::interrupt);
  table.select_interface(1, 1);
  EXPECT_EQ(table.find(usb::EndpointAddress(0x81))->type(), usb::TransferType::isochronous);
  table.select_configuration(1);
  EXPECT_EQ(table.find(usb::EndpointAddress(0x81))->type(), usb::TransferType::interrupt);
}

TEST(UsbipEndpointTable, IntervalsAreThoseOfUrbs) {
  const usb::EndpointDescriptor interrupt{.attributes = 3, .max_packet_size = 0x1400, .interval = 7};
  EXPECT_EQ(interval_of(interrupt, usb::Speed::full), 7u);
  EXPECT_EQ(interval_of(interrupt, usb::Speed::high), 64u);
  EXPECT_EQ(interval_of({.attributes = 1, .interval = 4}, usb::Speed::full), 8u);
  EXPECT_EQ(interval_of({.attributes = 3, .interval = 0}, usb::Speed::high), 1u);
  EXPECT_EQ(interval_size(interrupt), 0x400u * 3);
}

}  // namespace
}  // namespace periplex::remote::usbip
