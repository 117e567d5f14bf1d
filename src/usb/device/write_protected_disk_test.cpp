// SPDX-License-Identifier: Apache-2.0
#include "usb/device/write_protected_disk.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include "usb/descriptors.hpp"
#include "usb/device/testing/fronted_disk_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::FrontedDiskHost;

std::unique_ptr<Device> protect(std::unique_ptr<Device> disk, Scheduler& scheduler) {
  return std::make_unique<WriteProtectedDisk>(std::move(disk), scheduler);
}

Bytes cdb(std::initializer_list<unsigned> bytes) {
  Bytes made;
  for (const unsigned byte : bytes) made.push_back(static_cast<std::byte>(byte));
  return made;
}

class WriteProtectedDiskTest : public ::testing::Test {
 protected:
  WriteProtectedDiskTest() {
    host.configure();
    (void)host.run(cdb({0, 0, 0, 0, 0, 0}));  // takes the power-on attention
    (void)host.run(cdb({3, 0, 0, 0, 18, 0}), 18);
    before = host.medium->content;
  }
  ~WriteProtectedDiskTest() override { EXPECT_EQ(host.medium->content, before) << "something was written"; }

  FrontedDiskHost host{protect};
  Bytes before;
};

TEST_F(WriteProtectedDiskTest, B10AReadGoesThrough) {
  const auto status = host.run(cdb({0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0}), 1024);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, BulkOnlyStatus::passed);
  EXPECT_EQ(host.data, Bytes(before.begin() + 512, before.begin() + 1536));
}

TEST_F(WriteProtectedDiskTest, B10AWriteEndsAsOnAWriteProtectedDisk) {
  const auto status = host.run(cdb({0x2a, 0, 0, 0, 0, 1, 0, 0, 2, 0}), 1024, false);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, BulkOnlyStatus::failed);
  EXPECT_EQ(status->data_residue, 1024U);
  EXPECT_EQ(status->tag, FrontedDiskHost::kTag);
  EXPECT_EQ(host.run(cdb({3, 0, 0, 0, 18, 0}), 18)->status, BulkOnlyStatus::passed);
  EXPECT_EQ(std::to_integer<unsigned>(host.data.at(2)), 7U);
  EXPECT_EQ(std::to_integer<unsigned>(host.data.at(12)), 0x27U);
  // Once it has been told, the disk's own sense data counts again.
  (void)host.run(cdb({3, 0, 0, 0, 18, 0}), 18);
  EXPECT_EQ(std::to_integer<unsigned>(host.data.at(2)), 0U);
}

TEST_F(WriteProtectedDiskTest, B10TheGuestIsToldThatItIsWriteProtected) {
  EXPECT_EQ(host.run(cdb({0x1a, 0, 0x3f, 0, 192, 0}), 192)->status, BulkOnlyStatus::passed);
  EXPECT_EQ(hex(host.data), "03 00 80 00");
  EXPECT_EQ(host.run(cdb({0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 8, 0}), 8)->data_residue, 0U);
  EXPECT_EQ(hex(host.data), "00 06 00 80 00 00 00 00");
}

TEST_F(WriteProtectedDiskTest, NothingThatMayWriteReachesTheDisk) {
  for (const unsigned operation : {0x04U, 0x0aU, 0x15U, 0x2aU, 0x2eU, 0x3bU, 0x41U, 0x55U, 0x85U, 0x8aU, 0x93U, 0xa1U,
                                   0xaaU, 0xaeU, 0xc1U, 0xffU}) {
    for (const bool data_in : {true, false}) {
      for (const std::uint32_t length : {0U, 512U}) {
        const auto status = host.run(cdb({operation, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}), length, data_in);
        ASSERT_TRUE(status) << operation;
        EXPECT_EQ(status->status, BulkOnlyStatus::failed) << operation;
      }
    }
  }
  // Harmless, but for the data that comes with it.
  EXPECT_EQ(host.run(cdb({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}), 512, false)->status, BulkOnlyStatus::failed);
}

TEST_F(WriteProtectedDiskTest, WhatIsNoCommandIsStalled) {
  EXPECT_EQ(host.get(host.out(Bytes(512))).status, Status::stall);
  EXPECT_EQ(host.get(host.out(Bytes(31))).status, Status::stall);
  Bytes longer = FrontedDiskHost::cbw(cdb({0, 0, 0, 0, 0, 0}), 0, true);
  longer.push_back(std::byte{});
  EXPECT_EQ(host.get(host.out(longer)).status, Status::stall);
  EXPECT_EQ(host.get(host.out({})).status, Status::stall);
  EXPECT_TRUE(host.run(cdb({0, 0, 0, 0, 0, 0}))) << "the next command is heard";
}

TEST_F(WriteProtectedDiskTest, AHostThatGivesUpACommandCanBeginAnother) {
  EXPECT_EQ(host.get(host.out(FrontedDiskHost::cbw(cdb({0x2a, 0, 0, 0, 0, 0, 0, 0, 2, 0}), 1024, false))).status,
            Status::ok);
  const auto status = CommandStatusWrapper::parse(host.get(host.in(13)).data);
  ASSERT_TRUE(status) << "without its data";
  EXPECT_EQ(status->data_residue, 1024U);
  (void)host.out(FrontedDiskHost::cbw(cdb({0x2a, 0, 0, 0, 0, 0, 0, 0, 2, 0}), 1024, false));
  EXPECT_EQ(host.control(0x21, 0xff, 0, 0, 0).status, Status::ok);
  EXPECT_EQ(host.run(cdb({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 8)->status, BulkOnlyStatus::passed);
}

TEST_F(WriteProtectedDiskTest, RequestsThatMayChangeItAreStalled) {
  EXPECT_EQ(host.control(0x40, 0x01, 0, 0, 0).status, Status::stall);
  EXPECT_EQ(host.control(0x21, 0x00, 0, 0, 0).status, Status::stall);
  EXPECT_EQ(host.control(0x00, 0x07, 0, 0, 0).status, Status::stall);
  EXPECT_EQ(host.control(0x01, 0x0b, 1, 0, 0).status, Status::stall);
  EXPECT_EQ(host.control(0xa1, 0xfe, 0, 0, 1).status, Status::ok);
}

TEST(WriteProtectedUasDisk, ShowsNoUas) {
  FrontedDiskHost host(protect, StorageTransport::uas);
  const Bytes whole = host.descriptor(DescriptorType::configuration).data;
  const auto parsed = parse_configuration(whole);
  ASSERT_TRUE(parsed);
  ASSERT_GE(parsed->interfaces.size(), 2U);
  unsigned bulk_only = 0;
  for (const ParsedInterface& interface : parsed->interfaces) {
    EXPECT_NE(interface.descriptor.interface_protocol, 0x62);
    bulk_only += interface.descriptor.interface_class == 8 && interface.descriptor.interface_protocol == 0x50 ? 1 : 0;
  }
  EXPECT_EQ(bulk_only, 1U);
  // Any beginning of it can be asked for, and none has a protocol to be seen that is UAS.
  for (std::uint16_t length = 0; length <= whole.size(); ++length) {
    const Bytes part = host.descriptor(DescriptorType::configuration, 0, length).data;
    EXPECT_EQ(part.size(), length);
    EXPECT_EQ(std::ranges::count(part, std::byte{0x62}), 0) << length;
  }
}

}  // namespace
}  // namespace periplex::usb::device
