// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/importer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote/usbip/testing/fake_server.hpp"

namespace periplex::remote::usbip {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using usb::EndpointAddress;
using usb::Status;

constexpr EndpointAddress kBulkIn(0x81);
constexpr EndpointAddress kBulkOut(0x02);
constexpr EndpointAddress kReports(0x83);

class UsbipImporter : public ::testing::Test {
 protected:
  Bytes text(std::string_view words) { return {as_bytes(words).begin(), as_bytes(words).end()}; }
  const usb::testing::TransferLog::Entry& last() {
    server.time.run_until_idle();
    return server.guest->entries.back();
  }
  static Bytes refusal(OperationStatus status) {
    ByteWriter out;
    encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_import),
                                .status = static_cast<std::uint32_t>(status)});
    return out.take();
  }
  testing::FakeServer server;
};

TEST_F(UsbipImporter, OffersWhatItWasAskedToImport) {
  server.import(usb::Speed::super);
  EXPECT_EQ(server.device->speed(), usb::Speed::super);
  EXPECT_EQ(server.why, "");
}

TEST_F(UsbipImporter, SaysWhyAnImportWasRefused) {
  server.importer.connected();
  server.importer.receive(refusal(OperationStatus::busy));
  EXPECT_THAT(server.why, HasSubstr("in use by somebody else"));
  EXPECT_EQ(server.device, nullptr);
  server.importer.receive(refusal(OperationStatus::busy));  // whatever comes after the end
  server.importer.disconnected();
}

TEST_F(UsbipImporter, SaysThatSomethingElseIsAtTheFarEnd) {
  server.importer.connected();
  server.importer.receive(as_bytes("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(server.why, HasSubstr("does not speak USB/IP"));
}

TEST_F(UsbipImporter, WithoutASpeedThereIsNoDevice) {
  server.importer.connected();
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_import)});
  encode(out, DeviceRecord{.speed = 0});
  server.importer.receive(out.view());
  EXPECT_THAT(server.why, HasSubstr("how fast"));
}

TEST_F(UsbipImporter, CarriesDataBothWays) {
  server.import();
  server.guest->out(kBulkOut, text("hello"));
  const auto out = server.next();
  EXPECT_EQ(out->submit().endpoint, 2u);
  EXPECT_EQ(out->submit().device_id, 0x10002u);
  EXPECT_EQ(out->payload, text("hello"));
  server.answer({.sequence = out->submit().sequence, .actual = 5});
  EXPECT_EQ(last().status, Status::ok);
  EXPECT_EQ(last().actual, 5u);
  server.guest->in(kBulkIn, 512);
  const auto in = server.next();
  EXPECT_EQ(in->submit().direction, usb::Direction::in);
  EXPECT_EQ(in->submit().length, 512u);
  server.answer(in->submit(), text("world"));
  EXPECT_EQ(last().data, text("world"));
  EXPECT_FALSE(server.guest->completed_inside_submit);
}

TEST_F(UsbipImporter, AnswersComeInPiecesOfAnySize) {
  server.import();
  server.guest->in(kBulkIn, 512);
  ByteWriter out;
  encode(out, SubmitReturn{.sequence = server.next()->submit().sequence, .actual = 3});
  out.bytes(as_bytes("abc"));
  for (std::size_t i = 0; i < out.size(); ++i) server.importer.receive(out.view().subspan(i, 1));
  EXPECT_EQ(last().data, text("abc"));
}

TEST_F(UsbipImporter, WhatBelongsToTheLinkStaysHere) {
  server.import(usb::Speed::super);
  server.guest->control({.request_type = 0, .request = 5, .value = 7});
  EXPECT_EQ(last().status, Status::ok);
  server.guest->control({.request_type = 0, .request = 48, .length = 6}, Bytes(6));  // SET_SEL
  server.guest->control({.request_type = 0, .request = 3, .value = 48});             // U1_ENABLE
  EXPECT_EQ(last().status, Status::ok);
  EXPECT_EQ(server.unread(), 0u);
}

