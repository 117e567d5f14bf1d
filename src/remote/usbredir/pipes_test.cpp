// SPDX-License-Identifier: Apache-2.0
// The guest's side of single endpoints, with a far end that does whatever a test says.
#include <gmock/gmock.h>

#include "base/testing/virtual_time.hpp"
#include "remote/usbredir/bulk_streams.hpp"
#include "remote/usbredir/interrupt_in.hpp"
#include "remote/usbredir/isochronous_pipes.hpp"
#include "remote/usbredir/requests.hpp"
#include "remote/usbredir/testing/fake_wire.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::EndpointAddress;
using usb::Status;

constexpr EndpointAddress kIn{0x81};
constexpr EndpointAddress kOut{0x02};

class Bench : public ::testing::Test {
 protected:
  const testing::Owner::Ended& last() {
    time.run_until_idle();
    return owner.ended.back();
  }
  std::size_t ended() {
    time.run_until_idle();
    return owner.ended.size();
  }

  periplex::testing::VirtualTime time;
  testing::Owner owner;
  testing::FakeWire wire;
  usb::device::CompletionQueue completions{time};
};

class InterruptInTest : public Bench {
 protected:
  void start() {
    pipe.submit(owner.make(kIn, 8));
    pipe.on_status(wire.last, Result::success);
  }
  void push(std::size_t size, int value = 1, Result result = Result::success) {
    pipe.on_data({.endpoint = kIn, .result = result, .data = Bytes(size, std::byte(value))});
  }

  InterruptIn pipe{wire, completions, kIn, 8};
};

TEST_F(InterruptInTest, TheFirstTransferStartsTheFarEndAndReportsServeTheRest) {
  start();
  EXPECT_EQ(wire.count<StartPump>(), 1u);
  push(8, 1);
  push(8, 2);
  EXPECT_EQ(ended(), 1u);
  pipe.submit(owner.make(kIn, 8));
  EXPECT_EQ(hex(last().data), "02 02 02 02 02 02 02 02");
  EXPECT_EQ(wire.count<StartPump>(), 1u);
}

TEST_F(InterruptInTest, ALongReportComesInPacketsAndEndsWithAShortOne) {
  pipe.submit(owner.make(kIn, 64));
  pipe.on_status(wire.last, Result::success);
  push(8);
  push(8);
  EXPECT_EQ(ended(), 0u);
  push(3);
  EXPECT_EQ(last().status, Status::ok);
  EXPECT_EQ(last().actual, 19u);
}

TEST_F(InterruptInTest, MoreThanTheTransferHasRoomForIsBabble) {
  pipe.submit(owner.make(kIn, 4));
  pipe.on_status(wire.last, Result::success);
  push(6);
  EXPECT_EQ(last().status, Status::babble);
  EXPECT_EQ(last().actual, 4u);
}

TEST_F(InterruptInTest, AStoppedFarEndStallsOneTransferAndTheNextStartsItAgain) {
  start();
  pipe.on_status(3, Result::stall);
  EXPECT_EQ(last().status, Status::stall);
  EXPECT_EQ(wire.count<StartPump>(), 1u);
  pipe.submit(owner.make(kIn, 8));
  EXPECT_EQ(wire.count<StartPump>(), 2u);
}

TEST_F(InterruptInTest, AStatusOfAnEarlierRunMeansNothing) {
  pipe.submit(owner.make(kIn, 8));
  pipe.on_status(0, Result::stall);
  EXPECT_EQ(ended(), 0u);
  push(8);  // before the start is confirmed: of an earlier run
  EXPECT_EQ(ended(), 0u);
  pipe.on_status(wire.last, Result::success);
  push(8, 9);
  EXPECT_EQ(hex(last().data).substr(0, 2), "09");
}

TEST_F(InterruptInTest, ManyReportsStopTheFarEndUntilTheGuestHasCaughtUp) {
  start();
  for (std::size_t i = 0; i <= InterruptIn::kPauseAt; ++i) push(8);
  EXPECT_EQ(wire.count<StopPump>(), 1u);
  push(8, 5);  // was on its way
  for (std::size_t i = 0; i <= InterruptIn::kPauseAt; ++i) pipe.submit(owner.make(kIn, 8));
  EXPECT_EQ(ended(), InterruptIn::kPauseAt + 2);
  EXPECT_EQ(wire.count<StartPump>(), 1u);  // nobody waits
  EXPECT_EQ(pipe.lost(), 0u);
  pipe.submit(owner.make(kIn, 8));
  EXPECT_EQ(wire.count<StartPump>(), 2u);
}

TEST_F(InterruptInTest, AFarEndThatDoesNotStopLosesReportsAndTheGuestIsTold) {
  start();
  for (std::size_t i = 0; i < InterruptIn::kMaxReports + 100; ++i) push(8);
  EXPECT_GT(pipe.lost(), 0u);
  for (std::size_t i = 0; i < InterruptIn::kMaxReports + 100; ++i) pipe.submit(owner.make(kIn, 8));
  time.run_until_idle();
  const auto errors = std::ranges::count(owner.ended, Status::error, &testing::Owner::Ended::status);
  EXPECT_EQ(errors, 1);
  pipe.stop(Status::cancelled);
}

