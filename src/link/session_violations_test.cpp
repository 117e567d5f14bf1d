// SPDX-License-Identifier: Apache-2.0
// What a far end gets for breaking the protocol: the session ends, and says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "link/testing/ends.hpp"

namespace periplex::link {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Pair;

/// A pair with a disk on channel 1 (bulk, compressible) and keys on channel 2 (interactive).
class SessionViolations : public ::testing::Test {
 protected:
  void SetUp() override {
    pair.dial_both();
    (void)pair.channel("disk", Priority::bulk, true);
    (void)pair.channel("keys", Priority::interactive);
  }
  /// The gate receives a frame that no agent would send; why it ended the session.
  std::optional<Reason> at_gate(Lane lane, FrameType type, unsigned channel, ByteView payload, unsigned flags = 0) {
    pair.gate.receive(lane, make_frame(type, ChannelId(channel), payload, static_cast<std::uint8_t>(flags)));
    return why(pair.gate_end.notes);
  }
  std::optional<Reason> at_agent(Lane lane, FrameType type, unsigned channel, ByteView payload, unsigned flags = 0) {
    pair.agent.receive(lane, make_frame(type, ChannelId(channel), payload, static_cast<std::uint8_t>(flags)));
    return why(pair.agent_end.notes);
  }
  static std::optional<Reason> why(const testing::Notes& notes) {
    if (!notes.ended) return std::nullopt;
    EXPECT_FALSE(notes.by_far_end);
    return notes.ended->reason;
  }

  Pair pair;
};

TEST_F(SessionViolations, IgnoreUnknownOptionalFramesAndFlags) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType(0x80), 77, as_bytes("whatever")), std::nullopt);
  EXPECT_EQ(at_gate(Lane::bulk, FrameType(0xff), 0, {}, 0xff), std::nullopt);
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1, as_bytes("x"), 0xf0), std::nullopt);
  EXPECT_EQ(pair.gate_end.notes.received[ChannelId(1)], "x");
}

TEST_F(SessionViolations, UnknownMandatoryFrame) {
  EXPECT_EQ(at_gate(Lane::realtime, FrameType(0x7f), 0, {}), Reason::unknown_frame);
  pair.run();
  ASSERT_TRUE(pair.agent_end.notes.ended);  // and the far end is told
  EXPECT_EQ(pair.agent_end.notes.ended->reason, Reason::unknown_frame);
  EXPECT_TRUE(pair.agent_end.notes.by_far_end);
}

TEST_F(SessionViolations, UnknownMandatoryFlag) {
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::data, 1, as_bytes("x"), 0x02), Reason::unknown_frame);
}

TEST_F(SessionViolations, FrameThatOnlyTheOtherRoleSends) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::open, 9, Opening{.id = "disk"}.payload()), Reason::unexpected_frame);
  EXPECT_EQ(at_agent(Lane::realtime, FrameType::offer, 0, Peripheral{.id = "x"}.payload()), Reason::unexpected_frame);
}

TEST_F(SessionViolations, SecondGreeting) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::hello, 0, Hello{}.payload()), Reason::unexpected_frame);
}

TEST_F(SessionViolations, ChannelThatWasNeverOpen) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1000, as_bytes("x")), Reason::unknown_channel);
}

TEST_F(SessionViolations, DataOnTheOtherLane) {
  EXPECT_EQ(at_gate(Lane::realtime, FrameType::data, 1, as_bytes("x")), Reason::wrong_lane);
}

TEST_F(SessionViolations, MoreThanTheCredit) {
  const Bytes piece(kMaxPiece);
  pair.gate_end.notes.consumes = false;
  const unsigned allowed = Windows{}.bulk / kMaxPiece;
  for (unsigned i = 0; i < allowed; ++i) ASSERT_EQ(at_gate(Lane::bulk, FrameType::data, 1, piece), std::nullopt);
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1, as_bytes("x")), Reason::credit_exceeded);
}

TEST_F(SessionViolations, MoreCreditThanThereCanBe) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::credit, 1, credit_payload(0xffff'ffff)), Reason::credit_overflow);
}

TEST_F(SessionViolations, PieceThatIsTooLongOrEmpty) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1, Bytes(kMaxPiece + 1)), Reason::bad_frame);
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::data, 1, {}), Reason::bad_frame);
}

TEST_F(SessionViolations, CompressedPieceThatIsNone) {
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1, as_bytes("xxxxxxxx"), kFlagCompressed), Reason::bad_compression);
}