TEST_F(UsbipImporter, ControlRequestsAreAsLongAsTheySay) {
  server.import();
  server.guest->control({.request_type = 0x80, .request = 6, .value = 0x0100, .length = 18});
  auto sent = server.next();
  EXPECT_EQ(sent->submit().length, 18u);
  EXPECT_EQ(sent->submit().direction, usb::Direction::in);
  server.answer(sent->submit(), Bytes(18, std::byte{1}));
  EXPECT_EQ(last().actual, 18u);
  // A guest-bound request without data goes as device-bound, as Linux's server wants it.
  server.guest->control({.request_type = 0xc0, .request = 1});
  sent = server.next();
  EXPECT_EQ(sent->submit().direction, usb::Direction::out);
  server.answer(sent->submit(), {}, kPipeStalled);
  EXPECT_EQ(last().status, Status::stall);
  server.guest->control({.request_type = 0x40, .request = 1, .length = 4}, Bytes(2));
  EXPECT_EQ(last().status, Status::stall);
  EXPECT_EQ(server.unread(), 0u);
}

TEST_F(UsbipImporter, AGuestSeesNoStreams) {
  server.import(usb::Speed::super);
  ByteWriter rest;
  for (const std::uint8_t setting : {std::uint8_t{0}, std::uint8_t{1}}) {
    encode(rest, usb::InterfaceDescriptor{.alternate_setting = setting, .num_endpoints = 1});
    encode(rest, usb::EndpointDescriptor{.address = kBulkIn, .attributes = 2, .max_packet_size = 1024});
    encode(rest, usb::SuperSpeedCompanion{.attributes = static_cast<std::uint8_t>(setting == 1 ? 4 : 0)});
  }
  ByteWriter out;
  encode(out, usb::ConfigurationDescriptor{.total_length = static_cast<std::uint16_t>(9 + rest.size())});
  out.bytes(rest.view());
  // Linux asks for the header first, to learn the length.
  server.guest->control({.request_type = 0x80, .request = 6, .value = 0x0200, .length = 9});
  const auto sent = server.next();
  EXPECT_EQ(sent->submit().length, 4096u);
  server.answer(sent->submit(), out.view());
  ASSERT_EQ(last().data.size(), 9u);
  EXPECT_EQ(std::to_integer<unsigned>(last().data[2]), 9u + 9 + 7 + 6);
}

TEST_F(UsbipImporter, ALongConfigurationIsAskedForTwice) {
  server.import();
  Bytes whole(5000);
  whole[0] = std::byte{9};
  whole[1] = std::byte{2};
  whole[2] = std::byte{5000 & 0xff};
  whole[3] = std::byte{5000 >> 8};
  server.guest->control({.request_type = 0x80, .request = 6, .value = 0x0200, .length = 0xffff});
  auto sent = server.next();
  EXPECT_EQ(sent->submit().length, 4096u);
  server.answer(sent->submit(), ByteView(whole).first(4096));
  sent = server.next();
  EXPECT_EQ(sent->submit().length, 5000u);
  server.answer(sent->submit(), whole);
  EXPECT_EQ(last().data, whole);
}

TEST_F(UsbipImporter, ACancelledTransferComesBackAtOnceAndItsAnswerIsUnderstood) {
  server.import();
  const auto id = server.guest->out(kBulkOut, text("data"));
  const auto sent = server.next();
  server.device->cancel(id);
  EXPECT_EQ(last().status, Status::cancelled);
  const auto unlink = server.next();
  EXPECT_EQ(unlink->unlink().target, sent->submit().sequence);
  server.answer_unlink(unlink->unlink());
  // One whose answer crosses the unlink.
  const auto second = server.guest->in(kBulkIn, 8);
  const auto in = server.next();
  server.device->cancel(second);
  const auto crossed = server.next();
  server.answer(in->submit(), text("late"));
  server.answer_unlink(crossed->unlink(), kOk);
  server.time.run_until_idle();
  EXPECT_EQ(server.guest->outstanding(), 0u);
  EXPECT_EQ(server.why, "");
}

