// SPDX-License-Identifier: Apache-2.0
// Endpoint 0, and what the kernel must be told of: configurations, settings, halts, streams, resets; isochronous data.
#include <gmock/gmock.h>

#include "host/usb/device.hpp"
#include "host/usb/testing/device_bench.hpp"

namespace periplex::host {
namespace {

using testing::DeviceBench;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kBulkIn;
using testing::kBulkOut;
using testing::kInterruptIn;
using testing::kIsochronousIn;
using usb::Status;

TEST(UsbDeviceControl, ARequestGoesToTheDeviceAndItsAnswerComesBack) {
  DeviceBench bench;
  bench.control(0x80, 6, 0x0100, 0, 18);
  ASSERT_THAT(bench.under_way(), ElementsAre(8 + 18));
  EXPECT_EQ(bench.handle.submitted[0]->buffer[1], 6);
  bench.handle.complete(12, std::byte{3});
  EXPECT_EQ(bench.take_one()->data, Bytes(12, std::byte{3}));
}

TEST(UsbDeviceControl, RequestsGoOneAfterTheOther) {
  DeviceBench bench;
  bench.control(0x80, 6, 0x0100, 0, 18);
  const auto second = bench.control(0x80, 6, 0x0200, 0, 9);
  bench.device->cancel(bench.control(0x80, 6, 0x0200, 0, 10));
  EXPECT_THAT(bench.under_way(), ElementsAre(26));
  bench.handle.end(LIBUSB_TRANSFER_STALL);
  bench.time.run_until_idle();
  EXPECT_THAT(bench.under_way(), ElementsAre(17));
  bench.device->cancel(second);
  bench.settle();
  bench.handle.end_cancelled();
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].status, Status::cancelled);
  EXPECT_EQ(results[1].status, Status::stall);
  EXPECT_EQ(results[2].status, Status::cancelled);
}

TEST(UsbDeviceControl, WhatConcernsTheBusStaysHere) {
  DeviceBench bench;
  bench.control(0x00, 5, 23, 0);      // SET_ADDRESS
  bench.control(0x00, 48, 0, 0, 6);   // SET_SEL
  bench.control(0x00, 49, 40, 0);     // SET_ISOCH_DELAY
  bench.control(0x00, 3, 48, 0);      // SET_FEATURE(U1_ENABLE)
  bench.control(0x00, 3, 2, 0x0100);  // SET_FEATURE(TEST_MODE)
  EXPECT_THAT(bench.under_way(), IsEmpty());
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 5u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(results[i].status, Status::ok);
  EXPECT_EQ(results[1].actual, 6u);
  EXPECT_EQ(results[4].status, Status::stall);
}

TEST(UsbDeviceControl, LongAnswersAreAskedForAsFarAsUsbfsGoes) {
  DeviceBench bench;
  bench.control(0xc0, 1, 0, 0, 0xffff);
  EXPECT_THAT(bench.under_way(), ElementsAre(8 + 4096));
  bench.handle.complete(300);
  EXPECT_EQ(bench.take_one()->actual, 300u);
  bench.control(0x40, 1, 0, 0, 5000);
  EXPECT_EQ(bench.take_one()->status, Status::error) << "what is to be sent cannot be shortened";
}

TEST(UsbDeviceControl, TheConfigurationIsChosenThroughTheKernel) {
  DeviceBench bench;
  bench.data(kBulkIn, 64);
  bench.control(0x00, 9, 2, 0);
  bench.control(0x80, 8, 0, 0, 1);
  bench.calls.make_one();
  bench.handle.end_cancelled();
  EXPECT_EQ(bench.take_one()->status, Status::cancelled) << "the transfer";
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(),
              ElementsAre("cancel 81", "release 0", "release 1", "configuration 2", "claim 0"));
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].status, Status::ok);
  EXPECT_EQ(results[1].data, Bytes{std::byte{2}});
  EXPECT_FALSE(bench.device->endpoint_type(usb::EndpointAddress(kBulkIn)));
}