TEST_F(SessionViolations, CompressedPieceThatIsLongerThanItSays) {
  const Bytes zeros(1'000'000);
  Bytes payload = ByteWriter().le16(16'000).zeros(2000).take();
  const std::size_t size = ZSTD_compress(payload.data() + 2, 2000, zeros.data(), zeros.size(), 1);
  ASSERT_FALSE(ZSTD_isError(size));
  payload.resize(2 + size);
  EXPECT_EQ(at_gate(Lane::bulk, FrameType::data, 1, payload, kFlagCompressed), Reason::bad_compression);
}

TEST_F(SessionViolations, CompressedPieceWhereItIsNotWelcome) {
  EXPECT_EQ(at_gate(Lane::realtime, FrameType::data, 2, as_bytes("xxxx"), kFlagCompressed), Reason::bad_compression);
}

TEST_F(SessionViolations, ChannelBoundToAnotherPeripheral) {
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::open, 1, Opening{.id = "keys"}.payload()), Reason::channel_rebound);
}

TEST_F(SessionViolations, ChannelOpenedTwiceOnOneConnection) {
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::open, 1, Opening{.id = "disk"}.payload()), Reason::unexpected_frame);
}

TEST_F(SessionViolations, TooManyPeripherals) {
  for (std::size_t i = 2; i < Session::kMaxPeripherals; ++i) {
    ASSERT_EQ(at_gate(Lane::realtime, FrameType::offer, 0, Peripheral{.id = "more" + std::to_string(i)}.payload()),
              std::nullopt);
  }
  EXPECT_EQ(at_gate(Lane::realtime, FrameType::offer, 0, Peripheral{.id = "x"}.payload()),
            Reason::too_many_peripherals);
}

TEST_F(SessionViolations, TooManyChannels) {
  unsigned next = 3;
  for (; pair.agent.channels().size() < Session::kMaxChannels; ++next) {
    const std::string id = "more" + std::to_string(next);
    ASSERT_TRUE(pair.agent.offer({.id = id}));
    ASSERT_EQ(at_agent(Lane::bulk, FrameType::open, next, Opening{.id = id}.payload()), std::nullopt);
  }
  ASSERT_TRUE(pair.agent.offer({.id = "last"}));
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::open, next, Opening{.id = "last"}.payload()), Reason::too_many_channels);
}

TEST_F(SessionViolations, OpeningOfWhatIsNotOfferedOnlyClosesThatChannel) {
  EXPECT_EQ(at_agent(Lane::bulk, FrameType::open, 50, Opening{.id = "nothing"}.payload()), std::nullopt);
  const Bytes answer = pair.agent.take(Lane::bulk, 1000);
  FrameReader reader;
  reader.feed(answer);
  const auto frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->header.type, FrameType::close);
  EXPECT_EQ(Ending::parse((*frame)->payload)->reason, Reason::not_offered);
}

TEST_F(SessionViolations, QuestionsWhoseAnswersNobodyReads) {
  const Bytes ping = make_frame(FrameType::ping, {}, ping_payload(1));
  for (int i = 0; i < 100'000; ++i) pair.gate.receive(Lane::bulk, ping);
  EXPECT_LE(pair.gate.take(Lane::bulk, 1).size(), 64U);  // one answer, to the last
  std::optional<Reason> reason;
  for (unsigned i = 0; i < 100'000 && !reason; ++i) {
    reason = at_agent(Lane::bulk, FrameType::open, 50 + i, Opening{.id = "nothing"}.payload());
  }
  EXPECT_EQ(reason, Reason::does_not_read);
}

TEST_F(SessionViolations, SpeakingBeforeTheAgentHasGreeted) {
  Pair fresh;
  fresh.agent.connected(Lane::bulk);  // waits for the other lane
  fresh.agent.receive(Lane::bulk, make_frame(FrameType::ping, {}, ping_payload(1)));
  EXPECT_THAT(fresh.agent_end.notes.events, ElementsAre("dropped unexpected frame"));
  EXPECT_FALSE(fresh.agent.ended());
}

TEST_F(SessionViolations, WelcomeToWhatTheAgentDoesNotSpeak) {
  Pair fresh;
  fresh.agent.connected(Lane::realtime);
  fresh.agent.receive(Lane::realtime, make_frame(FrameType::welcome, {}, Welcome{.version = 9}.payload()));
  EXPECT_EQ(why(fresh.agent_end.notes), Reason::no_common_version);
}

}  // namespace
}  // namespace periplex::link