TEST_F(UsbipImporter, DataThatCrossesAnUnlinkGoesToTheNextTransfer) {
  server.import();
  const auto id = server.guest->in(kBulkIn, 8);
  const auto in = server.next();
  server.device->cancel(id);
  server.answer(in->submit(), text("late"));
  server.guest->in(kBulkIn, 8);
  EXPECT_EQ(last().data, text("late"));
}

TEST_F(UsbipImporter, ReportsAreAskedForAheadOfTheGuest) {
  server.import(usb::Speed::full);
  server.show_configuration({{.address = kReports, .attributes = 3, .max_packet_size = 8, .interval = 8}});
  server.guest->in(kReports, 8);
  std::vector<Submit> asked;
  while (const auto sent = server.next()) asked.push_back(sent->submit());
  EXPECT_EQ(asked.size(), 62u);  // 500 ms of 8 ms
  EXPECT_EQ(asked[0].interval, 8u);
  server.answer(asked[0], text("first"));
  server.answer(asked[1], text("second"));
  EXPECT_EQ(last().data, text("first"));
  EXPECT_TRUE(server.next()) << "there are always as many requests";
  EXPECT_TRUE(server.next());
  EXPECT_FALSE(server.next());
  server.guest->in(kReports, 8);
  EXPECT_EQ(last().data, text("second"));
}

TEST_F(UsbipImporter, AGuestThatStopsAskingLetsTheReportsGo) {
  server.import(usb::Speed::full);
  server.show_configuration({{.address = kReports, .attributes = 3, .max_packet_size = 8, .interval = 100}});
  const auto id = server.guest->in(kReports, 8);
  std::size_t asked = 0;
  while (server.next()) ++asked;
  server.device->cancel(id);
  EXPECT_EQ(last().status, Status::cancelled);
  EXPECT_FALSE(server.next());
  server.time.advance(InboundPipe::kQuietTime);
  for (std::size_t i = 0; i < asked; ++i) EXPECT_TRUE(std::holds_alternative<Unlink>(server.next()->message));
  EXPECT_EQ(server.time.armed_timers(), 0u);
}

TEST_F(UsbipImporter, ASuspendedGuestIsWokenByAReport) {
  server.import(usb::Speed::full);
  server.show_configuration({{.address = kReports, .attributes = 3, .max_packet_size = 8, .interval = 100}});
  const auto id = server.guest->in(kReports, 8);
  const auto asked = server.next();
  while (server.next()) {
  }
  server.guest->control({.request_type = 0, .request = 3, .value = 1});  // DEVICE_REMOTE_WAKEUP
  server.answer(server.next()->submit(), {});
  unsigned woken = 0;
  server.device->set_wake_up([&] { ++woken; });
  server.device->cancel(id);
  server.device->suspend();
  server.time.advance(10 * InboundPipe::kQuietTime);
  server.answer(asked->submit(), text("key"));
  EXPECT_EQ(woken, 1u);
}

TEST_F(UsbipImporter, AnErrorEndsOneTransferAndStopsTheAsking) {
  server.import(usb::Speed::full);
  server.show_configuration({{.address = kReports, .attributes = 3, .max_packet_size = 8, .interval = 100}});
  server.guest->in(kReports, 8);
  std::vector<Submit> asked;
  while (const auto sent = server.next()) asked.push_back(sent->submit());
  for (const Submit& submit : asked) server.answer(submit, {}, kPipeStalled);
  EXPECT_EQ(last().status, Status::stall);
  EXPECT_EQ(server.guest->entries.size(), 1u);
  EXPECT_FALSE(server.next());
  server.guest->in(kReports, 8);
  EXPECT_TRUE(server.next());
}

TEST_F(UsbipImporter, EndpointsThatStartAfreshHaveNothingOfBefore) {
  server.import(usb::Speed::full);
  server.show_configuration({{.address = kReports, .attributes = 3, .max_packet_size = 8, .interval = 100}});
  const auto id = server.guest->in(kReports, 8);
  const auto first = server.next();
  while (server.next()) {
  }
  server.device->cancel(id);
  server.guest->control({.request_type = 1, .request = 11, .value = 0});  // SET_INTERFACE
  std::vector<testing::FakeServer::Sent> sent;
  while (auto message = server.next()) sent.push_back(std::move(*message));
  EXPECT_TRUE(std::holds_alternative<Unlink>(sent.front().message));
  EXPECT_TRUE(std::holds_alternative<Submit>(sent.back().message)) << "the request comes after all unlinks";
  server.answer(first->submit(), text("stale"));
  server.answer(sent.back().submit(), {});
  server.guest->in(kReports, 8);
  server.time.run_until_idle();
  EXPECT_EQ(server.guest->outstanding(), 1u);
}

