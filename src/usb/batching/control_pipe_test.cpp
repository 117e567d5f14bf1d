// SPDX-License-Identifier: Apache-2.0
#include "usb/batching/control_pipe.hpp"

#include <gtest/gtest.h>

#include "usb/batching/testing/pipe_rig.hpp"

namespace periplex::usb::batching {
namespace {

using testing::ListQueue;
using testing::PipeRig;

constexpr guest::GuestAddress kSetup{0x8'0000};
constexpr guest::GuestAddress kData = PipeRig::kBuffer;
constexpr SetupPacket kGetDescriptor{.request_type = 0x80, .request = 6, .value = 0x0100, .index = 0, .length = 18};
constexpr SetupPacket kSetReport{.request_type = 0x21, .request = 9, .value = 0x0200, .index = 0, .length = 20};
constexpr SetupPacket kSetAddress{.request_type = 0, .request = 5, .value = 9, .index = 0, .length = 0};

class ControlPipeTest : public ::testing::Test {
 protected:
  void add_setup(const SetupPacket& setup) {
    const std::uint64_t raw = setup.encode();
    rig_.put(kSetup, ByteView(reinterpret_cast<const std::byte*>(&raw), sizeof raw));
    queue_.add(Pid::setup, kSetup, SetupPacket::kSize);
  }
  void add(const SetupPacket& setup) {
    add_setup(setup);
    const Pid data = setup.direction() == Direction::in ? Pid::in : Pid::out;
    for (std::uint32_t offset = 0; offset < setup.length; offset += 8) {
      queue_.add(data, kData + offset, std::min<std::uint32_t>(8, setup.length - offset));
    }
    queue_.add(setup.length != 0 && data == Pid::in ? Pid::out : Pid::in, {}, 0);
  }

  PipeRig rig_;
  ListQueue queue_;
  ControlPipe pipe_{rig_, rig_.device};
};

TEST_F(ControlPipeTest, AGuestBoundTransferIsOneRequestWhateverItsPackets) {
  add(kGetDescriptor);
  EXPECT_EQ(pipe_.visit(queue_), Activity::progressed);
  EXPECT_EQ(queue_.given_back(), 1u) << "a Setup stage is always acknowledged";
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).setup, kGetDescriptor);
  EXPECT_EQ(rig_.device.at(0).data.size(), 18u);
  EXPECT_EQ(pipe_.visit(queue_), Activity::pending);
  const Bytes descriptor = PipeRig::pattern(18);
  rig_.answer(descriptor);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 5u);
  EXPECT_EQ(rig_.get(kData, 18), descriptor);
  EXPECT_EQ(pipe_.counters().requests, 1u);
  EXPECT_EQ(pipe_.counters().data_sets, 1u);
  ASSERT_EQ(rig_.configurations.size(), 1u);
}

TEST_F(ControlPipeTest, SetupStagesWithoutEndAreBoundedWork) {
  rig_.device.answers_cancels = false;
  for (unsigned i = 0; i < 100; ++i) add_setup(kGetDescriptor);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 1u) << "one in a visit";
  for (unsigned i = 0; i < 100; ++i) pipe_.visit(queue_);
  EXPECT_LE(rig_.device.held(), 10u) << "no more while the device still holds what was cancelled";
  rig_.device.answer_cancels();
  rig_.time.run_until_idle();
  pipe_.visit(queue_);
  EXPECT_GT(queue_.given_back(), 9u);
}

TEST_F(ControlPipeTest, DeviceBoundDataIsTakenAndTheStatusStageWaits) {
  const Bytes report = PipeRig::pattern(20);
  rig_.put(kData, report);
  add(kSetReport);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 4u);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.copy(20), report);
  rig_.device.complete_ok();
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 5u);
}

