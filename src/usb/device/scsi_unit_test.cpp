// SPDX-License-Identifier: Apache-2.0
// The commands about the unit as a whole, one by one.
#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::FakeBlock;
using testing::ScsiHost;

std::uint8_t at(const Bytes& data, std::size_t index) {
  return std::to_integer<std::uint8_t>(data.at(index));
}

ScsiDiskOptions options() {
  return {.identity = {.vendor = "Acme", .product = "Rocket Disk", .revision = "7", .serial = "0123456789ABCDEF"}};
}

TEST(ScsiDisk, TellsThePowerOnOnceButAnswersInquiryBeforehand) {
  ScsiHost host;
  host.disk->power_on();
  EXPECT_TRUE(host.run(bytes({0x12, 0, 0, 0, 36, 0})).good());
  EXPECT_EQ(host.run(bytes({0x00})).sense, sense::kPowerOn);
  EXPECT_TRUE(host.run(bytes({0x00})).good());
}

TEST(ScsiDisk, RequestSenseReportsAndClearsAPendingAttention) {
  ScsiHost host;
  host.disk->power_on();
  const auto outcome = host.run(bytes({0x03, 0, 0, 0, 18, 0}));
  EXPECT_EQ(outcome.data, sense::kPowerOn.fixed_format());
  EXPECT_TRUE(host.run(bytes({0x00})).good());
}

TEST(ScsiDisk, RequestSenseGivesHeldSenseOnceInEitherFormat) {
  ScsiHost host;
  host.disk->hold_sense(sense::lba_out_of_range(7));
  EXPECT_EQ(host.run(bytes({0x03, 0, 0, 0, 252, 0})).data, sense::lba_out_of_range(7).fixed_format());
  EXPECT_EQ(host.run(bytes({0x03, 0, 0, 0, 252, 0})).data, sense::kNone.fixed_format());
  host.disk->hold_sense(sense::lba_out_of_range(7));
  EXPECT_EQ(host.run(bytes({0x03, 1, 0, 0, 252, 0})).data, sense::lba_out_of_range(7).descriptor_format());
  host.disk->hold_sense(sense::kWriteProtected);
  EXPECT_TRUE(host.run(bytes({0x00})).good());
  EXPECT_EQ(host.run(bytes({0x03, 0, 0, 0, 18, 0})).data, sense::kNone.fixed_format()) << "another command forgets it";
}

TEST(ScsiDisk, StandardInquiryNamesTheDisk) {
  ScsiHost host(options());
  const auto outcome = host.run(bytes({0x12, 0, 0, 0, 96, 0}));
  ASSERT_EQ(outcome.data.size(), 36u);
  EXPECT_EQ(at(outcome.data, 1), 0x80) << "removable";
  EXPECT_EQ(as_text(outcome.data).substr(8), "Acme    Rocket Disk     7   ");
  EXPECT_EQ(host.run(bytes({0x12, 0, 0, 0, 5, 0})).data.size(), 5u) << "cut to the allocation length";
  EXPECT_EQ(host.run(bytes({0x12, 0, 1, 0, 96, 0})).sense, sense::invalid_field_in_cdb(2));
}

TEST(ScsiDisk, EveryVitalProductDataPageItListsIsThere) {
  ScsiHost host(options());
  const auto list = host.run(bytes({0x12, 1, 0, 0, 255, 0})).data;
  EXPECT_EQ(list, bytes({0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2}));
  for (std::size_t i = 4; i < list.size(); ++i) {
    const auto page = host.run(bytes({0x12, 1, at(list, i), 0, 255, 0}));
    ASSERT_TRUE(page.good());
    EXPECT_EQ(at(page.data, 1), at(list, i));
    EXPECT_EQ(page.data.size(), 4u + at(page.data, 3));
  }
  EXPECT_EQ(as_text(host.run(bytes({0x12, 1, 0x80, 0, 255, 0})).data).substr(4), "0123456789ABCDEF");
  EXPECT_EQ(host.run(bytes({0x12, 1, 0xb0, 0, 255, 0})).data.size(), 64u);
  EXPECT_EQ(host.run(bytes({0x12, 1, 0xc0, 0, 255, 0})).sense, sense::invalid_field_in_cdb(2));
}

TEST(ScsiDisk, AnAbsentUnitAnswersInquiryAndRefusesTheRest) {
  ScsiHost host;
  EXPECT_EQ(at(host.run(bytes({0x12, 0, 0, 0, 36, 0}), {}, 64, 1).data, 0), 0x7f);
  EXPECT_EQ(host.run(bytes({0x00}), {}, 0, 3).sense, sense::kLogicalUnitNotSupported);
  EXPECT_EQ(host.run(bytes({0x03, 0, 0, 0, 18, 0}), {}, 64, 1).data, sense::kLogicalUnitNotSupported.fixed_format());
}

