// SPDX-License-Identifier: Apache-2.0
// Disks and a sound card through both sides.
#include <gmock/gmock.h>
#include <numeric>

#include "remote/usbredir/testing/session_pair.hpp"
#include "usb/device/sound.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/bulk_only_host.hpp"
#include "usb/device/testing/fake_block.hpp"
#include "usb/device/testing/sound_host.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::remote::usbredir {
namespace {

using testing::SessionPair;
using usb::Direction;
using usb::EndpointAddress;
using usb::TransferData;
using usb::TransferId;
using usb::device::Storage;
using usb::device::StorageOptions;
using usb::device::StorageTransport;
using usb::device::testing::BulkOnlyHost;
using usb::device::testing::FakeBlock;
using usb::device::testing::UasHost;

constexpr std::size_t kBlocks = 8192;
constexpr EndpointAddress kDataIn{1, Direction::in};
constexpr EndpointAddress kDataOut{2, Direction::out};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = std::byte(i * 7 + i / 512);
  return bytes;
}
Bytes cdb10(std::uint8_t operation, std::uint32_t block, std::uint16_t count) {
  ByteWriter out;
  out.u8(operation).u8(0).be32(block).u8(0).be16(count).u8(0);
  return out.take();
}

class DiskTest : public ::testing::Test {
 protected:
  void connect(StorageTransport transport, usb::Speed speed = usb::Speed::super) {
    auto fake = std::make_unique<FakeBlock>(kBlocks);
    medium = fake.get();
    medium->content = pattern(kBlocks * 512);
    pair.exporter.offer(std::make_unique<Storage>(StorageOptions{.serial = "0123456789ABCDEF", .transport = transport},
                                                  speed, std::move(fake), pair.time));
    pair.connect();
    ASSERT_NE(pair.guest.device, nullptr);
    ASSERT_EQ(pair.configure(), "");
  }
  TransferId submit(EndpointAddress endpoint, TransferData data, std::uint16_t stream = 0) {
    auto transfer = std::make_unique<usb::Transfer>(pair.log(), TransferId(++last_id), endpoint, endpoint.direction(),
                                                    std::move(data));
    transfer->stream = stream;
    const TransferId id = transfer->id();
    pair.guest.device->submit(std::move(transfer));
    return id;
  }
  Bytes data_of(TransferId id) {
    pair.time.run_until_idle();
    const auto* entry = pair.log().find(id);
    return entry == nullptr ? Bytes() : entry->data;
  }

  SessionPair pair;
  FakeBlock* medium = nullptr;
  std::uint64_t last_id = 1000;
};

TEST_F(DiskTest, AWholeDataSetIsOneBulkPacketBothWays) {
  connect(StorageTransport::bulk_only);
  constexpr std::uint16_t kCount = 2048;
  constexpr std::size_t kSize = kCount * 512u;
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw({std::byte{0}}, 0, false)));
  submit(kDataIn, TransferData::room(13));  // takes the power-on attention
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw(cdb10(0x28, 16, kCount), kSize, true)));
  const TransferId read = submit(kDataIn, TransferData::room(kSize));
  const TransferId status = submit(kDataIn, TransferData::room(13));
  EXPECT_EQ(data_of(read), Bytes(medium->content.begin() + 16 * 512, medium->content.begin() + 16 * 512 + kSize));
  EXPECT_EQ(hex(data_of(status)).substr(36), "00");
  EXPECT_GT(pair.to_guest.carried, kSize);
  EXPECT_LT(pair.to_guest.carried, kSize + 2000);

  const Bytes content(kSize, std::byte{0x5a});
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw(cdb10(0x2a, 100, kCount), kSize, false)));
  submit(kDataOut, TransferData::owned(content));
  EXPECT_EQ(hex(data_of(submit(kDataIn, TransferData::room(13)))).substr(36), "00");
  EXPECT_EQ(medium->content[100 * 512], std::byte{0x5a});
  EXPECT_EQ(medium->content[100 * 512 + kSize - 1], std::byte{0x5a});
}

