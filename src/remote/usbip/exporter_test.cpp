// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/exporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "remote/usbip/device_list.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::remote::usbip {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using usb::Direction;
using usb::Status;

/// A client played by hand, and a device played by hand.
class UsbipExporter : public ::testing::Test, public ExporterHost {
 protected:
  UsbipExporter() {
    exports.push_back({.record = {.bus_id = "1-1", .bus_number = 1, .device_number = 2, .num_interfaces = 1},
                       .interfaces = {{.interface_class = 8}},
                       .device = &device});
    exporter = std::make_unique<Exporter>(exports, *this, time);
  }
  void send(Bytes bytes) override { sent.append(bytes); }
  void exporter_failed(std::string text) override { why = std::move(text); }

  template <typename T>
  void put(const T& message, ByteView data = {}) {
    ByteWriter out;
    encode(out, message);
    out.bytes(data);
    exporter->receive(out.view());
    time.run_until_idle();
  }
  OperationHeader import(std::string_view bus_id = "1-1") {
    exporter->receive(encode_import_request(bus_id));
    time.run_until_idle();
    ByteReader in(sent.view());
    const OperationHeader header = read_operation_header(in);
    sent.consume(sent.size());
    return header;
  }
  /// The next answer; its data stays in `sent`.
  std::optional<Message> next() {
    if (sent.size() < kHeaderSize) return std::nullopt;
    const auto message = parse_header(sent.view().first(kHeaderSize));
    sent.consume(kHeaderSize);
    return message;
  }
  std::string data() {
    std::string text(as_text(sent.view()));
    sent.consume(sent.size());
    return text;
  }

  periplex::testing::VirtualTime time;
  usb::testing::FakeDevice device{time, usb::Speed::high};
  std::vector<Export> exports;
  std::unique_ptr<Exporter> exporter;
  Inbox sent;
  std::string why;
};

TEST_F(UsbipExporter, ListsWhatCanBeImported) {
  exporter->receive(encode_device_list_request());
  DeviceList list;
  const auto offers = list.receive(sent.view());
  ASSERT_TRUE(offers && *offers);
  ASSERT_EQ((*offers)->size(), 1u);
  EXPECT_EQ((**offers)[0].record, exports[0].record);
  EXPECT_EQ((**offers)[0].interfaces, exports[0].interfaces);
}

TEST_F(UsbipExporter, GivesADeviceToOneClientAtATime) {
  EXPECT_EQ(import("9-9").status, static_cast<std::uint32_t>(OperationStatus::no_such_device));
  EXPECT_EQ(import().status, 0u);
  EXPECT_EQ(device.resets, 1u);
  Exporter second(exports, *this, time);
  sent.consume(sent.size());
  second.receive(encode_import_request("1-1"));
  ByteReader in(sent.view());
  EXPECT_EQ(read_operation_header(in).status, static_cast<std::uint32_t>(OperationStatus::busy));
  EXPECT_TRUE(exports[0].taken);
  exporter.reset();
  EXPECT_FALSE(exports[0].taken);
  EXPECT_EQ(device.resets, 2u);
}

TEST_F(UsbipExporter, CarriesUrbsBothWays) {
  import();
  put(Submit{.sequence = 1, .direction = Direction::out, .endpoint = 2, .length = 5}, as_bytes("hello"));
  ASSERT_EQ(device.held(), 1u);
  EXPECT_EQ(as_text(device.at(0).data.copy(5)), "hello");
  EXPECT_EQ(device.at(0).endpoint(), usb::EndpointAddress(0x02));
  device.complete_ok();
  EXPECT_EQ(std::get<SubmitReturn>(*next()), (SubmitReturn{.sequence = 1, .actual = 5}));
  put(Submit{.sequence = 2, .direction = Direction::in, .endpoint = 1, .length = 512});
  (void)device.at(0).data.write(0, as_bytes("world"));
  device.complete(Status::ok, 5);
  EXPECT_EQ(std::get<SubmitReturn>(*next()), (SubmitReturn{.sequence = 2, .actual = 5}));
  EXPECT_EQ(data(), "world");
}

TEST_F(UsbipExporter, TellsErrorsInLinuxsNumbers) {
  import();
  for (const auto& [status, number] : {std::pair(Status::stall, kPipeStalled), std::pair(Status::error, kProtocolError),
                                       std::pair(Status::babble, kOverflow)}) {
    put(Submit{.sequence = 1, .direction = Direction::in, .endpoint = 1, .length = 8});
    device.complete(status);
    EXPECT_EQ(std::get<SubmitReturn>(*next()).status, number);
  }
  put(Submit{.sequence = 2, .direction = Direction::in, .endpoint = 1, .flags = kShortNotOk, .length = 8});
  device.complete(Status::ok, 3);
  EXPECT_EQ(std::get<SubmitReturn>(*next()).status, kShort);
}

TEST_F(UsbipExporter, AnUnlinkedUrbIsAnsweredByTheUnlinkAlone) {
  import();
  put(Submit{.sequence = 1, .direction = Direction::in, .endpoint = 1, .length = 8});
  put(Unlink{.sequence = 2, .target = 1});
  EXPECT_EQ(std::get<UnlinkReturn>(*next()), (UnlinkReturn{.sequence = 2, .status = kConnectionReset}));
  EXPECT_FALSE(next());
  put(Unlink{.sequence = 3, .target = 1});
  EXPECT_EQ(std::get<UnlinkReturn>(*next()), (UnlinkReturn{.sequence = 3, .status = kOk}));
}

