// SPDX-License-Identifier: Apache-2.0
// A disk at a seat, in a machine: terminated, or tunnelled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/testing/seat_bench.hpp"
#include "storage/attached/disk_server.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::machine {
namespace {

using ::testing::HasSubstr;
using testing::SeatBench;

class SeatDiskTest : public SeatBench {
 protected:
  explicit SeatDiskTest(const DiskSettings& disks = {}) : SeatBench(disks) { take_streams(); }
  ~SeatDiskTest() override {
    stream.reset();
    server.reset();
  }

  /// Plugs the disk in; how it is shown.
  DiskView plug(std::string_view settings = "", bool agent_can = true) {
    start_agent(disk, "disk", agent_can ? &disk_server : nullptr);
    EXPECT_TRUE(attach(fmt::format("seat,id=d,peripheral=desk/disk{}", settings)));
    bring_stream("desk/disk");
    for (int i = 0; i < 100 && state() != RemoteState::plugged; ++i) loop.run_once(std::chrono::milliseconds(10));
    EXPECT_EQ(state(), RemoteState::plugged) << failure;
    return machine->peripherals().at(0).remote->disk.value();
  }
  std::optional<DiskStatistics> counters() { return machine->statistics().peripherals.at(0).disk; }

  usb::device::Storage disk{
      {.serial = "0123456789ABCDEF"}, usb::Speed::super, std::make_unique<usb::device::testing::FakeBlock>(64), loop};
  storage::DiskServer disk_server{loop};
};

class TunnelledDisksTest : public SeatDiskTest {
 protected:
  TunnelledDisksTest() : SeatDiskTest({.terminate = false, .read_ahead = {}, .write_cache = {}}) {}
};

TEST_F(SeatDiskTest, IsTerminatedWithReadAheadAndWithoutAWriteCache) {
  const DiskView view = plug();
  EXPECT_TRUE(view.terminated);
  EXPECT_EQ(view.read_ahead, DiskSettings::kReadAhead);
  EXPECT_EQ(view.write_cache, 0u);
  ASSERT_TRUE(counters());
  EXPECT_EQ(counters()->commands, 0u) << "no guest has driven it yet";
  EXPECT_EQ(machine->peripherals().at(0).description.speed, usb::Speed::super);
}

TEST_F(SeatDiskTest, HasTheSettingsThatItWasAttachedWith) {
  const DiskView view = plug(",read-ahead=off,write-cache=1M");
  EXPECT_TRUE(view.terminated);
  EXPECT_EQ(view.read_ahead, 0u);
  EXPECT_EQ(view.write_cache, 1u << 20);
}

TEST_F(SeatDiskTest, IsTunnelledIfSomebodyWantsThat) {
  EXPECT_FALSE(plug(",terminate=false").terminated);
  EXPECT_FALSE(disk_server.counters()) << "the agent has left the disk alone";
  EXPECT_FALSE(counters());
}

TEST_F(SeatDiskTest, IsTunnelledIfItsAgentKnowsNoOtherWay) {
  EXPECT_FALSE(plug("", false).terminated);
}

TEST_F(SeatDiskTest, StaysTerminatedThroughALostConnection) {
  (void)plug();
  const unsigned port = machine->peripherals().at(0).port;
  cut();
  EXPECT_EQ(state(), RemoteState::held);
  bring_stream("desk/disk");
  EXPECT_EQ(state(), RemoteState::plugged) << failure;
  EXPECT_EQ(machine->peripherals().at(0).port, port);
  EXPECT_TRUE(machine->peripherals().at(0).remote->disk->terminated);
}

TEST_F(SeatDiskTest, IsAttachedOnceWhateverItsSettings) {
  (void)plug();
  EXPECT_THAT(attach("seat,id=e,peripheral=desk/disk,read-ahead=off").error().text, HasSubstr("attached already"));
}

TEST_F(TunnelledDisksTest, AMachineMayHaveAllItsDisksTunnelled) {
  EXPECT_FALSE(plug().terminated);
}

TEST_F(TunnelledDisksTest, OneDiskMayBeAnException) {
  EXPECT_TRUE(plug(",terminate=true").terminated);
}

TEST_F(TunnelledDisksTest, ReadAheadIsRefusedThere) {
  EXPECT_THAT(attach("seat,id=d,peripheral=desk/disk,read-ahead=on").error().text, HasSubstr("tunnelled"));
}

}  // namespace
}  // namespace periplex::machine
