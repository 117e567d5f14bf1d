// SPDX-License-Identifier: Apache-2.0
#include "usb/capture.hpp"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "usb/pcapng.hpp"

namespace periplex::usb {
namespace {

using namespace std::chrono_literals;

/// Holds what is submitted until the test completes it.
class HeldDevice final : public Device {
 public:
  [[nodiscard]] Speed speed() const override { return Speed::high; }
  [[nodiscard]] std::optional<TransferType> endpoint_type(EndpointAddress endpoint) const override {
    if (endpoint == EndpointAddress(0x83)) return type_of_83;
    return std::nullopt;
  }
  void submit(TransferPtr transfer) override { held.push_back(std::move(transfer)); }
  void cancel(TransferId) override {}
  void reset() override {}

  void complete(std::size_t index, Completion completion) {
    TransferPtr transfer = std::move(held.at(index));
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    Transfer::complete(std::move(transfer), completion);
  }

  std::optional<TransferType> type_of_83 = TransferType::interrupt;
  std::vector<TransferPtr> held;
};

class Owner final : public TransferOwner {
 public:
  void on_complete(TransferPtr transfer, Completion completion) override {
    completed.emplace_back(transfer->id().value, completion.status);
  }
  std::vector<std::pair<std::uint64_t, Status>> completed;
};

class MemorySink final : public CaptureSink {
 public:
  [[nodiscard]] bool write(Bytes block) override {
    if (full) return false;
    blocks.push_back(std::move(block));
    return true;
  }
  bool full = false;
  std::vector<Bytes> blocks;
};

class CaptureTest : public ::testing::Test {
 protected:
  void submit(std::uint64_t id, EndpointAddress endpoint, TransferData data) {
    observed.submit(std::make_unique<Transfer>(owner, TransferId(id), endpoint, endpoint.direction(), std::move(data)));
  }

  testing::VirtualTime time;
  Owner owner;
  HeldDevice* device = new HeldDevice;
  ObservedDevice observed{std::unique_ptr<Device>(device), {.bus = 2, .number = 7}};
  MemorySink sink;
};

constexpr EndpointAddress kBulkIn{0x81};
constexpr EndpointAddress kBulkOut{0x02};

/// The fields of a usbmon header that tests look at, from an Enhanced Packet Block.
struct Parsed {
  std::uint32_t block_type, block_length;
  std::uint64_t id;
  char event;
  std::uint8_t type, endpoint, device, flag_setup, flag_data;
  std::uint16_t bus;
  std::uint64_t seconds;
  std::uint32_t microseconds;
  std::int32_t status;
  std::uint32_t length, captured;
  std::uint64_t setup;
  std::uint32_t records;
  Bytes data;
};

Parsed parse(const Bytes& block) {
  ByteReader in(block);
  Parsed p{};
  p.block_type = in.le32();
  p.block_length = in.le32();
  in.skip(20);
  p.id = in.le64();
  p.event = static_cast<char>(in.u8());
  p.type = in.u8();
  p.endpoint = in.u8();
  p.device = in.u8();
  p.bus = in.le16();
  p.flag_setup = in.u8();
  p.flag_data = in.u8();
  p.seconds = in.le64();
  p.microseconds = in.le32();
  p.status = static_cast<std::int32_t>(in.le32());
  p.length = in.le32();
  p.captured = in.le32();
  p.setup = in.le64();
  in.skip(12);
  p.records = in.le32();
  const ByteView data = in.take(p.captured);
  p.data.assign(data.begin(), data.end());
  EXPECT_TRUE(in.ok());
  return p;
}

TEST(Pcapng, AFileOpensWithASectionAndOneUsbInterface) {
  const Bytes header = pcapng::file_header("p", "vm1", 0x1000);
  EXPECT_EQ(hex(header),
            "0a 0d 0d 0a 28 00 00 00 4d 3c 2b 1a 01 00 00 00 ff ff ff ff ff ff ff ff "
            "04 00 01 00 70 00 00 00 00 00 00 00 28 00 00 00 "
            "01 00 00 00 28 00 00 00 dc 00 00 00 40 10 00 00 "
            "02 00 03 00 76 6d 31 00 09 00 01 00 09 00 00 00 00 00 00 00 28 00 00 00");
}

TEST(Pcapng, EveryBlockIsAMultipleOfFourBytesAndRepeatsItsLength) {
  for (std::size_t size = 0; size < 8; ++size) {
    const Bytes data(size, std::byte{1});
    const Bytes block = pcapng::packet_block({.length = 8, .has_data = true, .data_length = 8, .data = data});
    EXPECT_EQ(block.size() % 4, 0u);
    ByteReader in(block);
    in.skip(4);
    EXPECT_EQ(in.le32(), block.size());
    in.skip(block.size() - 12);
    EXPECT_EQ(in.le32(), block.size());
  }
}

TEST_F(CaptureTest, AnOutTransferCarriesItsDataInTheSubmission) {
  Capture capture(time, sink, {.clock_origin = 1000s});
  observed.observe(capture);
  time.advance(5us);
  submit(42, kBulkOut, TransferData::owned(Bytes(5, std::byte{0xaa})));
  device->complete(0, {Status::ok, 5});
  ASSERT_EQ(sink.blocks.size(), 3u);
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.block_type, 6u);
  EXPECT_EQ(submitted.id, 42u);
  EXPECT_EQ(submitted.event, 'S');
  EXPECT_EQ(submitted.type, 3u);
  EXPECT_EQ(submitted.endpoint, 2u);
  EXPECT_EQ(submitted.device, 7u);
  EXPECT_EQ(submitted.bus, 2u);
  EXPECT_EQ(submitted.flag_setup, '-');
  EXPECT_EQ(submitted.flag_data, 0u);
  EXPECT_EQ(submitted.seconds, 1000u);
  EXPECT_EQ(submitted.microseconds, 5u);
  EXPECT_EQ(submitted.status, -EINPROGRESS);
  EXPECT_EQ(submitted.data, Bytes(5, std::byte{0xaa}));
  const Parsed completed = parse(sink.blocks[2]);
  EXPECT_EQ(completed.event, 'C');
  EXPECT_EQ(completed.flag_data, '>');
  EXPECT_EQ(completed.length, 5u);
  EXPECT_EQ(completed.status, 0);
  EXPECT_TRUE(completed.data.empty());
}

TEST_F(CaptureTest, AnInTransferCarriesWhatArrivedInTheCompletion) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  submit(1, kBulkIn, TransferData::room(512));
  device->held[0]->data.write(0, as_bytes("hello"));
  device->complete(0, {Status::ok, 5});
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.endpoint, 0x81u);
  EXPECT_EQ(submitted.flag_data, '<');
  EXPECT_EQ(submitted.length, 512u);
  EXPECT_EQ(as_text(parse(sink.blocks[2]).data), "hello");
}