TEST(UsbDeviceControl, AConfigurationThatIsNotThereIsAStall) {
  DeviceBench bench;
  bench.control(0x00, 9, 9, 0);
  bench.control(0x01, 11, 7, 0);  // SET_INTERFACE
  bench.handle.results["configuration 2"] = LIBUSB_ERROR_IO;
  bench.control(0x00, 9, 2, 0);
  bench.settle();
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].status, Status::stall);
  EXPECT_EQ(results[1].status, Status::stall);
  EXPECT_EQ(results[2].status, Status::error);
}

TEST(UsbDeviceControl, AnAlternateSettingChangesTheEndpoints) {
  DeviceBench bench;
  bench.control(0x01, 11, 1, 1);
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("interface 1 setting 1"));
  EXPECT_EQ(bench.device->endpoint_type(usb::EndpointAddress(kInterruptIn)), usb::TransferType::interrupt);
  bench.data(kInterruptIn, 8);
  EXPECT_EQ(bench.handle.submitted.at(0)->type, LIBUSB_TRANSFER_TYPE_INTERRUPT);
}

TEST(UsbDeviceControl, AHaltIsClearedThroughTheKernelAndNothingStartsMeanwhile) {
  DeviceBench bench;
  bench.control(0x02, 1, 0, kBulkIn);
  bench.data(kBulkIn, 64);
  EXPECT_THAT(bench.under_way(), IsEmpty());
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("clear halt 81"));
  EXPECT_THAT(bench.under_way(), ElementsAre(64));
  EXPECT_EQ(bench.take_one()->status, Status::ok);
}

TEST(UsbDeviceControl, ACallGoesOnWhenItsTransferIsCancelled) {
  DeviceBench bench;
  bench.device->cancel(bench.control(0x02, 1, 0, kBulkIn));
  EXPECT_EQ(bench.take_one()->status, Status::cancelled);
  bench.control(0x80, 6, 0x0100, 0, 18);
  EXPECT_THAT(bench.under_way(), IsEmpty());
  bench.settle();
  EXPECT_THAT(bench.under_way(), ElementsAre(26));
  EXPECT_TRUE(bench.take_results().empty());
}

TEST(UsbDeviceReset, ItIsMadeOnlyIfThereIsSomethingToUndo) {
  DeviceBench bench;
  bench.device->reset();
  bench.control(0x00, 5, 4, 0);
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("reset")) << "the configuration had been set";
  EXPECT_FALSE(bench.device->endpoint_type(usb::EndpointAddress(kBulkIn)));
  bench.control(0x80, 6, 0x0100, 0, 18);
  bench.handle.complete(18);
  bench.time.run_until_idle();
  bench.device->reset();
  EXPECT_TRUE(bench.calls.idle());
  bench.control(0x80, 8, 0, 0, 1);
  EXPECT_EQ(bench.take_results().back().data, Bytes{std::byte{0}}) << "the guest sees no configuration";
  bench.control(0x00, 9, 1, 0);
  bench.settle();
  bench.device->reset();
  EXPECT_FALSE(bench.calls.idle());
}

TEST(UsbDeviceReset, EverythingUnderWayIsCancelled) {
  DeviceBench bench;
  bench.data(kBulkIn, 64);
  bench.control(0x80, 6, 0x0100, 0, 18);
  bench.control(0x80, 6, 0x0200, 0, 9);
  bench.device->reset();
  bench.settle();
  bench.handle.end_cancelled();
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 3u);
  for (const auto& result : results) EXPECT_EQ(result.status, Status::cancelled);
}

TEST(UsbDeviceReset, AConfigurationThatComesTooLateIsUndone) {
  DeviceBench bench;
  bench.control(0x00, 9, 2, 0);
  bench.device->reset();
  bench.settle();
  EXPECT_EQ(bench.take_one()->status, Status::cancelled);
  EXPECT_EQ(bench.handle.take_calls().back(), "reset");
  bench.control(0x80, 8, 0, 0, 1);
  EXPECT_EQ(bench.take_one()->data, Bytes{std::byte{0}});
}

