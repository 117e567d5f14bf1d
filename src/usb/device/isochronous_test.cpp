// SPDX-License-Identifier: Apache-2.0
// What EmulatedDevice does for functions with isochronous endpoints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/descriptors.hpp"
#include "usb/device/emulated_device.hpp"

namespace periplex::usb::device {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr EndpointAddress kIn{0x81};
constexpr EndpointAddress kOut{0x01};

DeviceDescription stream_device(Microseconds interval = Microseconds(125), std::uint16_t payload = 100) {
  InterfaceDescription interface;
  interface.alternate_setting = 1;
  for (const EndpointAddress address : {kOut, kIn}) {
    interface.endpoints.push_back({.address = address,
                                   .type = TransferType::isochronous,
                                   .payload = payload,
                                   .interval = interval,
                                   .synchronization = Synchronization::asynchronous});
  }
  return {.product = "Streams", .interfaces = {InterfaceDescription{}, interface}};
}

/// Gives back what it has got, and one byte more than there is room for when it has too much.
class Echo final : public EmulatedDevice {
 public:
  explicit Echo(Scheduler& time) : EmulatedDevice(stream_device(), Speed::high, time) {}
  using EmulatedDevice::halt;
  using EmulatedDevice::is_halted;
  using EmulatedDevice::pending_count;

  void on_isochronous_out(EndpointAddress endpoint, ByteView data) override {
    EXPECT_EQ(endpoint, kOut);
    got.emplace_back(as_text(data));
  }
  std::size_t on_isochronous_in(EndpointAddress endpoint, MutableByteView room) override {
    EXPECT_EQ(endpoint, kIn);
    if (got.empty()) return 0;
    const std::string next = got.front();
    got.erase(got.begin());
    std::ranges::copy(as_bytes(next).first(std::min(next.size(), room.size())), room.begin());
    return next.size();
  }
  void on_transfer(EndpointAddress) override { ADD_FAILURE() << "isochronous transfers do not wait"; }

  std::vector<std::string> got;
};

class Isochronous : public ::testing::Test, public TransferOwner {
 protected:
  void TearDown() override { device.reset(); }
  void on_complete(TransferPtr transfer, Completion completion) override {
    EXPECT_FALSE(inside_submit);
    last = completion;
    back = std::move(transfer);
  }
  void submit(EndpointAddress endpoint, TransferData data, std::vector<IsochronousPacket> packets,
              std::optional<SetupPacket> setup = {}) {
    const Direction direction = setup ? setup->direction() : endpoint.direction();
    auto transfer = std::make_unique<Transfer>(*this, TransferId(1), endpoint, direction, std::move(data));
    transfer->packets = std::move(packets);
    transfer->setup = setup;
    back = nullptr;
    inside_submit = true;
    device->submit(std::move(transfer));
    inside_submit = false;
    time.run_until_idle();
  }
  Status request(const SetupPacket& setup) {
    submit(EndpointAddress(), TransferData::room(setup.length), {}, setup);
    return last.status;
  }
  void open() {
    (void)request({.request = 9, .value = 1});
    (void)request({.request_type = 1, .request = 11, .value = 1});
  }
  static TransferData text(std::string_view content) {
    const ByteView bytes = as_bytes(content);
    return TransferData::owned(Bytes(bytes.begin(), bytes.end()));
  }

  periplex::testing::VirtualTime time;
  std::unique_ptr<Echo> device = std::make_unique<Echo>(time);
  bool inside_submit = false;
  Completion last;
  TransferPtr back;
};

TEST_F(Isochronous, EachPacketIsHandedOverByItselfAndTheTransferComesBackWithTheSum) {
  open();
  submit(kOut, text("onethree"), {{.offset = 0, .length = 3}, {.offset = 3, .length = 0}, {.offset = 3, .length = 5}});
  EXPECT_THAT(device->got, ElementsAre("one", "", "three"));
  EXPECT_EQ(last.status, Status::ok);
  EXPECT_EQ(last.actual, 8u);
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->packets[2].actual, 5u);
}

TEST_F(Isochronous, AnswersStandWhereTheirPacketsAreEvenWhenTheyAreShort) {
  open();
  submit(kOut, text("abc"), {{.offset = 0, .length = 2}, {.offset = 2, .length = 1}});
  submit(kIn, TransferData::room(12),
         {{.offset = 0, .length = 4}, {.offset = 4, .length = 4}, {.offset = 8, .length = 4}});
  EXPECT_EQ(last.actual, 3u);
  EXPECT_EQ(as_text(back->data.copy(12)), std::string_view("ab\0\0c\0\0\0\0\0\0\0", 12));
  EXPECT_EQ(back->packets[0].actual, 2u);
  EXPECT_EQ(back->packets[1].actual, 1u);
  EXPECT_EQ(back->packets[2].actual, 0u) << "nothing to say is no error";
  EXPECT_EQ(back->packets[2].status, Status::ok);
}

