// SPDX-License-Identifier: Apache-2.0
// Bulk endpoints with streams (xHCI 1.2 §4.12).
#include <gmock/gmock.h>

#include "usb/xhci/endpoint.hpp"
#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using usb::testing::FakeDevice;
using Code = CompletionCode;

constexpr unsigned kRunning = 1;  // EP State, table 6-8
constexpr unsigned kHalted = 2;
constexpr unsigned kStopped = 3;
constexpr unsigned kError = 4;

/// A Transfer Event as the tests compare it.
struct Seen {
  std::uint64_t pointer;
  std::uint32_t length;
  Code code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// A SuperSpeed device whose bulk IN endpoint has streams, and its bulk OUT endpoint none.
class StreamsTest : public ::testing::Test {
 protected:
  static constexpr unsigned kOut = 2;
  static constexpr unsigned kIn = 3;
  static constexpr EndpointSetup kStreams{
      .dci = kIn, .type = 6, .max_packet_size = 1024, .ring_trbs = 16, .max_primary_streams = 3};
  static constexpr std::uint64_t kPrimaryRing = StreamRings::kPrimaryRing;

  StreamsTest() {
    driver_.start();
    slot_ = rig_.address(device_);
    EXPECT_EQ(driver_.configure(slot_, std::array{EndpointSetup{.dci = kOut, .type = 2}, kStreams}).code,
              Code::success);
    (void)driver_.drain();
    device_.submitted = 0;
    device_.opened.clear();
  }
  ~StreamsTest() override {
    if (plugged_) rig_.controller.detach(device_);
  }

  ProducerRing& ring(unsigned stream) { return driver_.streams(slot_, kIn).ring(stream); }
  GuestAddress transfer(unsigned stream, std::uint32_t length = 512) {
    const GuestAddress trb = ring(stream).push(normal(data_, length));
    driver_.ring(slot_, kIn, stream);
    return trb;
  }
  std::vector<Seen> events() {
    std::vector<Seen> seen;
    for (const Trb& event : driver_.drain()) {
      if (event.type() == TrbType::transfer_event) seen.push_back({event.parameter, length_of(event), code_of(event)});
    }
    return seen;
  }
  static Seen success(GuestAddress trb) { return {trb.value, 0, Code::success}; }
  unsigned state() { return driver_.endpoint_state(slot_, kIn); }
  std::uint64_t dequeue(unsigned stream) { return driver_.streams(slot_, kIn).dequeue(stream); }
  Code set_dequeue(unsigned stream, std::uint64_t position) {
    return driver_.set_dequeue(slot_, kIn, position, stream).code;
  }
  Code stop() { return driver_.stop_endpoint(slot_, kIn).code; }
  Code reset() { return driver_.reset_endpoint(slot_, kIn).code; }

  Rig rig_;
  Driver& driver_ = rig_.driver;
  FakeDevice device_{rig_.time, Speed::super};
  unsigned slot_ = 0;
  bool plugged_ = true;
  GuestAddress data_ = rig_.ram.allocate(0x10000);
};

TEST_F(StreamsTest, TheDoorbellsStreamIdSaysWhichRingIsFetched) {
  ring(3).push(normal(data_, 100));
  ring(5).push(normal(data_, 200));
  driver_.ring(slot_, kIn, 5);
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).stream, 5u);
  EXPECT_EQ(device_.at(0).data.size(), 200u);
  EXPECT_EQ(device_.at(0).endpoint(), EndpointAddress(0x81));
}

TEST_F(StreamsTest, StreamsEndInAnyOrderAndEachOfThemInItsOwn) {
  const GuestAddress first = transfer(1);
  const GuestAddress behind_it = transfer(1);
  const GuestAddress other = transfer(15);
  ASSERT_EQ(device_.held(), 3u) << "all are under way at once";
  device_.complete_at(2, {.actual = 512});
  EXPECT_THAT(events(), ElementsAre(success(other)));
  device_.complete_at(1, {.actual = 512});
  EXPECT_THAT(events(), IsEmpty());
  device_.complete_at(0, {.actual = 512});
  EXPECT_THAT(events(), ElementsAre(success(first), success(behind_it)));
}

TEST_F(StreamsTest, EveryStreamHasSomethingUnderWayHoweverMuchAnotherHas) {
  for (unsigned i = 0; i < 15; ++i) ring(1).push(normal(data_, 512));
  driver_.ring(slot_, kIn, 1);
  for (unsigned stream = 2; stream < 16; ++stream) transfer(stream);
  EXPECT_EQ(device_.held(), 15u + 14u);
}