TEST_F(ControlPipeTest, ATransferWithoutDataGoesOutWithItsSetupStage) {
  add(kSetAddress);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 1u);
  EXPECT_TRUE(rig_.configurations.empty());
  rig_.time.run_until_idle();  // this device answers SET_ADDRESS by itself
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 2u);
  ASSERT_EQ(rig_.configurations.size(), 1u);
  EXPECT_EQ(rig_.configurations[0], kSetAddress);
}

TEST_F(ControlPipeTest, ADriverMayQueueStageByStage) {
  add_setup(kGetDescriptor);
  pipe_.visit(queue_);
  rig_.answer(PipeRig::pattern(18));
  EXPECT_EQ(pipe_.visit(queue_), Activity::idle);
  for (std::uint32_t offset = 0; offset < 18; offset += 8) {
    queue_.add(Pid::in, kData + offset, std::min(8u, 18 - offset));
    EXPECT_EQ(pipe_.visit(queue_), Activity::progressed);
  }
  queue_.add(Pid::out, {}, 0);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.given_back(), 5u);
  EXPECT_EQ(rig_.get(kData, 18), PipeRig::pattern(18));
}

TEST_F(ControlPipeTest, AShortAnswerEndsTheDataStage) {
  add(kGetDescriptor);
  for (auto& entry : queue_.entries) entry.stops_on_short = true;
  pipe_.visit(queue_);
  rig_.answer(PipeRig::pattern(8));
  pipe_.visit(queue_);
  ASSERT_EQ(queue_.given_back(), 3u);
  EXPECT_EQ(queue_.entries[2].outcome->actual, 0u);
  queue_.position = 4;  // the driver goes on with the status stage
  queue_.go_on();
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.entries[4].outcome->status, Status::ok);
}

TEST_F(ControlPipeTest, AStallIsAnsweredInTheStageThatWaits) {
  add(kGetDescriptor);
  pipe_.visit(queue_);
  rig_.device.complete(Status::stall);
  pipe_.visit(queue_);
  ASSERT_EQ(queue_.given_back(), 2u);
  EXPECT_EQ(queue_.entries[1].outcome->status, Status::stall);
  EXPECT_EQ(pipe_.counters().errors, 1u);
  EXPECT_TRUE(rig_.configurations.empty());
}

TEST_F(ControlPipeTest, ANewSetupStageEndsTheTransferBeforeIt) {
  add(kGetDescriptor);
  pipe_.visit(queue_);
  const TransferId first = rig_.device.at(0).id();
  queue_.withdraw();
  add(kSetAddress);
  pipe_.visit(queue_);
  ASSERT_EQ(rig_.device.cancels.size(), 1u);
  EXPECT_EQ(rig_.device.cancels[0], first);
  rig_.time.run_until_idle();
  pipe_.visit(queue_);
  EXPECT_EQ(rig_.configurations.size(), 1u);
}

TEST_F(ControlPipeTest, AStageWithoutASetupStageIsStalled) {
  queue_.add(Pid::in, kData, 8);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.entries[0].outcome->status, Status::stall);
}

TEST_F(ControlPipeTest, ASetupStageThatIsNotEightBytesLongIsAnError) {
  queue_.add(Pid::setup, kSetup, 7);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.entries[0].outcome->status, Status::error);
}

TEST_F(ControlPipeTest, MoreDataThanAnnouncedIsStalled) {
  add_setup(kSetReport);
  for (std::uint32_t i = 0; i < 3; ++i) queue_.add(Pid::out, kData, 8);
  pipe_.visit(queue_);
  EXPECT_EQ(queue_.entries[3].outcome->status, Status::stall);
  EXPECT_EQ(rig_.device.held(), 0u);
}

TEST_F(ControlPipeTest, LessDataThanAnnouncedIsSentWithTheStatusStage) {
  add_setup(kSetReport);
  queue_.add(Pid::out, kData, 8);
  queue_.add(Pid::in, {}, 0);
  pipe_.visit(queue_);
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 8u);
}

}  // namespace
}  // namespace periplex::usb::batching