TEST_F(InterruptInTest, ACancelledTransferKeepsWhatItHad) {
  usb::TransferPtr transfer = owner.make(kIn, 64);
  const usb::TransferId id = transfer->id();
  pipe.submit(std::move(transfer));
  pipe.on_status(wire.last, Result::success);
  push(8);
  EXPECT_TRUE(pipe.cancel(id));
  EXPECT_FALSE(pipe.cancel(id));
  EXPECT_EQ(last().status, Status::cancelled);
  EXPECT_EQ(last().actual, 8u);
}

class IsochronousTest : public Bench {
 protected:
  static constexpr Microseconds kInterval{1000};
  void start() {
    in.submit(owner.make_packets(kIn, 1, 100));
    in.on_status(wire.last, Result::success);
  }
  void push(std::size_t count, int first = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      in.on_data({.endpoint = kIn, .data = Bytes(10, std::byte(first + static_cast<int>(i)))});
    }
  }
  std::vector<std::uint32_t> ask(std::size_t count, std::uint32_t size = 100) {
    in.submit(owner.make_packets(kIn, count, size));
    std::vector<std::uint32_t> actual;
    for (const usb::IsochronousPacket& packet : last().packets) actual.push_back(packet.actual);
    return actual;
  }

  StreamPlan plan = StreamPlan::make(kInterval, false);
  IsochronousIn in{wire, completions, time, kIn, plan};
};

TEST_F(IsochronousTest, PlansKeepToTheProtocolsBounds) {
  for (const int interval : {125, 250, 1000, 8000, 4'096'000}) {
    for (const bool device_bound : {false, true}) {
      const StreamPlan made = StreamPlan::make(Microseconds(interval), device_bound);
      EXPECT_GE(made.packets_per_urb, 1);
      EXPECT_LE(made.packets_per_urb, kMaxPacketsPerUrb);
      EXPECT_GE(made.urbs, 2);
      EXPECT_LE(made.urbs, kMaxUrbs);
      EXPECT_GT(made.most, made.target);
    }
  }
}

TEST_F(IsochronousTest, TheBufferFillsBeforeTheGuestGetsAnything) {
  start();
  push(plan.target - 1);
  EXPECT_THAT(ask(2), ::testing::ElementsAre(0, 0));
  push(1);
  EXPECT_THAT(ask(2), ::testing::ElementsAre(10, 10));
}

TEST_F(IsochronousTest, AnEmptyBufferFillsAnew) {
  start();
  push(plan.target);
  const auto all = ask(plan.target + 1);
  EXPECT_EQ(all[plan.target - 1], 10u);
  EXPECT_EQ(all[plan.target], 0u);
  push(1);
  EXPECT_THAT(ask(1), ::testing::ElementsAre(0));
  EXPECT_EQ(last().status, Status::ok);
}

TEST_F(IsochronousTest, AnOverflowDropsTheOldestAndCounts) {
  start();
  push(plan.most + 5);
  EXPECT_GT(in.dropped(), 0u);
  ask(plan.most);
  const auto carried = std::ranges::count_if(last().packets, [](const auto& each) { return each.actual > 0; });
  EXPECT_LE(carried, static_cast<std::ptrdiff_t>(plan.most));
}

TEST_F(IsochronousTest, APacketLongerThanItsIntervalIsBabble) {
  start();
  push(plan.target);
  EXPECT_THAT(ask(1, 4), ::testing::ElementsAre(4));
  EXPECT_EQ(last().packets[0].status, Status::babble);
}

TEST_F(IsochronousTest, NobodyAskingStopsTheFarEnd) {
  start();
  time.stall(std::chrono::seconds(3));
  push(1);
  EXPECT_EQ(wire.count<StopPump>(), 1u);
  ask(1);
  EXPECT_EQ(wire.count<StartPump>(), 2u);
}

TEST_F(IsochronousTest, DeviceBoundPacketsGoAsTheyComeAndAnErrorIsTold) {
  IsochronousOut out(wire, completions, kOut, plan);
  out.submit(owner.make_packets(kOut, 3, 50));
  EXPECT_EQ(wire.count<StartPump>(), 1u);
  EXPECT_EQ(wire.count<IsochronousData>(), 3u);
  EXPECT_EQ(last().actual, 150u);
  out.on_status(wire.last, Result::success);
  out.on_status(0, Result::io_error);
  out.submit(owner.make_packets(kOut, 2, 50));
  EXPECT_EQ(last().packets[0].status, Status::error);
  EXPECT_EQ(last().packets[1].status, Status::ok);
  EXPECT_EQ(wire.count<StartPump>(), 1u);
}

