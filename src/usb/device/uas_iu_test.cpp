// SPDX-License-Identifier: Apache-2.0
#include "usb/device/uas_iu.hpp"

#include <gtest/gtest.h>

#include "usb/device/testing/scsi_host.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::bytes;
using testing::UasHost;

const Bytes kRead = bytes({0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0});

UasCommandIu command(const Bytes& iu) {
  const auto parsed = parse_uas_iu(iu);
  const auto* const found = parsed ? std::get_if<UasCommandIu>(&*parsed) : nullptr;
  return found == nullptr ? UasCommandIu{} : *found;
}

TEST(UasIu, ACommandHasTagAttributeUnitAndCdb) {
  const UasCommandIu iu = command(UasHost::command_iu(0x1234, kRead, UasTaskAttribute::ordered));
  EXPECT_EQ(iu.tag, 0x1234);
  EXPECT_EQ(iu.attribute, UasTaskAttribute::ordered);
  EXPECT_EQ(iu.lun, 0);
  EXPECT_TRUE(std::equal(kRead.begin(), kRead.end(), iu.cdb.begin()));
}

TEST(UasIu, PriorityIsNotPartOfTheAttribute) {
  Bytes bytes = UasHost::command_iu(7, kRead, UasTaskAttribute::head_of_queue);
  bytes[4] |= std::byte{0x78};
  EXPECT_EQ(command(bytes).attribute, UasTaskAttribute::head_of_queue);
}

TEST(UasIu, UnitZeroHasTwoSpellingsAndAllOthersAreAbsent) {
  const auto lun = [](std::uint64_t number) {
    return command(UasHost::command_iu(7, kRead, UasTaskAttribute::simple, number)).lun;
  };
  EXPECT_EQ(lun(0), 0) << "peripheral device addressing";
  EXPECT_EQ(lun(0x4000000000000000), 0) << "flat space addressing";
  for (const std::uint64_t other : {std::uint64_t{0x0001000000000000}, std::uint64_t{0x4001000000000000},
                                    std::uint64_t{0xc101000000000000}, std::uint64_t{1}}) {
    EXPECT_EQ(lun(other), UasCommandIu::kAbsentLun);
  }
}

TEST(UasIu, ALongCdbMustBeThereAsFarAsItSays) {
  Bytes bytes = UasHost::command_iu(7, kRead);
  bytes[6] = std::byte{4 << 2};
  EXPECT_EQ(parse_uas_iu(bytes).error().tag, 7);
  bytes.resize(UasCommandIu::kSize + 16);
  EXPECT_EQ(command(bytes).tag, 7);
  bytes[6] = std::byte{0xff};
  bytes.resize(UasCommandIu::kMaxSize);
  EXPECT_EQ(command(bytes).tag, 7);
}

TEST(UasIu, WhatIsCutShortOrUnknownIsRefusedWithItsTagIfItHasOne) {
  for (const Bytes& whole :
       {UasHost::command_iu(0x0102, kRead), UasHost::management_iu(0x0102, UasFunction::abort_task)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto parsed = parse_uas_iu(ByteView(whole).first(size));
      ASSERT_FALSE(parsed);
      EXPECT_EQ(parsed.error().tag, size < 4 ? std::nullopt : std::optional<std::uint16_t>(0x0102));
    }
    EXPECT_TRUE(parse_uas_iu(whole));
  }
  EXPECT_EQ(parse_uas_iu(bytes({0x02, 0, 1, 2, 0, 0, 0, 0})).error().tag, 0x0102);
  Bytes with_aca = UasHost::command_iu(9, kRead);
  with_aca[4] = std::byte{4};
  EXPECT_EQ(parse_uas_iu(with_aca).error().tag, 9) << "there is no ACA";
}

TEST(UasIu, TaskManagementNamesAFunctionATaskAndAUnit) {
  const auto parsed = parse_uas_iu(UasHost::management_iu(3, UasFunction::query_task, 0xabcd, 1));
  ASSERT_TRUE(parsed);
  const auto& iu = std::get<UasTaskManagementIu>(*parsed);
  EXPECT_EQ(iu.tag, 3);
  EXPECT_EQ(iu.function, UasFunction::query_task);
  EXPECT_EQ(iu.task_tag, 0xabcd);
  EXPECT_EQ(iu.lun, UasCommandIu::kAbsentLun);
}

TEST(UasIu, AnswersHaveTheBytesOfTheStandard) {
  EXPECT_EQ(encode_sense_iu(0x0102, ScsiStatus::good, std::nullopt),
            bytes({3, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  const Bytes failed = encode_sense_iu(5, ScsiStatus::check_condition, sense::kMediumNotPresent);
  EXPECT_EQ(ByteView(failed).size(), 16u + 18);
  EXPECT_EQ(failed[6], std::byte{2});
  EXPECT_EQ(failed[15], std::byte{18});
  EXPECT_EQ(Bytes(failed.begin() + 16, failed.end()), sense::kMediumNotPresent.fixed_format());
  EXPECT_EQ(encode_response_iu(0x0102, UasResponse::incorrect_lun), bytes({4, 0, 1, 2, 0, 0, 0, 9}));
  EXPECT_EQ(encode_ready_iu(0x0102, UasIuId::write_ready), bytes({7, 0, 1, 2}));
}

}  // namespace
}  // namespace periplex::usb::device
