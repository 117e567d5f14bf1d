// SPDX-License-Identifier: Apache-2.0
#include "attachment/message_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "attachment/limits.hpp"
#include "attachment/testing/simulated_link.hpp"
#include "base/testing/virtual_time.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::SimulatedLink;

Bytes text(std::string_view characters) {
  const ByteView view = as_bytes(characters);
  return Bytes(view.begin(), view.end());
}

/// One side: keeps what it hears.
class Side final : public MessageStream::User {
 public:
  Side(SimulatedLink& link, std::size_t end, Scheduler& scheduler, InstanceSource instances)
      : stream(*this, scheduler, std::move(instances), kCapabilityTransfers), link_(link), end_(end) {
    link.ends[end] = {.connected = [this] { stream.connected(); },
                      .receive = [this](ByteView bytes) { stream.receive(bytes); },
                      .disconnected = [this] { stream.disconnected(); }};
  }

  void send_bytes(Bytes bytes) override { link_.send(end_, std::move(bytes)); }
  void on_begin() override { ++begins; }
  void on_resume() override { ++resumes; }
  void on_lost() override { ++losses; }
  void on_message(ByteView payload) override { got.emplace_back(as_text(payload)); }
  void on_room() override { ++rooms; }
  void on_failed(StreamError why) override { failure = why; }

  MessageStream stream;
  std::vector<std::string> got;
  unsigned begins = 0, resumes = 0, losses = 0, rooms = 0;
  std::optional<StreamError> failure;

 private:
  SimulatedLink& link_;
  std::size_t end_;
};

class MessageStreamTest : public ::testing::Test {
 protected:
  void settle() { time_.advance(1s); }
  std::unique_ptr<Side> make(std::size_t end) { return std::make_unique<Side>(link_, end, time_, instances_.source()); }

  /// A frame as a peer would write it.
  static Bytes frame(std::uint8_t kind, ByteView body) {
    return ByteWriter().le32(static_cast<std::uint32_t>(body.size() + 1)).u8(kind).bytes(body).take();
  }
  static Bytes message(std::uint64_t number, std::uint64_t acknowledged, std::string_view payload) {
    return frame(2, ByteWriter().le64(number).le64(acknowledged).bytes(as_bytes(payload)).take());
  }
  static Bytes hello(std::uint8_t own, const InstanceId& expected = kNoInstance, std::uint64_t received = 0) {
    InstanceId id{};
    id[15] = std::byte{own};
    return frame(1, Hello{.own = id, .expected = expected, .received = received}.encode());
  }

  periplex::testing::VirtualTime time_;
  SimulatedLink link_{time_, 5ms, 1};
  testing::CountedInstances instances_;
  std::unique_ptr<Side> a_ = make(0);
  std::unique_ptr<Side> b_ = make(1);
};

TEST_F(MessageStreamTest, BothSidesBeginASessionOnTheFirstConnection) {
  link_.connect();
  settle();
  EXPECT_EQ(a_->begins, 1u);
  EXPECT_EQ(b_->begins, 1u);
  EXPECT_EQ(a_->losses + b_->losses, 0u);
  EXPECT_EQ(a_->stream.capabilities(), kCapabilityTransfers);
}

TEST_F(MessageStreamTest, MessagesArriveInOrderInBothDirections) {
  link_.connect();
  settle();
  a_->stream.send(text("one"));
  a_->stream.send(text("two"));
  b_->stream.send(text("three"));
  settle();
  EXPECT_THAT(b_->got, ElementsAre("one", "two"));
  EXPECT_THAT(a_->got, ElementsAre("three"));
}

TEST_F(MessageStreamTest, AcknowledgementsEmptyTheLogWithoutTrafficInReturn) {
  link_.connect();
  settle();
  a_->stream.send(text("one"));
  EXPECT_EQ(a_->stream.log_messages(), 1u);
  settle();
  EXPECT_EQ(a_->stream.log_messages(), 0u);
  EXPECT_EQ(a_->stream.log_bytes(), 0u);
  EXPECT_EQ(time_.armed_timers(), 0u) << "an idle stream has no timer";
}

TEST_F(MessageStreamTest, WhatWasSentWhileThereIsNoConnectionArrivesOnTheNext) {
  link_.connect();
  settle();
  link_.cut();
  a_->stream.send(text("held"));
  settle();
  EXPECT_TRUE(b_->got.empty());
  link_.connect();
  settle();
  EXPECT_THAT(b_->got, ElementsAre("held"));
  EXPECT_EQ(a_->resumes, 1u);
  EXPECT_EQ(b_->resumes, 1u);
  EXPECT_EQ(a_->begins, 1u);
}