TEST(UsbDeviceReset, ADeviceThatComesBackAsAnotherIsGone) {
  DeviceBench bench;
  int told = 0;
  bench.device->set_on_gone([&] { ++told; });
  bench.handle.results["reset"] = LIBUSB_ERROR_NOT_FOUND;
  bench.device->reset();
  bench.data(kBulkIn, 64);
  bench.settle();
  EXPECT_EQ(told, 1);
}

TEST(UsbDeviceStreams, TheyAreAskedForWithTheFirstTransferOfOne) {
  DeviceBench bench;
  bench.control(0x01, 11, 1, 0);
  bench.settle();
  (void)bench.handle.take_calls();
  (void)bench.take_results();
  bench.handle.results["streams 16 81,02"] = 16;
  bench.data(kBulkIn, 64, 1);
  bench.data(kBulkOut, 64, 3);
  EXPECT_THAT(bench.under_way(), IsEmpty());
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("streams 16 81,02"));
  ASSERT_THAT(bench.under_way(), ElementsAre(64, 64));
  for (libusb_transfer* transfer : bench.handle.submitted) {
    EXPECT_EQ(transfer->type, LIBUSB_TRANSFER_TYPE_BULK_STREAM);
    EXPECT_EQ(libusb_transfer_get_stream_id(transfer), transfer->endpoint == kBulkIn ? 1u : 3u);
  }
  bench.data(kBulkIn, 64, 17);
  EXPECT_EQ(bench.take_one()->status, Status::error) << "there are 16";
}

TEST(UsbDeviceStreams, WhereThereAreNoneTransfersFail) {
  DeviceBench bench;
  bench.data(kBulkIn, 64, 1);
  EXPECT_EQ(bench.take_one()->status, Status::error) << "the endpoint has none in this setting";
  bench.control(0x01, 11, 1, 0);
  bench.settle();
  (void)bench.take_results();
  bench.handle.results["streams 16 81,02"] = LIBUSB_ERROR_NOT_SUPPORTED;
  bench.data(kBulkIn, 64, 1);
  bench.settle();
  EXPECT_THAT(bench.under_way(), IsEmpty());
  EXPECT_EQ(bench.take_one()->status, Status::error);
}

TEST(UsbDeviceIsochronous, PacketsKeepTheirPlacesAndSeveralTransfersAreInFlight) {
  DeviceBench bench;
  bench.control(0x01, 11, 1, 1);
  bench.settle();
  (void)bench.take_results();
  for (int i = 0; i < 3; ++i) {
    auto transfer = bench.make(usb::EndpointAddress(kIsochronousIn), usb::Direction::in, usb::TransferData::room(300));
    for (std::uint32_t p = 0; p < 3; ++p) transfer->packets.push_back({.offset = 100 * p, .length = 100});
    bench.submit(std::move(transfer));
  }
  ASSERT_THAT(bench.under_way(), ElementsAre(300, 300, 300));
  libusb_transfer& first = *bench.handle.submitted[0];
  ASSERT_EQ(first.num_iso_packets, 3);
  first.iso_packet_desc[0].actual_length = 100;
  first.iso_packet_desc[1].actual_length = 0;
  first.iso_packet_desc[1].status = LIBUSB_TRANSFER_ERROR;
  first.iso_packet_desc[2].actual_length = 40;
  bench.handle.end(LIBUSB_TRANSFER_COMPLETED);
  const auto result = bench.take_one();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::ok) << "packets that fail do not fail the transfer";
  EXPECT_EQ(result->actual, 140u);
  EXPECT_EQ(result->packets[1].status, Status::error);
  EXPECT_EQ(result->packets[2].actual, 40u);
}

TEST(UsbDeviceIsochronous, PacketsThatAreLongerThanTheDataAreRefused) {
  DeviceBench bench;
  bench.control(0x01, 11, 1, 1);
  bench.settle();
  (void)bench.take_results();
  auto transfer = bench.make(usb::EndpointAddress(kIsochronousIn), usb::Direction::in, usb::TransferData::room(10));
  transfer->packets.push_back({.offset = 0, .length = 100});
  bench.submit(std::move(transfer));
  EXPECT_EQ(bench.take_one()->status, Status::error);
}

}  // namespace
}  // namespace periplex::host