TEST_F(UsbipExporter, AnUrbThatWasFasterThanItsUnlinkKeepsItsData) {
  device.answers_cancels = false;
  import();
  put(Submit{.sequence = 1, .direction = Direction::in, .endpoint = 1, .length = 3});
  put(Unlink{.sequence = 2, .target = 1});
  (void)device.at(0).data.write(0, as_bytes("abc"));
  device.complete_ok();
  EXPECT_EQ(std::get<SubmitReturn>(*next()).actual, 3u);
  sent.consume(3);
  EXPECT_EQ(std::get<UnlinkReturn>(*next()).status, kOk);
}

TEST_F(UsbipExporter, AddressesAreTheClientsOwnBusiness) {
  import();
  const std::size_t before = device.submitted;
  put(Submit{.sequence = 1, .setup = usb::SetupPacket{.request = 5, .value = 9}.encode()});
  EXPECT_EQ(std::get<SubmitReturn>(*next()).status, kOk);
  EXPECT_EQ(device.submitted, before);
}

TEST_F(UsbipExporter, APortResetRestoresTheConfiguration) {
  import();
  put(Submit{.sequence = 1, .setup = usb::SetupPacket{.request = 9, .value = 1}.encode()});
  device.complete_ok();
  (void)next();
  put(Submit{.sequence = 2, .setup = usb::SetupPacket{.request_type = 0x23, .request = 3, .value = 4}.encode()});
  EXPECT_EQ(std::get<SubmitReturn>(*next()).status, kOk);
  EXPECT_EQ(device.resets, 2u);
  ASSERT_EQ(device.held(), 1u);
  EXPECT_EQ(device.at(0).setup->request, 9);
}

TEST_F(UsbipExporter, IsochronousPacketsPassAtTheirIntervals) {
  import();
  ByteWriter payload;
  payload.bytes(as_bytes("ab--cd"));
  encode(payload, PacketDescriptor{.offset = 0, .length = 2});
  encode(payload, PacketDescriptor{.offset = 4, .length = 2});
  put(Submit{.sequence = 1, .direction = Direction::out, .endpoint = 3, .length = 6, .packets = 2, .interval = 8},
      payload.view());
  EXPECT_EQ(device.held(), 0u);
  time.advance(2ms);  // two packets, each eight microframes
  ASSERT_EQ(device.held(), 1u);
  EXPECT_EQ(as_text(device.at(0).data.copy(9)), "abcd");
  ASSERT_EQ(device.at(0).packets.size(), 2u);
  EXPECT_EQ(device.at(0).packets[1].offset, 2u);
  for (usb::IsochronousPacket& packet : device.at(0).packets) packet.actual = 2;
  device.complete(Status::ok, 4);
  EXPECT_EQ(std::get<SubmitReturn>(*next()), (SubmitReturn{.sequence = 1, .actual = 4, .packets = 2}));
  ByteReader in(sent.view());
  (void)read_packet_descriptor(in);
  EXPECT_EQ(read_packet_descriptor(in), (PacketDescriptor{.offset = 4, .length = 2, .actual = 2}));
}

TEST_F(UsbipExporter, AnIsochronousUrbIsUnlinkedBeforeItsTime) {
  import();
  ByteWriter payload;
  encode(payload, PacketDescriptor{.offset = 0, .length = 4});
  put(Submit{.sequence = 1, .direction = Direction::in, .endpoint = 3, .length = 4, .packets = 1, .interval = 8},
      payload.view());
  put(Unlink{.sequence = 2, .target = 1});
  EXPECT_EQ(std::get<UnlinkReturn>(*next()).status, kConnectionReset);
  time.advance(10ms);
  EXPECT_EQ(device.held(), 0u);
}

TEST_F(UsbipExporter, AClientThatLiesEndsItsConnection) {
  import();
  const std::vector<Submit> lies = {{.sequence = 1, .endpoint = 16},
                                    {.sequence = 1, .length = Exporter::kMostData + 1},
                                    {.sequence = 1, .packets = Exporter::kMostPackets + 1}};
  for (const Submit& lie : lies) {
    why.clear();
    exports[0].taken = false;
    exporter = std::make_unique<Exporter>(exports, *this, time);
    import();
    put(lie);
    EXPECT_NE(why, "");
  }
}

TEST_F(UsbipExporter, AClientMayNotKeepMoreThanThereIsRoomFor) {
  import();
  for (std::uint32_t sequence = 1; why.empty() && sequence < 100; ++sequence) {
    put(Submit{.sequence = sequence, .direction = Direction::in, .endpoint = 1, .length = Exporter::kMostData});
  }
  EXPECT_THAT(why, HasSubstr("unfinished"));
  EXPECT_EQ(device.held(), Exporter::kMostHeldData / Exporter::kMostData);
}

TEST(UsbipEnumeration, TellsWhatADeviceIs) {
  periplex::testing::VirtualTime time;
  usb::device::HidKeyboard keyboard("kbd", usb::Speed::full, time);
  std::optional<Export> found;
  Enumeration enumeration(keyboard, 3, [&](std::expected<Export, std::string> result) {
    if (result) found = std::move(*result);
  });
  enumeration.start();
  time.run_until_idle();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->record.bus_id, "1-3");
  EXPECT_EQ(found->record.speed, 2u);
  EXPECT_EQ(found->record.num_interfaces, 1);
  EXPECT_EQ(found->interfaces.at(0).interface_class, 3);
}

}  // namespace
}  // namespace periplex::remote::usbip
