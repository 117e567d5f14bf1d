// SPDX-License-Identifier: Apache-2.0
// Data on a device's endpoints: whole, cut, short, refused, cancelled, gone.
#include "host/usb/device.hpp"

#include <gmock/gmock.h>

#include "host/usb/testing/device_bench.hpp"

namespace periplex::host {
namespace {

using testing::DeviceBench;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kBulkIn;
using testing::kBulkOut;
using usb::Status;

constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST(UsbDeviceData, ADataSetIsOneRequestWhateverItsLength) {
  DeviceBench bench;
  bench.data(kBulkIn, kMiB);
  bench.data(kBulkIn, 512);
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB, 512)) << "the next is queued behind it";
  bench.handle.complete(kMiB, std::byte{7});
  const auto result = bench.take_one();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::ok);
  EXPECT_EQ(result->data, Bytes(kMiB, std::byte{7}));
}

TEST(UsbDeviceData, ALongGuestBoundDataSetGoesOnOnlyAfterAFullPiece) {
  DeviceBench bench;
  const auto first = bench.data(kBulkIn, 5 * kMiB / 2);
  const auto second = bench.data(kBulkIn, 13);
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB)) << "what is short must not be followed by more";
  bench.handle.complete(kMiB, std::byte{1});
  bench.time.run_until_idle();
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB));
  bench.handle.complete(kMiB, std::byte{2});
  bench.time.run_until_idle();
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB / 2, 13));
  bench.handle.complete(kMiB / 2, std::byte{3});
  bench.handle.complete(13, std::byte{4});
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].id, first);
  ASSERT_EQ(results[0].data.size(), 5 * kMiB / 2);
  EXPECT_EQ(results[0].data[kMiB - 1], std::byte{1});
  EXPECT_EQ(results[0].data[kMiB], std::byte{2});
  EXPECT_EQ(results[0].data[2 * kMiB], std::byte{3});
  EXPECT_EQ(results[1].id, second);
}

TEST(UsbDeviceData, AShortPieceEndsTheDataSetThere) {
  DeviceBench bench;
  bench.data(kBulkIn, 3 * kMiB);
  bench.handle.complete(kMiB, std::byte{1});
  bench.time.run_until_idle();
  bench.handle.complete(100, std::byte{2});
  const auto result = bench.take_one();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::ok);
  EXPECT_EQ(result->actual, kMiB + 100);
  EXPECT_THAT(bench.under_way(), IsEmpty());
}

TEST(UsbDeviceData, DeviceBoundPiecesAreQueuedTogetherAndAreOneTransfer) {
  DeviceBench bench;
  auto transfer = bench.make(usb::EndpointAddress(kBulkOut), usb::Direction::out,
                             usb::TransferData::owned(Bytes(2 * kMiB + 7, std::byte{0x5a})));
  bench.submit(std::move(transfer));
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB, kMiB, 7));
  EXPECT_EQ(bench.handle.submitted[2]->buffer[6], 0x5a);
  for (const std::size_t size : {kMiB, kMiB, std::size_t{7}}) {
    EXPECT_TRUE(bench.take_results().empty());
    bench.handle.complete(size);
  }
  EXPECT_EQ(bench.take_one()->actual, 2 * kMiB + 7);
}

TEST(UsbDeviceData, AStallInOnePieceTakesTheOthersBack) {
  DeviceBench bench;
  bench.data(kBulkOut, 3 * kMiB);
  bench.handle.complete(kMiB);
  bench.handle.end(LIBUSB_TRANSFER_STALL, 4096);
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("cancel 02"));
  EXPECT_TRUE(bench.results.empty()) << "not before the kernel has let go of everything";
  bench.handle.end_cancelled();
  const auto result = bench.take_one();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::stall);
  EXPECT_EQ(result->actual, kMiB + 4096);
}

TEST(UsbDeviceData, NothingIsSentWithAZeroLengthTransferButAPacket) {
  DeviceBench bench;
  bench.data(kBulkOut, 0);
  EXPECT_THAT(bench.under_way(), ElementsAre(0));
  bench.handle.complete(0);
  EXPECT_EQ(bench.take_one()->status, Status::ok);
}

TEST(UsbDeviceData, EveryEndOfATransferIsToldAsWhatItIs) {
  const std::pair<libusb_transfer_status, Status> ends[] = {
      {LIBUSB_TRANSFER_STALL, Status::stall},
      {LIBUSB_TRANSFER_OVERFLOW, Status::babble},
      {LIBUSB_TRANSFER_ERROR, Status::error},
      {LIBUSB_TRANSFER_NO_DEVICE, Status::disconnected},
  };
  for (const auto& [end, status] : ends) {
    DeviceBench bench;
    bench.data(kBulkIn, 64);
    bench.handle.end(end);
    EXPECT_EQ(bench.take_one()->status, status);
  }
}

TEST(UsbDeviceData, CancellingIsLeftToTheCallThreadAndComesBackOnce) {
  DeviceBench bench;
  const auto first = bench.data(kBulkIn, 64);
  const auto second = bench.data(kBulkIn, 64);
  bench.device->cancel(second);
  bench.device->cancel(first);
  EXPECT_TRUE(bench.handle.paused);
  EXPECT_TRUE(bench.take_results().empty());
  bench.settle();
  EXPECT_FALSE(bench.handle.paused);
  bench.handle.end_cancelled();
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].id, second);
  EXPECT_EQ(results[0].status, Status::cancelled);
  EXPECT_EQ(results[1].status, Status::cancelled);
  bench.device->cancel(first);  // unknown by now
  EXPECT_TRUE(bench.calls.idle());
}

