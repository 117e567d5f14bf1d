// SPDX-License-Identifier: Apache-2.0
#include "usb/device/storage.hpp"

#include <gtest/gtest.h>

#include "usb/descriptors.hpp"
#include "usb/device/testing/bulk_only_host.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::BulkOnlyHost;
using testing::FakeBlock;
using testing::UasHost;
using enum BulkOnlyStatus;

const Bytes kTestUnitReady(6);
const StorageOptions kOptions = {.serial = "0123456789ABCDEF"};

const std::vector<std::pair<Speed, std::uint16_t>> kPackets = {
    {Speed::full, 64}, {Speed::high, 512}, {Speed::super, 1024}, {Speed::super_plus, 1024}};

TEST(Storage, HasTheRightBulkEndpointsAtEachSpeed) {
  for (const auto& [speed, packet] : kPackets) {
    testing::DiskHost host(kOptions, speed, 8);
    const auto configuration = parse_configuration(host.control(0x80, 0x06, 0x0200, 0, 512).data);
    ASSERT_TRUE(configuration);
    ASSERT_EQ(configuration->interfaces.size(), 1u);
    const auto& interface = configuration->interfaces[0];
    EXPECT_EQ(interface.descriptor.interface_class, 0x08);
    EXPECT_EQ(interface.descriptor.interface_subclass, 0x06);
    EXPECT_EQ(interface.descriptor.interface_protocol, 0x50);
    ASSERT_EQ(interface.endpoints.size(), 2u);
    EXPECT_EQ(interface.endpoints[0].descriptor.address, EndpointAddress(0x81));
    EXPECT_EQ(interface.endpoints[1].descriptor.address, EndpointAddress(0x02));
    for (const auto& endpoint : interface.endpoints) {
      EXPECT_EQ(endpoint.descriptor.type(), TransferType::bulk);
      EXPECT_EQ(endpoint.descriptor.max_packet_size, packet);
      ASSERT_EQ(endpoint.companion.has_value(), is_usb3(speed));
      if (endpoint.companion) EXPECT_EQ(endpoint.companion->max_burst, 15);
    }
  }
}

TEST(Storage, OffersAttachedScsiAsASecondSettingWithItsFourPipes) {
  const std::vector<std::pair<std::uint8_t, unsigned>> pipes = {{0x04, 1}, {0x83, 2}, {0x81, 3}, {0x02, 4}};
  for (const auto& [speed, packet] : kPackets) {
    testing::DiskHost host(UasHost::default_options(), speed, 8);
    const auto configuration = parse_configuration(host.control(0x80, 0x06, 0x0200, 0, 512).data);
    ASSERT_TRUE(configuration);
    EXPECT_EQ(configuration->descriptor.num_interfaces, 1);
    ASSERT_EQ(configuration->interfaces.size(), 2u);
    EXPECT_EQ(configuration->interfaces[0].descriptor.interface_protocol, 0x50);
    const auto& interface = configuration->interfaces[1];
    EXPECT_EQ(interface.descriptor.number, 0);
    EXPECT_EQ(interface.descriptor.alternate_setting, 1);
    EXPECT_EQ(interface.descriptor.interface_class, 0x08);
    EXPECT_EQ(interface.descriptor.interface_subclass, 0x06);
    EXPECT_EQ(interface.descriptor.interface_protocol, 0x62);
    ASSERT_EQ(interface.endpoints.size(), pipes.size());
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      const auto& endpoint = interface.endpoints[i];
      EXPECT_EQ(endpoint.descriptor.address, EndpointAddress(pipes[i].first));
      EXPECT_EQ(endpoint.descriptor.max_packet_size, packet);
      ASSERT_EQ(endpoint.companion.has_value(), is_usb3(speed));
      if (endpoint.companion) EXPECT_EQ(endpoint.companion->attributes, i == 0 ? 0 : 5) << "streams";
    }
  }
}

TEST(Storage, APipeUsageDescriptorStandsBehindEachEndpointOfAttachedScsi) {
  testing::DiskHost host(UasHost::default_options(), Speed::super, 8);
  const Bytes configuration = host.control(0x80, 0x06, 0x0200, 0, 512).data;
  std::vector<unsigned> pipe_ids;
  std::vector<std::uint8_t> before;
  std::uint8_t last = 0;
  const auto visited = for_each_descriptor(configuration, [&](const DescriptorView& descriptor) {
    if (descriptor.type == 0x24) {
      EXPECT_EQ(descriptor.bytes.size(), 4u);
      pipe_ids.push_back(std::to_integer<unsigned>(descriptor.bytes[2]));
      before.push_back(last);
    }
    last = descriptor.type;
  });
  EXPECT_TRUE(visited);
  EXPECT_EQ(pipe_ids, (std::vector<unsigned>{1, 2, 3, 4}));
  EXPECT_EQ(before, std::vector<std::uint8_t>(4, 0x30));
}

TEST(Storage, WithAttachedScsiFirmwareStillFindsABulkOnlyDisk) {
  BulkOnlyHost host(UasHost::default_options());
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, passed));
}

TEST(Storage, TheHostGoesFromOneTransportToTheOtherAndBack) {
  UasHost host;
  EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
  EXPECT_EQ(host.control(0xa1, 0xfe, 0, 0, 1).status, Status::stall) << "bulk-only's requests are not there";
  EXPECT_EQ(host.choose(0).status, Status::ok);
  EXPECT_EQ(host.control(0xa1, 0xfe, 0, 0, 1).data, Bytes(1));
  EXPECT_EQ(host.get(host.status(1)).status, Status::error) << "that pipe is not there";
  const TransferId csw = host.submit(UasHost::kDataIn, TransferData::room(13));
  host.submit(UasHost::kDataOut, TransferData::owned(BulkOnlyHost::cbw(kTestUnitReady, 0, true)));
  EXPECT_EQ(host.get(csw).data, BulkOnlyHost::csw(0, passed));
  EXPECT_EQ(host.choose(1).status, Status::ok);
  EXPECT_EQ(host.run(1, kTestUnitReady), UasHost::good(1));
  EXPECT_EQ(host.control(0x00, 0x09, 1, 0, 0).status, Status::ok);
  EXPECT_EQ(host.get(host.status(1)).status, Status::error) << "a new configuration begins with setting 0";
}