TEST_F(CaptureTest, AControlTransferCarriesItsSetupPacket) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  auto transfer =
      std::make_unique<Transfer>(owner, TransferId(1), EndpointAddress(0), Direction::in, TransferData::room(18));
  transfer->setup = SetupPacket{.request_type = 0x80, .request = 6, .value = 0x100, .index = 0, .length = 18};
  observed.submit(std::move(transfer));
  device->complete(0, {Status::stall, 0});
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.type, 2u);
  EXPECT_EQ(submitted.endpoint, 0x80u);
  EXPECT_EQ(submitted.flag_setup, 0u);
  EXPECT_EQ(submitted.setup, 0x0012'0000'0100'0680u);
  EXPECT_EQ(parse(sink.blocks[2]).flag_setup, '-');
  EXPECT_EQ(parse(sink.blocks[2]).status, -EPIPE);
}

TEST_F(CaptureTest, AnEndpointHasTheTypeTheDeviceSaysWhenTheTransferIsSubmitted) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  submit(1, EndpointAddress(0x83), TransferData::room(8));
  device->type_of_83 = std::nullopt;  // another alternate setting, and the endpoint is gone
  device->complete(0, {Status::error, 0});
  submit(2, EndpointAddress(0x83), TransferData::room(8));
  EXPECT_EQ(parse(sink.blocks[1]).type, 1u) << "interrupt";
  EXPECT_EQ(parse(sink.blocks[2]).type, 1u);
  EXPECT_EQ(parse(sink.blocks[3]).type, 3u) << "bulk, for want of better";
}

TEST_F(CaptureTest, AnIsochronousSubmissionCarriesARecordOfEachPacketBeforeItsData) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  auto transfer = std::make_unique<Transfer>(owner, TransferId(1), kBulkOut, Direction::out,
                                             TransferData::owned(Bytes(5, std::byte{0xaa})));
  transfer->packets = {{.offset = 0, .length = 2}, {.offset = 2, .length = 3}};
  observed.submit(std::move(transfer));
  for (IsochronousPacket& packet : device->held[0]->packets) packet.actual = packet.length;
  device->complete(0, {Status::ok, 5});
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.type, 0u);
  EXPECT_EQ(submitted.setup, 0x0000'0002'0000'0000u) << "no errors, two packets";
  EXPECT_EQ(submitted.records, 2u);
  EXPECT_EQ(submitted.length, 5u);
  EXPECT_EQ(hex(submitted.data),
            "ee ff ff ff 00 00 00 00 02 00 00 00 00 00 00 00 "
            "ee ff ff ff 02 00 00 00 03 00 00 00 00 00 00 00 aa aa aa aa aa");
  const Parsed completed = parse(sink.blocks[2]);
  EXPECT_EQ(completed.flag_data, '>');
  EXPECT_EQ(hex(completed.data),
            "00 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 "
            "00 00 00 00 02 00 00 00 03 00 00 00 00 00 00 00");
}