TEST(UsbDeviceData, WhatHasCompletedBeforeItsCancellationIsComplete) {
  DeviceBench bench;
  const auto id = bench.data(kBulkIn, 64);
  bench.device->cancel(id);
  bench.calls.make_one();
  bench.handle.complete(64, std::byte{9});
  EXPECT_EQ(bench.take_one()->status, Status::ok);
}

TEST(UsbDeviceData, ACutTransferCancelledBetweenItsPiecesGoesNoFurther) {
  DeviceBench bench;
  const auto id = bench.data(kBulkIn, 2 * kMiB);
  bench.device->cancel(id);
  bench.calls.make_one();
  bench.handle.complete(kMiB);
  const auto result = bench.take_one();
  EXPECT_EQ(result->status, Status::cancelled);
  EXPECT_EQ(result->actual, kMiB);
  EXPECT_THAT(bench.under_way(), IsEmpty());
}

TEST(UsbDeviceData, MemoryOfUsbfsIsWaitedFor) {
  DeviceBench bench(kMiB + kMiB / 2);
  bench.data(kBulkIn, kMiB);
  bench.data(kBulkOut, kMiB);
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB));
  bench.handle.complete(kMiB);
  bench.time.run_until_idle();
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB));
  bench.handle.complete(kMiB);
  EXPECT_EQ(bench.take_results().size(), 2u);
  EXPECT_EQ(bench.memory.in_use(), 0u);
}

TEST(UsbDeviceData, WhereTheKernelHasNoMemoryPiecesGetSmaller) {
  DeviceBench bench;
  bench.handle.submit_errors = {LIBUSB_ERROR_NO_MEM, LIBUSB_ERROR_NO_MEM};
  bench.data(kBulkIn, kMiB);
  EXPECT_THAT(bench.under_way(), ElementsAre(kMiB / 4));
  for (int i = 0; i < 4; ++i) {
    bench.handle.complete(kMiB / 4);
    bench.time.run_until_idle();
  }
  EXPECT_EQ(bench.take_one()->actual, kMiB);
}

TEST(UsbDeviceData, WithoutAnyMemoryTheTransferFails) {
  DeviceBench bench;
  bench.handle.submit_errors.assign(20, LIBUSB_ERROR_NO_MEM);
  bench.data(kBulkIn, kMiB);
  EXPECT_EQ(bench.take_one()->status, Status::error);
  EXPECT_EQ(bench.memory.in_use(), 0u);
}

TEST(UsbDeviceData, AnEndpointThatIsNotThereAnswersNothing) {
  DeviceBench bench;
  bench.data(0x8f, 64);
  bench.data(testing::kInterruptIn, 8);  // in a setting that is not chosen
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].status, Status::error);
  EXPECT_EQ(results[1].status, Status::error);
}

TEST(UsbDeviceData, ADeviceThatVanishesTakesEverythingWithIt) {
  DeviceBench bench;
  int told = 0;
  bench.device->set_on_gone([&] { ++told; });
  bench.data(kBulkIn, 2 * kMiB);
  bench.data(kBulkIn, 64);
  bench.data(kBulkOut, 64);
  bench.handle.end(LIBUSB_TRANSFER_NO_DEVICE);
  bench.handle.end(LIBUSB_TRANSFER_NO_DEVICE);
  bench.time.run_until_idle();
  bench.data(kBulkOut, 64);
  bench.control(0x80, 6, 0x0100, 0, 18);
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 5u);
  for (const auto& result : results) EXPECT_EQ(result.status, Status::disconnected);
  EXPECT_EQ(told, 1);
}

TEST(UsbDeviceData, ADeviceThatIsGoneAtSubmissionIsToldOfLikewise) {
  DeviceBench bench;
  bench.handle.submit_errors = {0, LIBUSB_ERROR_NO_DEVICE};
  bench.data(kBulkIn, 64);
  bench.data(kBulkIn, 64);
  bench.data(kBulkIn, 64);
  bench.handle.end(LIBUSB_TRANSFER_NO_DEVICE);
  const auto results = bench.take_results();
  ASSERT_EQ(results.size(), 3u);
  for (const auto& result : results) EXPECT_EQ(result.status, Status::disconnected);
}

TEST(UsbDeviceData, TheLastOneGivesTheDeviceBackWhenTheKernelHasLetGo) {
  DeviceBench bench;
  bench.data(kBulkIn, 64);
  bench.device.reset();
  EXPECT_EQ(bench.take_one()->status, Status::disconnected);
  bench.settle();
  EXPECT_THAT(bench.handle.take_calls(), ElementsAre("cancel 81", "release 0", "release 1"));
  EXPECT_FALSE(bench.handle.closed);
  bench.handle.end_cancelled();
  bench.time.run_until_idle();
  EXPECT_TRUE(bench.handle.closed);
}

}  // namespace
}  // namespace periplex::host