class StreamsTest : public Bench {
 protected:
  StreamsTest() {
    endpoints.entries[index_of(kIn)] = {.type = 2, .interface = 0, .max_packet_size = 1024, .max_streams = 32};
    endpoints.entries[index_of(kOut)] = {.type = 2, .interface = 0, .max_packet_size = 1024, .max_streams = 16};
    endpoints.entries[3] = {.type = 2, .interface = 0, .max_packet_size = 1024};
  }

  EndpointInfo endpoints;
  std::vector<usb::TransferPtr> gone;
  BulkStreams streams{wire, completions, [this](usb::TransferPtr transfer) { gone.push_back(std::move(transfer)); }};
};

TEST_F(StreamsTest, TheFirstTransferWithAStreamAllocatesAndWaits) {
  streams.submit(owner.make(kIn, 8, 1), endpoints);
  streams.submit(owner.make(kOut, 8, 16), endpoints);
  EXPECT_TRUE(gone.empty());
  EXPECT_EQ(wire.back<AllocateStreams>().count, 16u);
  EXPECT_EQ(wire.back<AllocateStreams>().endpoints, 1u << 2 | 1u << 17);
  streams.on_status(wire.last, Result::success);
  EXPECT_EQ(gone.size(), 2u);
  streams.submit(owner.make(kIn, 8, 2), endpoints);
  EXPECT_EQ(gone.size(), 3u);
  streams.submit(owner.make(kIn, 8, 17), endpoints);
  EXPECT_EQ(last().status, Status::error);
}

TEST_F(StreamsTest, WhoRefusesIsAskedAgainAndThenForHalf) {
  streams.submit(owner.make(kIn, 8, 1), endpoints);
  streams.on_status(wire.last, Result::invalid);
  EXPECT_EQ(wire.count<FreeStreams>(), 1u);
  EXPECT_EQ(wire.back<AllocateStreams>().count, 16u);
  streams.on_status(wire.last, Result::io_error);
  EXPECT_EQ(wire.count<FreeStreams>(), 2u);
  EXPECT_EQ(wire.back<AllocateStreams>().count, 8u);
  for (int i = 0; i < 3; ++i) streams.on_status(wire.last, Result::io_error);
  EXPECT_EQ(last().status, Status::error);
  streams.submit(owner.make(kIn, 8, 1), endpoints);
  EXPECT_EQ(ended(), 2u);
}

TEST_F(StreamsTest, ATransferWithoutAStreamFreesThem) {
  streams.submit(owner.make(kIn, 8, 1), endpoints);
  streams.on_status(wire.last, Result::success);
  streams.submit(owner.make(EndpointAddress(3), 8), endpoints);  // has none, and changes nothing
  EXPECT_EQ(wire.count<FreeStreams>(), 0u);
  streams.submit(owner.make(kIn, 8), endpoints);
  EXPECT_EQ(wire.count<FreeStreams>(), 1u);
  EXPECT_EQ(gone.size(), 3u);
}

TEST_F(StreamsTest, ATransferThatWaitsForStreamsCanBeCancelled) {
  usb::TransferPtr transfer = owner.make(kIn, 8, 1);
  const usb::TransferId id = transfer->id();
  streams.submit(std::move(transfer), endpoints);
  EXPECT_TRUE(streams.cancel(id));
  EXPECT_EQ(last().status, Status::cancelled);
  streams.on_status(wire.last, Result::success);
  EXPECT_TRUE(gone.empty());
}

TEST_F(Bench, AnswersInTheWrongOrderGoBackInTheRightOne) {
  Requests requests(completions);
  requests.add(1, owner.make(kIn, 8));
  requests.add(2, owner.make(kIn, 8));
  requests.add(3, owner.make(kOut, 8));
  requests.finish(2, {Status::ok, 2});
  requests.finish(3, {Status::ok, 3});
  EXPECT_EQ(last().actual, 3u);
  EXPECT_EQ(requests.find(2), nullptr);  // answered
  requests.finish(2, {Status::stall, 0});
  requests.finish(1, {Status::ok, 1});
  EXPECT_EQ(ended(), 3u);
  EXPECT_EQ(owner.ended[1].actual, 1u);
  EXPECT_EQ(owner.ended[2].actual, 2u);
}

TEST_F(Bench, ACancelledRequestLetsTheNextAnswerThrough) {
  Requests requests(completions);
  usb::TransferPtr first = owner.make(kIn, 8);
  const usb::TransferId id = first->id();
  requests.add(1, std::move(first));
  requests.add(2, owner.make(kIn, 8));
  requests.finish(2, {Status::ok, 2});
  EXPECT_EQ(ended(), 0u);
  EXPECT_EQ(requests.cancel(id), MessageId{1});
  EXPECT_EQ(ended(), 2u);
  requests.finish(1, {Status::ok, 1});
  EXPECT_EQ(ended(), 2u);
}

}  // namespace
}  // namespace periplex::remote::usbredir
