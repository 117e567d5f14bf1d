// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/ring.hpp"

#include <gtest/gtest.h>

#include "guest/testing/ram.hpp"
#include "usb/xhci/testing/trbs.hpp"

namespace periplex::usb::xhci {
namespace {

using testing::make_trb;

constexpr std::size_t kRamSize = 0x4000;
constexpr std::uint32_t kToggle = 1u << 1;

class RingReaderTest : public ::testing::Test {
 protected:
  void put(std::uint64_t at, const Trb& trb, bool cycle) {
    ASSERT_TRUE(memory_->write(GuestAddress(at), trb.parameter));
    ASSERT_TRUE(memory_->write(GuestAddress(at + 8), trb.status));
    ASSERT_TRUE(memory_->write(GuestAddress(at + 12), trb.control | (cycle ? 1u : 0u)));
  }
  void put_normal(std::uint64_t at, std::uint64_t parameter, bool cycle) {
    put(at, make_trb(TrbType::normal, parameter, 0), cycle);
  }
  void put_link(std::uint64_t at, std::uint64_t to, bool cycle, std::uint32_t flags = 0) {
    put(at, make_trb(TrbType::link, to, 0, flags), cycle);
  }
  RingReader reader(std::uint64_t at, bool cycle = true) { return RingReader(*memory_, {GuestAddress(at), cycle}); }

  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(kRamSize);
};

TEST_F(RingReaderTest, ReadsTrbsUntilTheCycleBitIsTheProducers) {
  put_normal(0x1000, 11, true);
  put_normal(0x1010, 22, true);
  put_normal(0x1020, 33, false);
  RingReader ring = reader(0x1000);
  EXPECT_EQ(ring.next().value().value().parameter, 11u);
  const auto second = ring.next().value();
  EXPECT_EQ(second->parameter, 22u);
  EXPECT_EQ(second->address, GuestAddress(0x1010));
  EXPECT_EQ(ring.next().value(), std::nullopt);
  EXPECT_EQ(ring.position(), (RingPosition{GuestAddress(0x1020), true}));
}

TEST_F(RingReaderTest, ReadsAgainWhereItFoundNothing) {
  RingReader ring = reader(0x1000);
  EXPECT_EQ(ring.next().value(), std::nullopt);
  put_normal(0x1000, 7, true);
  EXPECT_EQ(ring.next().value().value().parameter, 7u);
}

TEST_F(RingReaderTest, FollowsALinkWithoutReturningIt) {
  put_link(0x1000, 0x2000, true);
  put_normal(0x2000, 5, true);
  RingReader ring = reader(0x1000);
  EXPECT_EQ(ring.next().value().value().address, GuestAddress(0x2000));
}

TEST_F(RingReaderTest, TogglesItsCycleStateAtALinkThatAsksForIt) {
  put_normal(0x1000, 1, true);
  put_link(0x1010, 0x1000, true, kToggle);
  RingReader ring = reader(0x1000);
  ASSERT_TRUE(ring.next().value());
  EXPECT_EQ(ring.next().value(), std::nullopt) << "the first TRB is still the one of the last round";
  EXPECT_EQ(ring.position(), (RingPosition{GuestAddress(0x1000), false}));
  put_normal(0x1000, 2, false);
  EXPECT_EQ(ring.next().value().value().parameter, 2u);
}

TEST_F(RingReaderTest, DoesNotFollowALinkThatIsNotReady) {
  put_link(0x1000, 0x2000, false);
  put_normal(0x2000, 5, true);
  RingReader ring = reader(0x1000);
  EXPECT_EQ(ring.next().value(), std::nullopt);
  EXPECT_EQ(ring.position().address, GuestAddress(0x1000));
}

TEST_F(RingReaderTest, IgnoresTheReservedBitsOfALinksPointer) {
  put_link(0x1000, 0x200f, true);
  put_normal(0x2000, 5, true);
  EXPECT_EQ(reader(0x1000).next().value().value().address, GuestAddress(0x2000));
}

TEST_F(RingReaderTest, EndsLinksThatLeadOnlyToEachOther) {
  put_link(0x1000, 0x2000, true);
  put_link(0x2000, 0x1000, true);
  EXPECT_EQ(reader(0x1000).next().error(), RingError::endless_links);
  put_link(0x3000, 0x3000, true);
  EXPECT_EQ(reader(0x3000).next().error(), RingError::endless_links);
}

TEST_F(RingReaderTest, EndsALinkToItselfThatTogglesAtItsOwnCycle) {
  put_link(0x1000, 0x1000, true, kToggle);
  EXPECT_EQ(reader(0x1000).next().value(), std::nullopt) << "after the toggle the link is not ready any more";
}

TEST_F(RingReaderTest, AllowsAFewLinksInARow) {
  for (unsigned i = 0; i < RingReader::kMaxLinks; ++i) put_link(0x1000 + i * 0x20, 0x1000 + (i + 1) * 0x20, true);
  put_normal(0x1000 + RingReader::kMaxLinks * 0x20, 9, true);
  EXPECT_EQ(reader(0x1000).next().value().value().parameter, 9u);
}

TEST_F(RingReaderTest, ReportsARingOutsideMemory) {
  EXPECT_EQ(reader(kRamSize).next().error(), RingError::fault);
  EXPECT_EQ(reader(0xffff'ffff'ffff'fff0).next().error(), RingError::fault);
}

TEST_F(RingReaderTest, ReportsALinkThatLeadsOutsideMemory) {
  put_link(0x1000, 0x7'0000'0000, true);
  EXPECT_EQ(reader(0x1000).next().error(), RingError::fault);
}

TEST_F(RingReaderTest, ReportsTheEndOfMemoryBehindTheLastTrb) {
  put_normal(kRamSize - 16, 1, true);
  RingReader ring = reader(kRamSize - 16);
  EXPECT_TRUE(ring.next().value());
  EXPECT_EQ(ring.next().error(), RingError::fault);
}

}  // namespace
}  // namespace periplex::usb::xhci