TEST_F(StreamsTest, AsManyStreamsAsTheCapabilityNamesCanBeUsed) {
  const unsigned max_psa_size = rig_.read32(0x10) >> 12 & 0xf;
  EndpointSetup large = kStreams;
  large.max_primary_streams = max_psa_size;
  ASSERT_EQ(driver_.configure(slot_, std::span(&large, 1), 1u << kIn).code, Code::success);
  const unsigned size = driver_.streams(slot_, kIn).size();
  EXPECT_EQ(size, 64u);
  for (unsigned stream = 1; stream < size; ++stream) transfer(stream);
  EXPECT_EQ(device_.held(), size - 1);
}

TEST_F(StreamsTest, MoreStreamsThanThatAndSecondaryArraysAreRefused) {
  EndpointSetup wrong = kStreams;
  wrong.max_primary_streams = StreamArray::kMaxPSASize + 1;
  EXPECT_EQ(driver_.configure(slot_, std::span(&wrong, 1), 1u << kIn).code, Code::parameter_error);
  wrong = kStreams;
  wrong.linear_stream_array = false;
  EXPECT_EQ(driver_.configure(slot_, std::span(&wrong, 1), 1u << kIn).code, Code::parameter_error);
  wrong = kStreams;
  wrong.type = 7;
  EXPECT_EQ(driver_.configure(slot_, std::span(&wrong, 1), 1u << kIn).code, Code::parameter_error) << "interrupt";
}

TEST_F(StreamsTest, AnEndpointWithoutStreamsIgnoresADoorbellThatNamesOne) {
  driver_.queue(slot_, kOut, normal(data_, 64));
  driver_.ring(slot_, kOut, 1);
  EXPECT_EQ(device_.held(), 0u);
  driver_.ring(slot_, kOut);
  EXPECT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).stream, 0u);
}

TEST_F(StreamsTest, AStreamThatDoesNotExistHaltsTheEndpoint) {
  for (const unsigned stream : {0u, 16u, 0xffffu}) {
    SCOPED_TRACE(stream);
    driver_.ring(slot_, kIn, stream);
    EXPECT_THAT(events(), ElementsAre(Seen{0, 0, Code::invalid_stream_id_error}));
    EXPECT_EQ(state(), kHalted);
    EXPECT_EQ(reset(), Code::success);
    const GuestAddress trb = transfer(2);
    device_.complete_ok();
    EXPECT_THAT(events(), ElementsAre(success(trb)));
  }
}

TEST_F(StreamsTest, AContextOfAnotherTypeHaltsTheEndpoint) {
  rig_.ram.write(driver_.streams(slot_, kIn).context(4), ring(4).position() | 2u << 1);
  driver_.ring(slot_, kIn, 4);
  EXPECT_THAT(events(), ElementsAre(Seen{0, 0, Code::invalid_stream_type_error}));
  EXPECT_EQ(state(), kHalted);
}

TEST_F(StreamsTest, AStreamArrayOutsideMemoryIsAHostSystemError) {
  driver_.write_input_endpoint(slot_, kStreams);
  rig_.ram.write(driver_.input_context(slot_) + (kIn + 1) * 32 + 8, Rig::kNowhere.value);
  driver_.write_input_control(slot_, 1u << kIn, 1u << kIn | 1);
  ASSERT_EQ(
      driver_.execute(command(TrbType::configure_endpoint_command, slot_, 0, driver_.input_context(slot_).value)).code,
      Code::success);
  driver_.ring(slot_, kIn, 1);
  EXPECT_EQ(driver_.usbsts() & 0x5, 0x5u) << "HSE and HCH";
}

TEST_F(StreamsTest, StopWritesEveryStreamsPlaceToItsContext) {
  transfer(1);
  const GuestAddress second = transfer(1);
  const GuestAddress other = transfer(2);
  transfer(3);
  device_.complete_ok();
  device_.complete_at(2, {.actual = 512});
  (void)events();
  device_.moved_when_cancelled[device_.at(1).id()] = 100;
  EXPECT_EQ(stop(), Code::success);
  EXPECT_THAT(events(), ElementsAre(Seen{second.value, 512, Code::stopped}, Seen{other.value, 412, Code::stopped}));
  EXPECT_EQ(state(), kStopped);
  EXPECT_EQ(dequeue(1), second.value | kPrimaryRing | 1);
  EXPECT_EQ(dequeue(2), other.value | kPrimaryRing | 1);
  EXPECT_EQ(dequeue(3), ring(3).position() | kPrimaryRing);
  EXPECT_EQ(driver_.output_dequeue(slot_, kIn), driver_.streams(slot_, kIn).array().value) << "still the array";
}

