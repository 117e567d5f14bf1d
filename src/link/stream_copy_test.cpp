// SPDX-License-Identifier: Apache-2.0
#include "link/stream_copy.hpp"

#include <gtest/gtest.h>
#include <string>

#include "link/datagram.hpp"

namespace periplex::link {
namespace {

constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};
constexpr std::uint32_t kCredit = 100;

std::string text(const std::optional<StreamCopy::Piece>& piece) {
  return piece ? std::to_string(piece->offset) + " " + std::string(as_text(piece->bytes)) : "none";
}

TEST(StreamCopy, CarriesWhatIsNewAndRepeatsWhatIsNotAcknowledged) {
  StreamCopy copy;
  copy.sent(as_bytes("abc"), true);
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "0 abc");
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "none");
  copy.sent(as_bytes("def"), true);
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "0 abcdef");
  copy.sent(as_bytes("gh"), true);
  EXPECT_EQ(text(copy.next(100, kNoEnd, false)), "6 gh");
  EXPECT_TRUE(copy.acknowledged(4));
  EXPECT_FALSE(copy.acknowledged(4));
  copy.sent(as_bytes("i"), true);
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "4 efghi");
  copy.rewind();
  EXPECT_EQ(text(copy.next(3, kNoEnd, true)), "4 efg");
  EXPECT_EQ(text(copy.next(3, kNoEnd, true)), "6 ghi") << "one of them comes along again";
  EXPECT_TRUE(copy.waits());
  EXPECT_TRUE(copy.acknowledged(9));
  EXPECT_FALSE(copy.waits());
}

TEST(StreamCopy, GoesNoFurtherThanTheCreditAndBelievesNoAcknowledgementOfWhatWasNeverSent) {
  StreamCopy copy;
  copy.sent(as_bytes("abcdef"), true);
  EXPECT_EQ(text(copy.next(100, 4, true)), "0 abcd");
  EXPECT_EQ(text(copy.next(100, 4, true)), "none");
  EXPECT_FALSE(copy.acknowledged(7));
  EXPECT_EQ(text(copy.next(100, 6, false)), "4 ef");
}

TEST(StreamCopy, WaitsUntilTheStreamHasBroughtWhatIsNotKept) {
  StreamCopy copy;
  copy.sent(as_bytes("before there was a way"), false);
  copy.sent(as_bytes("x"), true);
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "none");
  EXPECT_TRUE(copy.acknowledged(22));
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "22 x");
  copy.sent(Bytes(StreamCopy::kMaxKept + 1), true);  // more than is kept
  EXPECT_EQ(text(copy.next(100, kNoEnd, true)), "none");
  EXPECT_TRUE(copy.acknowledged(24));
  EXPECT_EQ(copy.next(100, kNoEnd, true)->offset, 24U);
}

TEST(StreamCopy, TakesWhatComesNextWhicheverWayItComes) {
  StreamCopy copy;
  EXPECT_EQ(copy.carried(0, 10, kCredit), 10U);
  EXPECT_EQ(copy.carried(0, 10, kCredit), 0U) << "doubled";
  EXPECT_EQ(copy.carried(11, 10, kCredit), 0U) << "something before it is missing";
  EXPECT_EQ(copy.carried(5, 10, kCredit), 5U) << "half of it is known";
  EXPECT_EQ(copy.streamed(12), 12U) << "all known";
  EXPECT_EQ(copy.ahead(), 3U);
  EXPECT_EQ(copy.streamed(12), 3U);
  EXPECT_EQ(copy.received(), 24U);
  EXPECT_EQ(copy.carried(3, 10, kCredit), 0U) << "late";
  EXPECT_EQ(copy.carried(24, kCredit + 1, kCredit), 0U) << "more than it may";
  EXPECT_EQ(copy.carried(~std::uint64_t{0}, 10, kCredit), 0U);
}

TEST(Datagram, IsParsedAsItWasWrittenAndNothingElseIs) {
  Binding binding{.session = SessionId(7), .way = 3};
  binding.secret.fill(std::byte{9});
  for (const Datagram& one :
       {Datagram{.channel = ChannelId(5), .offset = 1, .acknowledged = 2, .content = as_bytes("x")},
        Datagram{.type = Datagram::Type::probe, .number = 4}, Datagram{.type = Datagram::Type::answer, .number = 4},
        Datagram{.type = Datagram::Type::bind, .number = 4, .binding = binding}}) {
    const Bytes bytes = one.bytes();
    const auto parsed = Datagram::parse(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->bytes(), bytes);
    const std::size_t header = one.type == Datagram::Type::piece ? Datagram::kPieceHeader : bytes.size();
    for (std::size_t size = 0; size < header; ++size) EXPECT_FALSE(Datagram::parse(ByteView(bytes).first(size)));
  }
  EXPECT_FALSE(Datagram::parse(Datagram{.type = Datagram::Type(9)}.bytes()));
  EXPECT_FALSE(Datagram::parse(Datagram{.content = Bytes(Datagram::kMaxContent + 1)}.bytes()));
}

}  // namespace
}  // namespace periplex::link