TEST_F(CaptureTest, AnIsochronousCompletionCarriesItsDataWhereThePacketsAre) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  auto transfer = std::make_unique<Transfer>(owner, TransferId(1), kBulkIn, Direction::in, TransferData::room(12));
  transfer->packets = {{.offset = 0, .length = 4}, {.offset = 4, .length = 4}, {.offset = 8, .length = 4}};
  observed.submit(std::move(transfer));
  Transfer& held = *device->held[0];
  held.data.write(0, as_bytes("ab"));
  held.data.write(4, as_bytes("cd"));
  held.packets[0].actual = 2;
  held.packets[1].actual = 2;
  held.packets[2].status = Status::error;
  device->complete(0, {Status::ok, 4});
  EXPECT_EQ(parse(sink.blocks[1]).records, 3u);
  const Parsed completed = parse(sink.blocks[2]);
  EXPECT_EQ(completed.setup, 0x0000'0003'0000'0001u) << "one error, three packets";
  EXPECT_EQ(completed.length, 4u);
  EXPECT_EQ(completed.flag_data, 0u);
  EXPECT_EQ(hex(completed.data),
            "00 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 "
            "00 00 00 00 04 00 00 00 02 00 00 00 00 00 00 00 "
            "b9 ff ff ff 08 00 00 00 00 00 00 00 00 00 00 00 61 62 00 00 63 64");
}

TEST_F(CaptureTest, OnlyTheFirst128IsochronousRecordsAreWritten) {
  Capture capture(time, sink, {});
  observed.observe(capture);
  auto transfer = std::make_unique<Transfer>(owner, TransferId(1), kBulkIn, Direction::in, TransferData::room(200));
  for (std::uint32_t i = 0; i < 200; ++i) transfer->packets.push_back({.offset = i, .length = 1});
  observed.submit(std::move(transfer));
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.setup >> 32, 200u);
  EXPECT_EQ(submitted.records, 128u);
  EXPECT_EQ(submitted.captured, 128u * 16);
}

TEST_F(CaptureTest, DataIsCutAtTheSnapLength) {
  Capture capture(time, sink, {.snap_length = 16});
  observed.observe(capture);
  submit(1, kBulkOut, TransferData::owned(Bytes(100)));
  const Parsed submitted = parse(sink.blocks[1]);
  EXPECT_EQ(submitted.length, 100u);
  EXPECT_EQ(submitted.captured, 16u);
}

TEST_F(CaptureTest, WhatTheSinkDoesNotTakeIsCountedAtTheEnd) {
  {
    Capture capture(time, sink, {});
    observed.observe(capture);
    sink.full = true;
    submit(1, kBulkIn, TransferData::room(1));
    EXPECT_EQ(capture.dropped(), 1u);
    sink.full = false;
    observed.ignore(capture);
  }
  ASSERT_EQ(sink.blocks.size(), 2u);
  ByteReader in(sink.blocks[1]);
  EXPECT_EQ(in.le32(), 5u);
  in.skip(20);
  EXPECT_EQ(in.le64(), 1u);
}

TEST_F(CaptureTest, ACaptureMayBeginAndEndWhileTransfersAreUnderWay) {
  Capture early(time, sink, {});
  observed.observe(early);
  submit(1, kBulkIn, TransferData::room(1));
  {
    MemorySink late_sink;
    Capture late(time, late_sink, {});
    observed.observe(late);
    submit(2, kBulkIn, TransferData::room(1));
    device->complete(0, {});
    EXPECT_EQ(late.packets(), 1u) << "only what it saw begin";
    device->complete(0, {});
    EXPECT_EQ(late.packets(), 2u);
    observed.ignore(late);
  }
  submit(3, kBulkIn, TransferData::room(1));
  observed.ignore(early);
  device->complete(0, {Status::disconnected, 0});
  EXPECT_EQ(early.packets(), 5u);
  EXPECT_THAT(owner.completed, ::testing::ElementsAre(std::pair{1u, Status::ok}, std::pair{2u, Status::ok},
                                                      std::pair{3u, Status::disconnected}));
}

TEST_F(CaptureTest, UnobservedTransfersPassUntouched) {
  submit(1, kBulkIn, TransferData::room(1));
  EXPECT_EQ(&device->held[0]->interpose(owner), static_cast<TransferOwner*>(&owner));
}

}  // namespace
}  // namespace periplex::usb