TEST_F(UsbipImporter, AResetReachesADeviceThatWasUsed) {
  server.import();
  server.device->reset();
  EXPECT_FALSE(server.next()) << "nobody has used it yet";
  server.guest->in(kBulkIn, 8);
  server.guest->out(kBulkOut, text("x"));
  (void)server.next();
  (void)server.next();
  server.device->reset();
  EXPECT_EQ(last().status, Status::cancelled);
  EXPECT_EQ(server.guest->outstanding(), 0u);
  EXPECT_TRUE(std::holds_alternative<Unlink>(server.next()->message));
  EXPECT_TRUE(std::holds_alternative<Unlink>(server.next()->message));
  const auto reset = server.next();
  EXPECT_EQ(usb::SetupPacket::parse(reset->submit().setup).request_type, 0x23);
  server.answer(reset->submit(), {}, kPipeStalled);  // a server that does not know it
  EXPECT_EQ(server.why, "");
}

TEST_F(UsbipImporter, ALostConnectionIsALostDevice) {
  server.import();
  server.guest->in(kBulkIn, 8);
  server.guest->out(kBulkOut, text("x"));
  server.importer.disconnected();
  EXPECT_EQ(server.device, nullptr);
  EXPECT_THAT(server.why, HasSubstr("lost"));
  EXPECT_EQ(server.guest->outstanding(), 0u) << "before the call returns";
  EXPECT_EQ(server.guest->entries[0].status, Status::disconnected);
}

TEST_F(UsbipImporter, AServerThatLiesEndsTheSession) {
  const std::vector<SubmitReturn> lies = {{.sequence = 1, .actual = 9}, {.sequence = 77, .actual = 0}};
  for (const SubmitReturn& lie : lies) {
    testing::FakeServer liar;
    liar.import();
    liar.guest->in(kBulkIn, 8);
    liar.answer(lie);
    EXPECT_NE(liar.why, "");
    EXPECT_EQ(liar.device, nullptr);
  }
}

TEST_F(UsbipImporter, IsochronousPacketsKeepTheirPlaces) {
  server.import(usb::Speed::high);
  server.show_configuration({{.address = EndpointAddress(0x84), .attributes = 1, .max_packet_size = 4, .interval = 1}});
  auto transfer = std::make_unique<usb::Transfer>(*server.guest, usb::TransferId(900), EndpointAddress(0x84),
                                                  usb::Direction::in, usb::TransferData::room(12));
  transfer->packets = {{.offset = 0, .length = 4}, {.offset = 4, .length = 4}, {.offset = 8, .length = 4}};
  server.device->submit(std::move(transfer));
  const auto sent = server.next();
  EXPECT_EQ(sent->submit().packets, 3u);
  EXPECT_EQ(sent->submit().length, 12u);
  EXPECT_EQ(sent->payload.size(), 3 * PacketDescriptor::kSize);
  ByteWriter packets;
  encode(packets, PacketDescriptor{.offset = 0, .length = 4, .actual = 2});
  encode(packets, PacketDescriptor{.offset = 4, .length = 4, .actual = 0, .status = kProtocolError});
  encode(packets, PacketDescriptor{.offset = 8, .length = 4, .actual = 3});
  server.answer({.sequence = sent->submit().sequence, .actual = 5, .packets = 3, .error_count = 1}, as_bytes("abcde"),
                packets.view());
  server.time.run_until_idle();
  ASSERT_EQ(server.guest->entries.size(), 1u);
  EXPECT_EQ(server.guest->entries[0].actual, 5u);
}

}  // namespace
}  // namespace periplex::remote::usbip