TEST_F(Isochronous, APacketThatLiesAcrossPiecesOfGuestMemoryIsSeenWhole) {
  const auto memory = guest::testing::make_ram(0x4000);
  auto range = memory->pin(guest::GuestAddress(0x1000), 2, guest::Intent::write).value();
  range.append(memory->pin(guest::GuestAddress(0x3000), 4, guest::Intent::write).value());
  ASSERT_EQ(range.spans().size(), 2u);
  std::ranges::copy(as_bytes("ab"), range.spans()[0].begin());
  std::ranges::copy(as_bytes("cdef"), range.spans()[1].begin());
  open();
  submit(kOut, TransferData::pinned(range), {{.offset = 0, .length = 4}, {.offset = 4, .length = 2}});
  EXPECT_THAT(device->got, ElementsAre("abcd", "ef"));
  submit(kIn, TransferData::pinned(range), {{.offset = 1, .length = 4}});
  EXPECT_EQ(as_text(back->data.copy(6)), "aabcdf");
}

TEST_F(Isochronous, NothingIsReadOrWrittenBeyondTheDataOrThePacket) {
  open();
  submit(kOut, text("abc"), {{.offset = 0, .length = 100}, {.offset = 50, .length = 4}});
  EXPECT_THAT(device->got, ElementsAre("abc", ""));
  EXPECT_EQ(last.actual, 3u);
  submit(kIn, TransferData::room(10), {{.offset = 0, .length = 2}});
  EXPECT_EQ(last.actual, 2u) << "the function had more than there was room for";
}

TEST_F(Isochronous, WithoutTheAlternateSettingThereIsNoEndpoint) {
  (void)request({.request = 9, .value = 1});
  submit(kOut, text("abc"), {{.offset = 0, .length = 3}});
  EXPECT_EQ(last.status, Status::error);
  EXPECT_THAT(device->got, IsEmpty());
}

TEST_F(Isochronous, ThereIsNoHaltCondition) {
  open();
  EXPECT_EQ(request({.request_type = 2, .request = 3, .index = 0x81}), Status::stall);
  EXPECT_EQ(request({.request_type = 2, .request = 1, .index = 0x81}), Status::ok);
  device->halt(kIn);
  EXPECT_FALSE(device->is_halted(kIn));
}

ParsedEndpoint endpoint_at(const DeviceDescription& description, Speed speed) {
  const DescriptorSet set(description, speed);
  return parse_configuration(*set.find(0x0200)).value().interfaces.at(1).endpoints.at(0);
}

TEST(IsochronousDescriptors, IntervalsAreExponentsOfFramesOrMicroframes) {
  const auto interval = [](Speed speed, Microseconds wanted) {
    return endpoint_at(stream_device(wanted), speed).descriptor.interval;
  };
  EXPECT_EQ(interval(Speed::high, Microseconds(125)), 1);
  EXPECT_EQ(interval(Speed::high, Microseconds(1000)), 4);
  EXPECT_EQ(interval(Speed::super, Microseconds(900)), 3) << "never longer than asked for";
  EXPECT_EQ(interval(Speed::high, std::chrono::seconds(60)), 16);
  EXPECT_EQ(interval(Speed::full, Microseconds(1000)), 1);
  EXPECT_EQ(interval(Speed::full, Microseconds(4000)), 3);
  EXPECT_EQ(interval(Speed::full, Microseconds(125)), 1) << "not shorter than a frame";
}

TEST(IsochronousDescriptors, TheSynchronizationTypeIsPartOfTheAttributes) {
  EXPECT_EQ(endpoint_at(stream_device(), Speed::high).descriptor.attributes, 0x05);
}

TEST(IsochronousDescriptors, AFullSpeedPacketCarriesWhatAllPacketsOfAFrameDo) {
  EXPECT_EQ(endpoint_at(stream_device(Microseconds(250)), Speed::high).descriptor.max_packet_size, 100);
  EXPECT_EQ(endpoint_at(stream_device(Microseconds(250)), Speed::full).descriptor.max_packet_size, 400);
}

TEST(IsochronousDescriptors, LongPacketsDoNotRunAtEverySpeed) {
  const auto runs = [](std::uint16_t payload, Microseconds interval, Speed speed) {
    return runs_at(stream_device(interval, payload), speed);
  };
  EXPECT_FALSE(runs(8, Microseconds(1000), Speed::low));
  EXPECT_TRUE(runs(1023, Microseconds(1000), Speed::full));
  EXPECT_FALSE(runs(1024, Microseconds(1000), Speed::full));
  EXPECT_FALSE(runs(128, Microseconds(125), Speed::full)) << "eight of them in a frame";
  EXPECT_TRUE(runs(1024, Microseconds(125), Speed::high));
  EXPECT_FALSE(runs(1025, Microseconds(125), Speed::high));
}

}  // namespace
}  // namespace periplex::usb::device
