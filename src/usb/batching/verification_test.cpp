// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/verification.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::batching {
namespace {

TEST(Verification, ReadsWhatItWrites) {
  for (const char* text : {"addresses", "descriptors", "addresses+descriptors", "addresses+descriptors+data"}) {
    const auto verification = parse_verification(text);
    ASSERT_TRUE(verification) << text;
    EXPECT_EQ(format(*verification), text);
  }
}

TEST(Verification, RefusesWhatCouldNotTellThatAPacketWasWithdrawn) {
  EXPECT_FALSE(parse_verification(""));
  EXPECT_FALSE(parse_verification("data"));
  EXPECT_FALSE(parse_verification("addresses+checksum"));
}

}  // namespace
}  // namespace periplex::usb::batching