TEST(Storage, ABulkOnlyDiskHasNoSecondSetting) {
  BulkOnlyHost host;
  EXPECT_EQ(host.control(0x01, 0x0b, 1, 0, 0).status, Status::stall);
}

TEST(Storage, AnswersTheTwoClassRequestsAndNoOther) {
  BulkOnlyHost host;
  EXPECT_EQ(host.control(0xa1, 0xfe, 0, 0, 1).data, Bytes(1)) << "GET MAX LUN";
  EXPECT_EQ(host.control(0xa1, 0xfe, 1, 0, 1).status, Status::stall);
  EXPECT_EQ(host.control(0x21, 0xff, 0, 0, 0).status, Status::ok);
  EXPECT_EQ(host.control(0x21, 0xff, 0, 1, 0).status, Status::stall) << "no such interface";
  EXPECT_EQ(host.control(0xa1, 0xfd, 0, 0, 1).status, Status::stall);
}

TEST(Storage, ShowsItsState) {
  BulkOnlyHost host;
  EXPECT_EQ(host.run(Bytes{std::byte{0x28}, {}, {}, {}, {}, {}, {}, {}, std::byte{2}, {}}, 1024),
            BulkOnlyHost::csw(0, passed));
  const StorageState state = host.device->state();
  EXPECT_TRUE(state.medium_present);
  EXPECT_FALSE(state.locked);
  EXPECT_FALSE(state.write_protected);
  EXPECT_EQ(state.size, 1024u * 512);
  EXPECT_EQ(state.counters.bytes_read, 1024u);
  EXPECT_EQ(state.counters.commands, 3u);
}

TEST(Storage, EjectTakesTheMediumOutUnlessTheGuestHasLockedIt) {
  BulkOnlyHost host;
  (void)host.run(Bytes{std::byte{0x1e}, {}, {}, {}, std::byte{1}, {}});
  EXPECT_EQ(host.device->eject(), std::unexpected(EjectError::locked));
  EXPECT_TRUE(host.device->state().locked);
  EXPECT_TRUE(host.device->eject(Storage::Force::yes));
  EXPECT_EQ(host.device->eject(), std::unexpected(EjectError::no_medium));
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, failed));
  EXPECT_EQ(host.sense(), (std::array{2u, 0x3au, 0u}));
  host.device->insert(std::make_unique<FakeBlock>(16));
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, failed));
  EXPECT_EQ(host.sense(), (std::array{6u, 0x28u, 0u}));
  EXPECT_EQ(host.run(kTestUnitReady), BulkOnlyHost::csw(0, passed));
}

TEST(Storage, AFixedDiskHasNoEjectButton) {
  StorageOptions options = kOptions;
  options.removable = false;
  BulkOnlyHost host(options);
  EXPECT_EQ(host.device->eject(Storage::Force::yes), std::unexpected(EjectError::not_removable));
}

TEST(Storage, ForcedEjectDuringASlowCommandFailsItAndNothingElse) {
  BulkOnlyHost host;
  host.medium->slow = true;
  host.out(BulkOnlyHost::cbw(Bytes{std::byte{0x28}, {}, {}, {}, {}, {}, {}, {}, std::byte{2}, {}}, 1024, true));
  const TransferId data = host.in(1024);
  EXPECT_FALSE(host.answer(data));
  EXPECT_TRUE(host.device->eject(Storage::Force::yes));
  EXPECT_EQ(host.get(data).actual, 1024u) << "padded";
  EXPECT_EQ(host.get(host.in(13)).data, BulkOnlyHost::csw(1024, failed));
  EXPECT_EQ(host.sense(), (std::array{2u, 0x3au, 0u}));
}

TEST(Storage, ACommandQueuedBehindAnEjectFindsNoMedium) {
  BulkOnlyHost host;
  host.medium->slow = true;
  const Bytes read = {std::byte{0x28}, {}, {}, {}, {}, {}, {}, {}, std::byte{1}, {}};
  host.out(BulkOnlyHost::cbw(read, 512, true));
  for (const std::size_t room : {512u, 13u, 512u, 13u}) host.in(room);
  host.out(BulkOnlyHost::cbw(read, 512, true));
  EXPECT_TRUE(host.device->eject(Storage::Force::yes));
  EXPECT_EQ(host.unanswered(), 0u);
  EXPECT_EQ(host.sense(), (std::array{2u, 0x3au, 0u}));
}

TEST(Storage, BadSectorsOfTheTestAidStayBadInEveryMedium) {
  StorageOptions options = kOptions;
  options.bad_sectors = {{5, 1}};
  BulkOnlyHost host(options);
  const Bytes read = {std::byte{0x28}, {}, {}, {}, {}, std::byte{4}, {}, {}, std::byte{2}, {}};
  EXPECT_EQ(host.run(read, 1024), BulkOnlyHost::csw(512, failed));
  EXPECT_EQ(host.sense(), (std::array{3u, 0x11u, 0u}));
  host.device->insert(std::make_unique<FakeBlock>(16));
  (void)host.run(kTestUnitReady);
  EXPECT_EQ(host.run(read, 1024), BulkOnlyHost::csw(512, failed));
}

}  // namespace
}  // namespace periplex::usb::device
