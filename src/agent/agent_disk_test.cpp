// SPDX-License-Identifier: Apache-2.0
// A seat's disk, driven by the agent for a machine that has it terminated.
#include <algorithm>

#include "agent/agent.hpp"
#include "agent/testing/bench.hpp"
#include "usb/device/bulk_only_wrapper.hpp"

namespace periplex::agent {
namespace {

using testing::Machine;

constexpr std::size_t kSector = 512;

class AgentDiskTest : public testing::Bench {
 protected:
  AgentDiskTest() { agent.start(); }

  /// One bulk-only command, as a guest's driver does it.
  Bytes read(Machine& machine, std::uint8_t sector) {
    ByteWriter wrapper;
    wrapper.le32(usb::device::CommandBlockWrapper::kSignature).le32(1).le32(kSector).u8(0x80).u8(0).u8(10);
    wrapper.u8(0x28).zeros(4).u8(sector).zeros(2).u8(1).zeros(7);
    (void)wait(machine, machine.guest.out(0x02, wrapper.take()));
    const Bytes data = wait(machine, machine.guest.in(0x81, kSector)).data;
    (void)wait(machine, machine.guest.in(0x81, usb::device::CommandStatusWrapper::kSize));
    return data;
  }
  void take_attention(Machine& machine) { (void)read(machine, 0); }
};

TEST_F(AgentDiskTest, ADiskIsDrivenHereForAMachineThatHasItTerminated) {
  const std::string id = plug_disk();
  std::ranges::fill(disk->medium.content, std::byte{0x5a});
  Machine& machine = attach(id);
  EXPECT_TRUE(machine.disk.shown());
  take_attention(machine);
  EXPECT_EQ(read(machine, 7), Bytes(kSector, std::byte{0x5a}));
  EXPECT_GE(machine.disk.counters()->round_trips, 1u);
}

TEST_F(AgentDiskTest, AnotherWorkerGetsTheDiskAfterTheFirst) {
  const std::string id = plug_disk();
  attach(id);
  gate.leave(id);
  EXPECT_TRUE(run([&] { return disk->open == 0; }));
  Machine& second = attach(id);
  EXPECT_TRUE(second.disk.shown());
  take_attention(second);
  EXPECT_EQ(read(second, 1), Bytes(kSector));
}

TEST_F(AgentDiskTest, AMachineHearsAtOnceThatTheDiskIsUnplugged) {
  const std::string id = plug_disk();
  Machine& machine = attach(id);
  offers.left(id);
  EXPECT_TRUE(run([&] { return machine.departures == 1 && disk->open == 0; }));
  plug_disk();
  EXPECT_TRUE(run([&] { return machine.arrivals == 2; }));
  EXPECT_TRUE(machine.disk.shown());
}

TEST_F(AgentDiskTest, AConnectionThatIsLostConcernsNobody) {
  const std::string id = plug_disk();
  Machine& machine = attach(id);
  take_attention(machine);
  gate.cut();
  EXPECT_EQ(read(machine, 3), Bytes(kSector)) << "when the connection is back";
  EXPECT_EQ(machine.departures, 0u);
}

}  // namespace
}  // namespace periplex::agent