TEST_F(StreamsTest, AfterAStopEveryStreamGoesOnExactlyWhereItWas) {
  transfer(1);
  transfer(2);
  device_.moved_when_cancelled[device_.at(1).id()] = 100;
  ASSERT_EQ(stop(), Code::success);
  driver_.ring(slot_, kIn, 2);
  EXPECT_EQ(state(), kRunning);
  ASSERT_EQ(device_.held(), 2u);
  EXPECT_EQ(device_.at(0).stream, 1u);
  EXPECT_EQ(device_.at(0).data.size(), 512u);
  EXPECT_EQ(device_.at(1).stream, 2u);
  EXPECT_EQ(device_.at(1).data.spans()[0].data(), rig_.ram.bytes(data_ + 100, 1).data());
}

TEST_F(StreamsTest, SetDequeueMovesOneStreamAndNoOther) {
  transfer(1);
  const GuestAddress kept = transfer(2);
  ASSERT_EQ(stop(), Code::success);
  (void)events();
  EXPECT_EQ(set_dequeue(1, ring(1).position() | kPrimaryRing), Code::success);
  EXPECT_EQ(dequeue(1), ring(1).position() | kPrimaryRing);
  EXPECT_EQ(state(), kStopped);
  const GuestAddress next = transfer(1);
  ASSERT_EQ(device_.held(), 2u);
  device_.complete_ok();
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(next), success(kept)));
}

TEST_F(StreamsTest, SetDequeueOfAStreamThatWasNeverRungCounts) {
  ASSERT_EQ(stop(), Code::success);
  ring(9).push(normal(data_, 64));
  EXPECT_EQ(set_dequeue(9, ring(9).position() | kPrimaryRing), Code::success);
  EXPECT_EQ(dequeue(9), ring(9).position() | kPrimaryRing);
  driver_.ring(slot_, kIn, 9);
  EXPECT_EQ(device_.held(), 0u) << "the TRB before it is forgotten";
}

TEST_F(StreamsTest, SetDequeueChecksStreamAndType) {
  ASSERT_EQ(stop(), Code::success);
  EXPECT_EQ(set_dequeue(0, ring(1).position() | kPrimaryRing), Code::invalid_stream_id_error);
  EXPECT_EQ(set_dequeue(16, ring(1).position() | kPrimaryRing), Code::invalid_stream_id_error);
  EXPECT_EQ(set_dequeue(1, ring(1).position()), Code::invalid_stream_type_error);
  EXPECT_EQ(set_dequeue(1, ring(1).position() | 2u << 1), Code::invalid_stream_type_error);
  ASSERT_EQ(driver_.stop_endpoint(slot_, kOut).code, Code::success);
  EXPECT_EQ(driver_.set_dequeue(slot_, kOut, driver_.transfer_ring(slot_, kOut).position(), 1).code, Code::trb_error)
      << "that has no streams";
}

TEST_F(StreamsTest, AStallOnOneStreamHaltsAllAndFailsOnlyThatOne) {
  const GuestAddress good = transfer(1);
  const GuestAddress bad = transfer(2);
  transfer(2);
  device_.complete_at(1, {.status = Status::stall});
  EXPECT_THAT(events(), ElementsAre(Seen{bad.value, 512, Code::stall_error}));
  EXPECT_EQ(state(), kHalted);
  EXPECT_EQ(dequeue(2), bad.value | kPrimaryRing | 1);
  EXPECT_EQ(device_.held(), 0u);
  ASSERT_EQ(reset(), Code::success);
  EXPECT_THAT(device_.opened, ElementsAre(EndpointAddress(0x81)));
  EXPECT_EQ(dequeue(1), good.value | kPrimaryRing | 1);
  ASSERT_EQ(set_dequeue(2, ring(2).position() | kPrimaryRing), Code::success);
  driver_.ring(slot_, kIn, 1);
  ASSERT_EQ(device_.held(), 1u) << "the one that did not fail is still on its ring";
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(good)));
}

TEST_F(StreamsTest, AStreamThatEndsWellWhileAnotherHaltsIsReported) {
  device_.answers_cancels = false;
  const GuestAddress good = transfer(1);
  transfer(2);
  const GuestAddress late = transfer(3);
  device_.complete_at(1, {.status = Status::error});
  (void)events();
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(good))) << "its data was moved";
  device_.complete(Status::stall);
  EXPECT_THAT(events(), IsEmpty()) << "an endpoint halts once";
  ASSERT_EQ(reset(), Code::success);
  driver_.ring(slot_, kIn, 3);
  device_.complete_at(device_.held() - 1, {.status = Status::stall});
  EXPECT_THAT(events(), ElementsAre(Seen{late.value, 512, Code::stall_error})) << "the second time it is its turn";
}