TEST_F(DiskTest, AStallIsToldAndCleared) {
  connect(StorageTransport::bulk_only);
  const TransferId bad = submit(kDataOut, TransferData::owned(Bytes(5)));
  pair.time.run_until_idle();
  const TransferId next = submit(kDataOut, TransferData::owned(Bytes(31)));
  pair.time.run_until_idle();
  EXPECT_TRUE(pair.told(bad) == "stall" || pair.told(next) == "stall");
  EXPECT_EQ(pair.ask({.request_type = 0x21, .request = 0xff, .value = 0, .index = 0, .length = 0}), "");
  EXPECT_EQ(pair.ask({.request_type = 2, .request = 1, .value = 0, .index = 1 | 0x80, .length = 0}), "");
  EXPECT_EQ(pair.ask({.request_type = 2, .request = 1, .value = 0, .index = 2, .length = 0}), "");
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw({std::byte{0}}, 0, false)));
  EXPECT_EQ(data_of(submit(kDataIn, TransferData::room(13))).size(), 13u);
}

TEST_F(DiskTest, ACancelledReadLetsTheDiskGoOn) {
  connect(StorageTransport::bulk_only);
  const TransferId waiting = submit(kDataIn, TransferData::room(512));
  pair.time.run_until_idle();
  pair.guest.device->cancel(waiting);
  EXPECT_EQ(pair.told(waiting), "cancelled");
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw({std::byte{0}}, 0, false)));
  EXPECT_EQ(data_of(submit(kDataIn, TransferData::room(13))).size(), 13u);
}

TEST_F(DiskTest, AttachedScsiUsesStreamsAndSeveralCommandsAtOnce) {
  connect(StorageTransport::uas);
  EXPECT_EQ(pair.set_interface(0, 1), "");
  EXPECT_EQ(pair.ask({.request_type = 0x81, .request = 10, .value = 0, .index = 0, .length = 1}), "01");
  EXPECT_EQ(pair.guest.device->endpoint_type(UasHost::kCommand), usb::TransferType::bulk);
  const TransferId attention = submit(UasHost::kStatus, TransferData::room(112), 1);
  submit(UasHost::kCommand, TransferData::owned(UasHost::command_iu(1, {std::byte{0}})));
  EXPECT_FALSE(data_of(attention).empty());
  std::vector<TransferId> statuses;
  std::vector<TransferId> reads;
  for (std::uint16_t tag = 1; tag <= 8; ++tag) {
    statuses.push_back(submit(UasHost::kStatus, TransferData::room(112), tag));
    reads.push_back(submit(UasHost::kDataIn, TransferData::room(4096), tag));
    submit(UasHost::kCommand, TransferData::owned(UasHost::command_iu(tag, cdb10(0x28, 100u + tag * 8u, 8))));
  }
  for (std::uint16_t tag = 1; tag <= 8; ++tag) {
    const auto first = medium->content.begin() + (100 + tag * 8) * 512;
    EXPECT_EQ(data_of(reads[tag - 1u]), Bytes(first, first + 4096)) << tag;
    EXPECT_EQ(UasHost::parse(data_of(statuses[tag - 1u])), UasHost::good(tag));
  }
  // Back to bulk-only, as firmware would: no stream is left.
  EXPECT_EQ(pair.configure(), "");
  submit(kDataOut, TransferData::owned(BulkOnlyHost::cbw({std::byte{0}}, 0, false)));
  EXPECT_EQ(data_of(submit(kDataIn, TransferData::room(13))).size(), 13u);
  EXPECT_EQ(pair.guest.failure + pair.host.failure, "");
}

TEST_F(DiskTest, MoreThanTheProtocolCarriesIsAnErrorOfThatTransferOnly) {
  connect(StorageTransport::bulk_only);
  const TransferId huge = submit(kDataIn, TransferData::room(kMaxBulkLength + 1));
  EXPECT_EQ(pair.told(huge), "error");
  EXPECT_EQ(pair.ask({.request_type = 0x80, .request = 8, .value = 0, .index = 0, .length = 1}), "01");
}

TEST_F(DiskTest, WhatAFarEndCanMakeUsHoldIsBounded) {
  connect(StorageTransport::bulk_only);
  std::vector<TransferId> all;
  for (int i = 0; i < 5; ++i) all.push_back(submit(kDataIn, TransferData::room(16u << 20)));
  pair.time.run_until_idle();
  EXPECT_EQ(pair.told(all[0]), "-");
  EXPECT_EQ(pair.told(all[3]), "-");
  EXPECT_EQ(pair.told(all[4]), "-");  // answered, but those before it have not been
  pair.guest.device->reset();
  EXPECT_EQ(pair.told(all[4]), "error");
}

