// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/pipes.hpp"

#include <gtest/gtest.h>

#include "usb/batching/bus_addresses.hpp"
#include "usb/batching/testing/pipe_rig.hpp"

namespace periplex::usb::batching {
namespace {

using testing::ListQueue;
using testing::PipeRig;

constexpr EndpointAddress kOut{2, Direction::out};
constexpr SetupPacket kSetConfiguration{.request_type = 0, .request = 9, .value = 1, .index = 0, .length = 0};

class PipesTest : public ::testing::Test {
 protected:
  Activity visit(std::uint64_t frame) {
    return pipes_.visit(rig_.device, kOut, TransferType::bulk, queue_, {frame, frame});
  }
  EndpointCounters counters() {
    EndpointCounters found;
    pipes_.for_each(rig_.device, [&](EndpointAddress, TransferType, const EndpointCounters& all) { found = all; });
    return found;
  }

  PipeRig rig_;
  ListQueue queue_;
  Pipes pipes_{rig_};
};

TEST_F(PipesTest, AQueueThatTheScheduleNoLongerLeadsToIsCancelled) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  for (std::uint64_t frame = 10; frame < 14; ++frame) visit(frame);
  pipes_.sweep(13 + Pipes::kPatience);
  EXPECT_TRUE(rig_.device.cancels.empty());
  pipes_.sweep(14 + Pipes::kPatience);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  rig_.time.run_until_idle();
  pipes_.sweep(15 + Pipes::kPatience);
  EXPECT_FALSE(pipes_.in_flight());
}

TEST_F(PipesTest, AQueueThatComesRoundEvery32FramesIsNotGivenUpInBetween) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  for (std::uint64_t frame = 32; frame < 400; ++frame) {
    if (frame % 32 == 0) visit(frame);
    pipes_.sweep(frame);
  }
  EXPECT_TRUE(rig_.device.cancels.empty());
  pipes_.sweep(384 + 65);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
}

TEST_F(PipesTest, AQueueThatIsTakenOutForAFewFramesGoesOnWithWhatIsUnderWay) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  for (std::uint64_t frame = 10; frame < 14; ++frame) visit(frame);
  for (std::uint64_t frame = 14; frame < 34; ++frame) pipes_.sweep(frame);
  visit(34);
  EXPECT_TRUE(rig_.device.cancels.empty());
  rig_.device.complete_ok();
  visit(35);
  EXPECT_EQ(queue_.given_back(), 4u);
  EXPECT_EQ(counters().requests, 1u);
}

TEST_F(PipesTest, AnUnpluggedDeviceIsNotCalledAnyMore) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  visit(1);
  pipes_.device_left(rig_.device);
  EXPECT_TRUE(rig_.device.cancels.empty());
  EXPECT_FALSE(pipes_.in_flight());
  rig_.device.complete(Status::disconnected);
  EXPECT_EQ(rig_.answers, 0u);
}

TEST_F(PipesTest, AResetDeviceBeginsAnew) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  visit(1);
  pipes_.device_reset(rig_.device);
  EXPECT_EQ(rig_.device.cancels.size(), 1u);
  rig_.time.run_until_idle();
  visit(2);
  EXPECT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(counters().requests, 1u);
}

TEST_F(PipesTest, CountersBeginWithTheConfiguration) {
  queue_.add_data_set(Pid::out, PipeRig::kBuffer, 256, 64);
  visit(1);
  EXPECT_EQ(counters().requests, 1u);
  pipes_.configured(rig_.device, kSetConfiguration);
  EXPECT_EQ(counters().requests, 0u);
}

TEST(BusAddresses, ADeviceAnswersWhereItWasLastPut) {
  periplex::testing::VirtualTime time;
  usb::testing::FakeDevice device(time, Speed::full);
  BusAddresses addresses;
  EXPECT_EQ(addresses.at(0), nullptr);
  addresses.enable(device);
  EXPECT_EQ(addresses.at(0), &device);
  addresses.assign(device, 5);
  EXPECT_EQ(addresses.at(0), nullptr);
  EXPECT_EQ(addresses.at(5), &device);
  addresses.disable(device);
  EXPECT_EQ(addresses.at(5), nullptr);
}

}  // namespace
}  // namespace periplex::usb::batching
