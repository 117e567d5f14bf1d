// SPDX-License-Identifier: Apache-2.0
#include "storage/messages.hpp"

#include <gtest/gtest.h>

#include "storage/testing/agent_bench.hpp"

namespace periplex::storage {
namespace {

using testing::bytes;

TEST(StorageMessages, ACommandWithItsDataIsOneMessage) {
  const Command write{.lun = 2,
                      .ordered = true,
                      .cdb = bytes({0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0}),
                      .data = {DataDirection::from_host, 3},
                      .data_out = bytes({7, 8, 9})};
  const Bytes message = encode(0x0102030405060708, write);
  EXPECT_EQ(hex(message), "01 02 82 0a 03 00 00 00 08 07 06 05 04 03 02 01 2a 00 00 00 00 01 00 00 01 00 07 08 09");
  const auto decoded = decode_worker_message(message);
  ASSERT_TRUE(decoded);
  const auto& back = std::get<CommandMessage>(*decoded);
  EXPECT_EQ(back.tag, 0x0102030405060708u);
  EXPECT_EQ(back.command.lun, 2);
  EXPECT_TRUE(back.command.ordered);
  EXPECT_EQ(back.command.cdb, write.cdb);
  EXPECT_EQ(back.command.data, write.data);
  EXPECT_EQ(back.command.data_out, write.data_out);
}

TEST(StorageMessages, AResultCarriesSenseAndData) {
  const Result result{.outcome = Outcome::ended,
                      .status = ScsiStatus::check_condition,
                      .sense = bytes({0x70, 0, 3}),
                      .data_in = bytes({1, 2}),
                      .residue = 510};
  const Bytes message = encode(9, result);
  EXPECT_EQ(hex(message), "82 00 02 03 fe 01 00 00 09 00 00 00 00 00 00 00 70 00 03 01 02");
  const auto decoded = decode_agent_message(message);
  ASSERT_TRUE(decoded);
  const auto& back = std::get<ResultMessage>(*decoded);
  EXPECT_EQ(back.tag, 9u);
  EXPECT_EQ(back.result.status, result.status);
  EXPECT_EQ(back.result.sense, result.sense);
  EXPECT_EQ(back.result.data_in, result.data_in);
  EXPECT_EQ(back.result.residue, 510u);
}

TEST(StorageMessages, AnIdentityComesBackAsItWas) {
  const DiskIdentity identity{.speed = usb::Speed::super,
                              .attached_scsi = true,
                              .vendor_id = 0x1234,
                              .product_id = 0x5678,
                              .release = 0x0100,
                              .manufacturer = "Maker",
                              .product = "Stick",
                              .serial_number = "00AA",
                              .units = {{.inquiry = bytes({0, 0x80, 6}), .block_size = 512, .blocks = 99},
                                        {.write_protected = true, .write_cache = true}}};
  const auto decoded = decode_agent_message(encode(identity));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<DiskIdentity>(*decoded), identity);
}

TEST(StorageMessages, AbortsAndResetsComeBackAsTheyWere) {
  const auto abort = decode_worker_message(encode(AbortMessage{5, true}));
  ASSERT_TRUE(abort);
  EXPECT_EQ(std::get<AbortMessage>(*abort).tag, 5u);
  EXPECT_TRUE(std::get<AbortMessage>(*abort).only_if_waiting);
  const auto reset = decode_worker_message(encode(ResetMessage{6, 1}));
  ASSERT_TRUE(reset);
  EXPECT_EQ(std::get<ResetMessage>(*reset).tag, 6u);
  EXPECT_EQ(std::get<ResetMessage>(*reset).lun, 1);
}

TEST(StorageMessages, EveryPrefixAndEveryExcessIsRefused) {
  const Command read{.cdb = bytes({0, 0, 0, 0, 0, 0})};
  const Command write{.cdb = bytes({0x2a}), .data = {DataDirection::from_host, 2}, .data_out = bytes({1, 2})};
  for (Bytes message : {encode(1, read), encode(1, write), encode(AbortMessage{1}), encode(ResetMessage{1, 0})}) {
    for (std::size_t size = 0; size < message.size(); ++size) {
      EXPECT_FALSE(decode_worker_message(ByteView(message).first(size))) << hex(message) << " cut to " << size;
    }
    message.push_back(std::byte{0});
    EXPECT_FALSE(decode_worker_message(message));
  }
  Bytes identity = encode(DiskIdentity{.units = {{}}});
  for (std::size_t size = 0; size < identity.size(); ++size) {
    EXPECT_FALSE(decode_agent_message(ByteView(identity).first(size)));
  }
  identity.push_back(std::byte{0});
  EXPECT_FALSE(decode_agent_message(identity));
}

TEST(StorageMessages, ValuesThatCannotBeAreRefused) {
  const Bytes good = encode(1, Command{.cdb = bytes({0x28}), .data = {DataDirection::to_host, 512}});
  ASSERT_TRUE(decode_worker_message(good));
  const auto with = [&good](std::size_t at, unsigned value) {
    Bytes message = good;
    message[at] = static_cast<std::byte>(value);
    return decode_worker_message(message).has_value();
  };
  EXPECT_FALSE(with(0, 0x77)) << "type";
  EXPECT_FALSE(with(1, 16)) << "logical unit";
  EXPECT_FALSE(with(2, 3)) << "both directions";
  EXPECT_FALSE(with(2, 0)) << "a length and no direction";
  EXPECT_FALSE(with(3, 0)) << "an empty CDB";
  EXPECT_FALSE(with(7, 0x80)) << "two gigabytes";
  EXPECT_EQ(decode_agent_message(good).error(), MessageError::unknown_type);
  Bytes identity = encode(DiskIdentity{.units = {{}}});
  identity[1] = std::byte{2};
  EXPECT_EQ(decode_agent_message(identity).error(), MessageError::bad_version);
}

TEST(SenseSummary, ReadsBothFormatsAndTellsDeferredErrors) {
  const Bytes fixed = usb::device::sense::kMediumChanged.fixed_format();
  const Bytes descriptor = usb::device::sense::kMediumChanged.descriptor_format();
  for (const Bytes& sense : {fixed, descriptor}) {
    EXPECT_EQ(summarize_sense(sense).key, 6);
    EXPECT_EQ(summarize_sense(sense).asc, 0x28);
    EXPECT_FALSE(summarize_sense(sense).deferred);
    EXPECT_TRUE(summarize_sense(as_deferred(sense)).deferred);
    EXPECT_EQ(summarize_sense(as_deferred(sense)).key, 6);
  }
  EXPECT_EQ(summarize_sense(Bytes{}).key, 0);
  EXPECT_TRUE(summarize_sense(as_deferred({})).deferred);
}

}  // namespace
}  // namespace periplex::storage