TEST_F(MessageStreamTest, EachMessageArrivesOnceThoughTheConnectionIsCutAtRandomBytes) {
  std::mt19937 random(7);
  std::vector<std::string> from_a, from_b;
  link_.connect();
  settle();
  for (unsigned step = 0; step < 4000; ++step) {
    Side& side = random() % 2 == 0 ? *a_ : *b_;
    std::vector<std::string>& sent = &side == a_.get() ? from_a : from_b;
    sent.push_back(std::to_string(step) + std::string(random() % 300, '.'));
    side.stream.send(text(sent.back()));
    time_.advance(Microseconds(random() % 2000));
    if (random() % 8 == 0) link_.cut();
    if (!link_.up() && random() % 3 == 0) link_.connect();
  }
  if (!link_.up()) link_.connect();
  settle();
  EXPECT_GE(link_.cuts, 300u);
  EXPECT_EQ(b_->got, from_a);
  EXPECT_EQ(a_->got, from_b);
  EXPECT_EQ(a_->losses + b_->losses, 0u);
  EXPECT_EQ(a_->begins + b_->begins, 2u);
  EXPECT_GT(a_->stream.replayed(), 0u);
}

TEST_F(MessageStreamTest, CutsDuringTheFirstHelloLoseNothing) {
  for (unsigned attempt = 0; attempt < 100; ++attempt) {
    link_.connect();
    time_.advance(Microseconds(100 * attempt));
    link_.cut();
  }
  link_.connect();
  settle();
  a_->stream.send(text("one"));
  b_->stream.send(text("two"));
  settle();
  EXPECT_THAT(b_->got, ElementsAre("one"));
  EXPECT_THAT(a_->got, ElementsAre("two"));
  EXPECT_EQ(a_->begins, 1u);
  EXPECT_EQ(a_->losses + b_->losses, 0u);
}

TEST_F(MessageStreamTest, ARestartedFarSideIsAnotherInstanceAndASessionBeginsAnew) {
  link_.connect();
  settle();
  a_->stream.send(text("one"));
  settle();
  link_.cut();
  a_->stream.send(text("never arrives"));
  b_ = make(1);
  link_.connect();
  settle();
  EXPECT_EQ(a_->losses, 1u);
  EXPECT_EQ(a_->begins, 2u);
  EXPECT_EQ(b_->losses, 0u) << "it had nothing to lose";
  EXPECT_EQ(b_->begins, 1u);
  a_->stream.send(text("two"));
  settle();
  EXPECT_THAT(b_->got, ElementsAre("two"));
}