TEST(ScsiDisk, ReportsOneLogicalUnit) {
  ScsiHost host;
  const auto outcome = host.run(bytes({0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}));
  EXPECT_EQ(outcome.data, bytes({0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(host.run(bytes({0xa0, 0, 3, 0, 0, 0, 0, 0, 0, 16})).sense, sense::invalid_field_in_cdb(2));
}

TEST(ScsiDisk, RefusesWhatItDoesNotKnow) {
  ScsiHost host;
  // LOG SENSE, GET CONFIGURATION, READ TOC, ATA PASS-THROUGH (12 and 16), FORMAT UNIT, a vendor's.
  for (const unsigned opcode : {0x4d, 0x46, 0x43, 0xa1, 0x85, 0x04, 0xff}) {
    EXPECT_EQ(host.run(bytes({opcode})).sense, sense::kInvalidOperationCode) << opcode;
  }
}

TEST(ScsiDisk, ReadsCapacityInBothForms) {
  ScsiHost host({}, 1024, 4096);
  EXPECT_EQ(host.run(bytes({0x25})).data, bytes({0, 0, 3, 0xff, 0, 0, 0x10, 0}));
  const auto outcome = host.run(bytes({0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}));
  ASSERT_EQ(outcome.data.size(), 32u);
  EXPECT_EQ(ByteReader(outcome.data).be64(), 1023u);
  EXPECT_EQ(at(outcome.data, 14), 0) << "not thin provisioned: this medium cannot discard";
  host.medium->discards = true;
  EXPECT_EQ(at(host.run(bytes({0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32})).data, 14), 0xc0);
  EXPECT_EQ(host.run(bytes({0x9e, 0x12})).sense, sense::invalid_field_in_cdb(1));
}

TEST(ScsiDisk, ReadsFormatCapacitiesWithAndWithoutAMedium) {
  ScsiHost host;
  const Bytes cdb = bytes({0x23, 0, 0, 0, 0, 0, 0, 0, 252, 0});
  EXPECT_EQ(host.run(cdb).data, bytes({0, 0, 0, 8, 0, 0, 4, 0, 2, 0, 2, 0}));
  (void)host.disk->remove();
  EXPECT_EQ(at(host.run(cdb).data, 8), 3) << "no medium present";
}

TEST(ScsiDisk, ModeSenseShowsWriteCacheAndWriteProtection) {
  ScsiHost host;
  const Bytes caching = bytes({0x1a, 0, 0x08, 0, 192, 0});
  const auto six = host.run(caching).data;
  ASSERT_EQ(six.size(), 4u + 8 + 20);
  EXPECT_EQ(at(six, 0), six.size() - 1);
  EXPECT_EQ(at(six, 2), 0x10) << "FUA is understood, nothing is write protected";
  EXPECT_EQ(at(six, 12), 0x08);
  EXPECT_EQ(at(six, 14), 0x04) << "WCE: a completed write is not durable yet";
  host.medium->protect = true;
  EXPECT_EQ(at(host.run(caching).data, 2), 0x90);
  const auto ten = host.run(bytes({0x5a, 0x08, 0x3f, 0, 0, 0, 0, 0, 252, 0})).data;
  EXPECT_EQ(ByteReader(ten).be16(), ten.size() - 2);
  EXPECT_EQ(ten.size(), 8u + 12 + 20 + 12 + 12) << "no block descriptor, all pages";
}

TEST(ScsiDisk, ModeSenseRefusesWhatItHasNot) {
  ScsiHost host;
  EXPECT_EQ(host.run(bytes({0x1a, 0, 0x2a, 0, 192, 0})).sense, sense::invalid_field_in_cdb(2));
  EXPECT_EQ(host.run(bytes({0x1a, 0, 0x08, 1, 192, 0})).sense, sense::invalid_field_in_cdb(3));
  EXPECT_EQ(host.run(bytes({0x1a, 0, 0xc8, 0, 192, 0})).sense, sense::kSavingNotSupported);
}

TEST(ScsiDisk, ModeSelectSwitchesTheWriteCacheOff) {
  ScsiHost host;
  Bytes list = bytes({0, 0, 0, 0, 0x08, 18});
  list.resize(24);
  const Bytes select = bytes({0x15, 0x10, 0, 0, 24, 0});
  EXPECT_TRUE(host.run(select, list).good());
  EXPECT_EQ(host.medium->flushes, 1u) << "what was written before is durable now";
  EXPECT_EQ(at(host.run(bytes({0x1a, 8, 0x08, 0, 192, 0})).data, 6), 0x00);
  EXPECT_TRUE(host.run(bytes({0x2a, 0, 0, 0, 0, 0, 0, 0, 1}), Bytes(512)).good());
  EXPECT_EQ(host.medium->flushes, 2u) << "every write is durable when it completes";
}

TEST(ScsiDisk, ModeSelectIsAllOrNothing) {
  ScsiHost host;
  const Bytes select = bytes({0x15, 0x10, 0, 0, 24, 0});
  Bytes list = bytes({0, 0, 0, 0, 0x08, 18, 0, 1});
  list.resize(24);
  EXPECT_EQ(host.run(select, list).sense, sense::invalid_field_in_parameters(7));
  EXPECT_EQ(host.run(bytes({0x15, 0x10, 0, 0, 7, 0}), bytes({0, 0, 0, 0, 8, 18, 0})).sense,
            sense::kParameterListLengthError);
  EXPECT_EQ(host.run(bytes({0x15, 0x10, 0, 0, 6, 0}), bytes({0, 0, 0, 0, 0x2a, 0})).sense,
            sense::invalid_field_in_parameters(4));
  EXPECT_EQ(host.run(bytes({0x15, 0x11, 0, 0, 24, 0}), list).sense, sense::invalid_field_in_cdb(1));
  EXPECT_EQ(at(host.run(bytes({0x1a, 8, 0x08, 0, 192, 0})).data, 6), 0x04);
}

TEST(ScsiDisk, EjectFlushesAndTheMediumIsGoneUntilItIsLoaded) {
  ScsiHost host;
  EXPECT_TRUE(host.run(bytes({0x1b, 0, 0, 0, 2, 0})).good());
  EXPECT_EQ(host.medium->flushes, 1u);
  EXPECT_FALSE(host.disk->medium_present());
  EXPECT_EQ(host.run(bytes({0x00})).sense, sense::kMediumNotPresent);
  EXPECT_EQ(host.run(bytes({0x25})).sense, sense::kMediumNotPresent);
  EXPECT_TRUE(host.run(bytes({0x1b, 0, 0, 0, 3, 0})).good());
  EXPECT_EQ(host.run(bytes({0x00})).sense, sense::kMediumChanged);
  EXPECT_TRUE(host.run(bytes({0x00})).good());
}

TEST(ScsiDisk, ALockedMediumIsNotEjected) {
  ScsiHost host;
  EXPECT_TRUE(host.run(bytes({0x1e, 0, 0, 0, 1, 0})).good());
  EXPECT_TRUE(host.disk->locked());
  EXPECT_EQ(host.run(bytes({0x1b, 0, 0, 0, 2, 0})).sense, sense::kMediumRemovalPrevented);
  EXPECT_TRUE(host.run(bytes({0x1e, 0, 0, 0, 0, 0})).good());
  EXPECT_TRUE(host.run(bytes({0x1b, 0, 0, 0, 2, 0})).good());
}

TEST(ScsiDisk, AFixedDiskCannotBeEjected) {
  ScsiHost host({.removable = false});
  EXPECT_EQ(host.run(bytes({0x1b, 0, 0, 0, 2, 0})).sense, sense::invalid_field_in_cdb(4));
  EXPECT_TRUE(host.run(bytes({0x1e, 0, 0, 0, 1, 0})).good());
  EXPECT_FALSE(host.disk->locked());
}

TEST(ScsiDisk, StoppingMakesDurableAndTheDiskStaysReady) {
  ScsiHost host;
  EXPECT_TRUE(host.run(bytes({0x1b, 0, 0, 0, 0, 0})).good());
  EXPECT_EQ(host.medium->flushes, 1u);
  EXPECT_TRUE(host.run(bytes({0x00})).good());
}

TEST(ScsiDisk, ANewMediumIsAnnouncedOnce) {
  ScsiHost host;
  EXPECT_NE(host.disk->remove(), nullptr);
  EXPECT_EQ(host.disk->remove(), nullptr);
  EXPECT_EQ(host.run(bytes({0x00})).sense, sense::kMediumNotPresent);
  host.disk->insert(std::make_unique<FakeBlock>(8));
  host.disk->insert(std::make_unique<FakeBlock>(16));
  EXPECT_EQ(host.run(bytes({0x00})).sense, sense::kMediumChanged);
  EXPECT_EQ(host.run(bytes({0x25})).data, bytes({0, 0, 0, 15, 0, 0, 2, 0}));
}

TEST(ScsiDisk, AMediumOfLessThanOneBlockIsNotFormatted) {
  ScsiHost host;
  host.disk->insert(std::make_unique<FakeBlock>(0));
  (void)host.run(bytes({0x00}));
  EXPECT_EQ(host.run(bytes({0x25})).sense, sense::kMediumFormatCorrupted);
}

}  // namespace
}  // namespace periplex::usb::device
