// SPDX-License-Identifier: Apache-2.0
#include "usb/device/sense.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::device {
namespace {

TEST(Sense, FixedFormatCarriesTheBlockAddress) {
  EXPECT_EQ(hex(sense::unrecovered_read_error(0x01020304).fixed_format()),
            "f0 00 03 01 02 03 04 0a 00 00 00 00 11 00 00 00 00 00");
}

TEST(Sense, FixedFormatLeavesOutWhatDoesNotFit) {
  EXPECT_EQ(hex(sense::unrecovered_read_error(0x100000000).fixed_format()),
            "70 00 03 00 00 00 00 0a 00 00 00 00 11 00 00 00 00 00");
  EXPECT_EQ(hex(sense::unrecovered_read_error(0x100000000).descriptor_format()),
            "72 03 11 00 00 00 00 0c 00 0a 80 00 00 00 00 01 00 00 00 00");
}

TEST(Sense, PointsToTheFieldThatWasRefused) {
  EXPECT_EQ(hex(sense::invalid_field_in_cdb(2).fixed_format()),
            "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02");
  EXPECT_EQ(hex(sense::invalid_field_in_parameters(7).fixed_format()),
            "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 07");
  EXPECT_EQ(hex(sense::invalid_field_in_cdb(2).descriptor_format()), "72 05 24 00 00 00 00 08 02 06 00 00 c0 00 02 00");
}

}  // namespace
}  // namespace periplex::usb::device