TEST_F(MessageStreamTest, RestartsAndCutsAtRandomNeverMixTwoSessions) {
  std::mt19937 random(11);
  unsigned sessions = 0;
  for (unsigned step = 0; step < 3000; ++step) {
    if (!link_.up()) link_.connect();
    const std::size_t end = random() % 2;
    std::unique_ptr<Side>& side = end == 0 ? a_ : b_;
    side->stream.send(text(std::to_string(step)));
    time_.advance(Microseconds(random() % 12'000));
    const unsigned what = random() % 10;
    if (what == 0) {
      link_.cut();
      side = make(end);
      ++sessions;
    } else if (what == 1) {
      side->stream.forget();
      ++sessions;
    } else if (what < 4) {
      link_.cut();
    }
    // Numbers only grow where nothing comes twice.
    for (const Side* each : {a_.get(), b_.get()}) {
      ASSERT_FALSE(each->failure) << name(*each->failure) << " in step " << step;
      for (std::size_t i = 1; i < each->got.size(); ++i) ASSERT_LT(stoul(each->got[i - 1]), stoul(each->got[i]));
    }
  }
  EXPECT_GT(sessions, 300u);
  if (!link_.up()) link_.connect();
  settle();
  a_->stream.send(text("9999"));
  settle();
  EXPECT_EQ(b_->got.back(), "9999");
}

TEST_F(MessageStreamTest, ASideThatGivesUpInTheMiddleBeginsAnewOnTheSameConnection) {
  link_.connect();
  settle();
  b_->stream.send(text("under way"));
  a_->stream.forget();
  settle();
  EXPECT_TRUE(a_->got.empty());
  EXPECT_EQ(b_->losses, 1u);
  EXPECT_EQ(a_->losses, 0u) << "it knows";
  EXPECT_EQ(a_->begins, 2u);
  a_->stream.send(text("new"));
  settle();
  EXPECT_THAT(b_->got, ElementsAre("new"));
}

TEST_F(MessageStreamTest, ASideThatGivesUpWhileItGreetsBeginsAnewOnTheSameConnection) {
  link_.connect();
  settle();
  link_.cut();
  a_->stream.send(text("old"));
  link_.connect();
  a_->stream.forget();
  settle();
  EXPECT_EQ(b_->losses, 1u);
  EXPECT_TRUE(b_->got.empty());
  EXPECT_EQ(a_->begins, 2u);
  EXPECT_TRUE(a_->stream.open());
  EXPECT_TRUE(b_->stream.open());
}

TEST_F(MessageStreamTest, TheLogIsBoundedAndRoomIsTold) {
  link_.connect();
  settle();
  link_.cut();
  const Bytes large(std::size_t{1} << 20, std::byte{1});
  std::size_t sent = 0;
  for (; a_->stream.has_room(); ++sent) a_->stream.send(large);
  EXPECT_EQ(sent, MessageStream::kMaxLogBytes >> 20);
  link_.connect();
  settle();
  EXPECT_EQ(b_->got.size(), sent);
  EXPECT_TRUE(a_->stream.has_room());
}

TEST_F(MessageStreamTest, ANewConnectionReplacesOneThatWasNeverSeenToEnd) {
  link_.connect();
  settle();
  a_->stream.send(text("one"));
  link_.ends[0].disconnected = [] {};  // half-open: nobody tells this side
  link_.cut();
  a_->stream.send(text("two"));
  link_.connect();
  settle();
  EXPECT_FALSE(a_->failure);
  EXPECT_THAT(b_->got, ElementsAre("one", "two"));
}

/// A peer that says what it likes.
class LyingPeerTest : public MessageStreamTest {
 protected:
  LyingPeerTest() {
    b_.reset();
    link_.ends[1] = {.connected = [] {}, .receive = [](ByteView) {}, .disconnected = [] {}};
    link_.connect();
  }
  std::optional<StreamError> after(std::initializer_list<Bytes> frames) {
    for (const Bytes& each : frames) a_->stream.receive(each);
    return a_->failure;
  }
};

TEST_F(LyingPeerTest, AStreamOfSomethingElseIsNoHello) {
  EXPECT_EQ(after({text("GET / HTTP/1.1\r\n\r\n")}), StreamError::bad_hello);
}

TEST_F(LyingPeerTest, AMessageBeforeTheHelloEndsTheStream) {
  EXPECT_EQ(after({message(1, 0, "x")}), StreamError::bad_hello);
}

TEST_F(LyingPeerTest, AVersionOfTheFutureIsRefused) {
  const Hello future{.lowest_version = 7, .highest_version = 9, .own = {std::byte{1}}};
  EXPECT_EQ(after({frame(1, future.encode())}), StreamError::no_common_version);
}

TEST_F(LyingPeerTest, ALongerHelloOfALaterReleaseIsUnderstood) {
  Bytes longer = Hello{.highest_version = 3, .own = {std::byte{1}}}.encode();
  longer.resize(100);
  EXPECT_EQ(after({frame(1, longer)}), std::nullopt);
  EXPECT_EQ(a_->begins, 1u);
}

TEST_F(LyingPeerTest, AMissingMessageEndsTheStream) {
  EXPECT_EQ(after({hello(1), message(1, 0, "x"), message(3, 0, "y")}), StreamError::out_of_order);
}

TEST_F(LyingPeerTest, ADoubledMessageEndsTheStream) {
  EXPECT_EQ(after({hello(1), message(1, 0, "x"), message(1, 0, "x")}), StreamError::out_of_order);
  EXPECT_EQ(a_->got.size(), 1u);
}

TEST_F(LyingPeerTest, AnAcknowledgementOfWhatWasNotSentEndsTheStream) {
  EXPECT_EQ(after({hello(1), message(1, 1, "x")}), StreamError::bad_acknowledgement);
}

TEST_F(LyingPeerTest, AFrameThatIsTooLongEndsTheStreamBeforeItCosts) {
  EXPECT_EQ(after({hello(1), ByteWriter().le32(0x7fffffff).u8(2).take()}), StreamError::bad_frame);
}

TEST_F(LyingPeerTest, AFrameOfNoKnownKindEndsTheStream) {
  EXPECT_EQ(after({hello(1), frame(9, text("?"))}), StreamError::bad_frame);
}

TEST_F(LyingPeerTest, APeerThatNamesAnotherInstanceTwiceEndsTheStream) {
  InstanceId other{};
  other[3] = std::byte{3};
  EXPECT_EQ(after({hello(1, other), hello(1, other)}), StreamError::bad_hello);
}

TEST_F(LyingPeerTest, ADeadStreamSendsAndTellsNothing) {
  (void)after({hello(1), frame(9, text("?"))});
  const std::size_t under_way = link_.under_way();
  a_->stream.send(text("x"));
  a_->stream.disconnected();
  a_->stream.connected();
  EXPECT_EQ(link_.under_way(), under_way);
}

}  // namespace
}  // namespace periplex::attachment