TEST_F(StreamsTest, ResetEndpointWaitsForTheOtherStreams) {
  device_.answers_cancels = false;
  transfer(1);
  transfer(2);
  device_.complete(Status::stall);
  driver_.queue_command(command(TrbType::reset_endpoint_command, slot_, kIn));
  driver_.ring_command_doorbell();
  (void)driver_.drain();
  EXPECT_EQ(state(), kHalted);
  device_.answer_cancels();
  const auto after = driver_.drain();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(code_of(after[0]), Code::success);
  EXPECT_EQ(state(), kStopped);
}

TEST_F(StreamsTest, AMistakeOnOneStreamWaitsForTheOthersBeforeTheRingIsMoved) {
  device_.answers_cancels = false;
  const GuestAddress other = transfer(1);
  const GuestAddress bad = ring(2).push(make_trb(TrbType::setup_stage, 0, 0));
  driver_.ring(slot_, kIn, 2);
  EXPECT_THAT(events(), ElementsAre(Seen{bad.value, 0, Code::trb_error}));
  EXPECT_EQ(state(), kError);
  Trb set = command(TrbType::set_tr_dequeue_pointer_command, slot_, kIn, ring(2).position() | kPrimaryRing);
  set.status = 2u << 16;
  driver_.queue_command(set);
  driver_.ring_command_doorbell();
  EXPECT_THAT(driver_.drain(), IsEmpty()) << "the device still holds the other one's buffer";
  device_.answer_cancels();
  const auto after = driver_.drain();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(code_of(after[0]), Code::success);
  EXPECT_EQ(state(), kStopped);
  driver_.ring(slot_, kIn, 1);
  ASSERT_EQ(device_.held(), 1u);
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(other)));
}

TEST_F(StreamsTest, WhatWasCutOffAndThenErasedByTheDriverLeavesNoTrace) {
  transfer(1);
  const GuestAddress erased = ring(1).segment(0);
  device_.moved_when_cancelled[device_.at(0).id()] = 100;
  ASSERT_EQ(stop(), Code::success);
  (void)events();
  rig_.ram.write(erased, std::uint64_t{0});
  rig_.ram.write(erased + 8, std::uint32_t{0});
  rig_.ram.write(erased + 12, std::uint32_t{8u << 10 | 1});  // No Op, as a driver unlinks
  transfer(1);
  ASSERT_EQ(device_.held(), 1u);
  EXPECT_EQ(device_.at(0).data.size(), 512u) << "whole";
}

TEST_F(StreamsTest, DroppingTheEndpointEndsAllItsStreams) {
  transfer(1);
  transfer(2);
  EndpointSetup plain{.dci = kIn, .type = 6, .max_packet_size = 1024};
  ASSERT_EQ(driver_.configure(slot_, std::span(&plain, 1), 1u << kIn).code, Code::success);
  EXPECT_EQ(device_.held(), 0u);
  const GuestAddress trb = driver_.queue(slot_, kIn, normal(data_, 64));
  driver_.ring(slot_, kIn);
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(trb)));
}

TEST_F(StreamsTest, UnpluggingFailsOneStreamAndHalts) {
  const GuestAddress first = transfer(1);
  transfer(2);
  plugged_ = false;
  rig_.controller.detach(device_);
  const auto seen = events();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].code, Code::usb_transaction_error);
  EXPECT_EQ(state(), kHalted);
  EXPECT_EQ(device_.held(), 0u);
  EXPECT_EQ(seen[0].pointer, first.value);
}

TEST_F(StreamsTest, AHaltOfTheControllerAndItsEndLoseNothing) {
  const GuestAddress first = transfer(1);
  const GuestAddress second = transfer(2);
  EXPECT_TRUE(driver_.halt());
  EXPECT_EQ(device_.held(), 0u);
  driver_.run();
  ASSERT_EQ(device_.held(), 2u);
  device_.complete_ok();
  device_.complete_ok();
  EXPECT_THAT(events(), ElementsAre(success(first), success(second)));
}

TEST_F(StreamsTest, AllStreamsCountTogether) {
  transfer(1);
  transfer(2);
  device_.complete_ok();
  device_.complete_ok();
  transfer(3);
  ASSERT_EQ(stop(), Code::success);
  EndpointCounters counters;
  rig_.controller.for_each_endpoint(device_, [&](EndpointAddress address, TransferType, const auto& all) {
    if (address == EndpointAddress(0x81)) counters = all;
  });
  EXPECT_EQ(counters.requests, 3u);
  EXPECT_EQ(counters.data_sets, 2u);
  EXPECT_EQ(counters.bytes, 1024u);
  EXPECT_EQ(counters.cancellations, 1u);
}

}  // namespace
}  // namespace periplex::usb::xhci