class SoundTest : public ::testing::TestWithParam<usb::Speed> {
 protected:
  static constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);

  SoundTest() {
    auto memory = std::make_unique<usb::device::testing::MemorySink>();
    auto ramp = std::make_unique<usb::device::testing::RampSource>();
    sink = memory.get();
    source = ramp.get();
    pair.exporter.offer(std::make_unique<usb::device::Sound>(usb::device::SoundOptions{}, GetParam(), std::move(memory),
                                                             std::move(ramp), pair.time));
    pair.connect();
    EXPECT_EQ(pair.configure(), "");
    EXPECT_EQ(pair.set_interface(1, 1), "");
    EXPECT_EQ(pair.set_interface(2, 1), "");
  }
  ~SoundTest() override { pair.exporter.withdraw(); }

  /// One packet, which comes back at once.
  std::vector<usb::IsochronousPacket> move(EndpointAddress endpoint, Bytes content) {
    struct Owner final : usb::TransferOwner {
      void on_complete(usb::TransferPtr transfer, usb::Completion) override {
        packets = transfer->packets;
        data = transfer->data.copy(transfer->data.size());
      }
      std::vector<usb::IsochronousPacket> packets;
      Bytes data;
    } owner;
    const auto size = static_cast<std::uint32_t>(content.size());
    auto transfer = std::make_unique<usb::Transfer>(
        owner, TransferId(++last_id), endpoint, endpoint.direction(),
        endpoint.direction() == Direction::in ? TransferData::room(size) : TransferData::owned(std::move(content)));
    transfer->packets.push_back({.offset = 0, .length = size});
    pair.guest.device->submit(std::move(transfer));
    pair.time.run_until_idle();
    recorded.insert(recorded.end(), owner.data.begin(),
                    owner.data.begin() + (owner.packets.empty() ? 0 : owner.packets[0].actual));
    return owner.packets;
  }

  SessionPair pair;
  usb::device::testing::MemorySink* sink = nullptr;
  usb::device::testing::RampSource* source = nullptr;
  std::uint64_t last_id = 1000;
  Bytes recorded;
};

TEST_P(SoundTest, WhatTheGuestPlaysIsHeardWithoutAGap) {
  Bytes all;
  for (int i = 0; i < 500; ++i) {
    Bytes packet(192, std::byte(i));
    all.insert(all.end(), packet.begin(), packet.end());
    EXPECT_EQ(move(usb::device::kAudioOut, packet).at(0).status, usb::Status::ok);
    pair.time.advance(kFrame);
  }
  EXPECT_GE(sink->heard.size(), all.size() * 8 / 10);
  EXPECT_TRUE(std::equal(sink->heard.begin(), sink->heard.end(), all.begin()));
}

TEST_P(SoundTest, WhatTheDeviceRecordsArrivesInOrder) {
  for (int i = 0; i < 500; ++i) {
    (void)move(usb::device::kAudioIn, Bytes(200));
    pair.time.advance(kFrame);
  }
  ASSERT_GE(recorded.size(), 192u * 400);
  std::uint32_t expected = 1;
  for (std::size_t at = 0; at + 4 <= recorded.size(); at += 4, ++expected) {
    std::uint32_t word = 0;
    std::memcpy(&word, recorded.data() + at, sizeof word);
    ASSERT_EQ(word, expected) << at;
  }
}

TEST_P(SoundTest, AClosedInterfaceStopsTheStream) {
  (void)move(usb::device::kAudioIn, Bytes(200));
  pair.time.advance(100 * kFrame);
  const std::size_t before = pair.to_guest.carried;
  EXPECT_GT(before, 5000u);
  EXPECT_EQ(pair.set_interface(2, 0), "");
  const std::size_t stopped = pair.to_guest.carried;
  pair.time.advance(100 * kFrame);
  EXPECT_EQ(pair.to_guest.carried, stopped);
  EXPECT_EQ(pair.time.armed_timers(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Speeds, SoundTest, ::testing::Values(usb::Speed::full, usb::Speed::high));

}  // namespace
}  // namespace periplex::remote::usbredir
