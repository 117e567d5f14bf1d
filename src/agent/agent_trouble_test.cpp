// SPDX-License-Identifier: Apache-2.0
// Connections that are cut, gates that forget, workers that do not come back.
#include <gmock/gmock.h>
#include <random>

#include "agent/agent.hpp"
#include "agent/testing/bench.hpp"

namespace periplex::agent {
namespace {

using namespace std::chrono_literals;
using testing::Machine;
using usb::device::HidKeyboard;
using usb::device::KeyUsage;

class AgentTroubleTest : public testing::Bench {
 protected:
  using Bench::Bench;
  /// What a guest still waits for comes back when the machines go, which is after this.
  ~AgentTroubleTest() override {
    for (auto& [id, machine] : gate.machines) machine->guest.on_answer = [](usb::TransferId) {};
  }

  /// The guest polls for reports for ever; `seen` is what came.
  void poll(Machine& machine) {
    poll_ = machine.guest.in(0x81, HidKeyboard::kReportSize);
    machine.guest.on_answer = [this, &machine](usb::TransferId id) {
      if (id != poll_ || machine.guest.answers[id].status != usb::Status::ok) return;
      seen.push_back(std::to_integer<int>(machine.guest.answers[id].data[2]));
      poll_ = machine.guest.in(0x81, HidKeyboard::kReportSize);
    };
  }
  void type(const std::string& serial, std::uint8_t usage) {
    EXPECT_TRUE(keyboards[serial]->device.press(KeyUsage{usage}));
    keyboards[serial]->device.release(KeyUsage{usage});
    typed.push_back(usage);
    typed.push_back(0);
  }

  std::vector<int> typed;
  std::vector<int> seen;

 private:
  usb::TransferId poll_;
};

TEST_F(AgentTroubleTest, EveryKeyArrivesOnceThoughTheConnectionsAreCut) {
  agent.start();
  Machine& machine = attach(plug("a"));
  poll(machine);
  std::mt19937 random{11};
  unsigned cuts = 0;
  for (unsigned i = 0; i < 60; ++i) {
    type("a", static_cast<std::uint8_t>(4 + i % 26));
    run_for(std::chrono::milliseconds(random() % 12));
    if (random() % 4 != 0) continue;
    gate.cut();
    ++cuts;
  }
  EXPECT_TRUE(run([&] { return seen.size() >= typed.size(); }));
  EXPECT_EQ(seen, typed);
  EXPECT_GE(cuts, 5U);
  EXPECT_EQ(gate.sessions, 1U) << "it is resumed";
  EXPECT_EQ(machine.arrivals, 1U);
  EXPECT_EQ(machine.departures, 0U) << machine.peripheral.state().why;
  EXPECT_EQ(keyboards["a"]->openings, 1U) << "the device stays open";
}

TEST_F(AgentTroubleTest, AWorkerGoesOnThroughAGateThatWasStartedAgain) {
  agent.start();
  Machine& machine = attach(plug("a"));
  poll(machine);
  type("a", 4);
  EXPECT_TRUE(run([&] { return seen.size() == 2; }));
  gate.forget();
  type("a", 5);
  EXPECT_TRUE(run([&] { return seen.size() == 4; }));
  EXPECT_EQ(seen, typed);
  EXPECT_EQ(gate.sessions, 2U);
  EXPECT_EQ(machine.arrivals, 1U);
  EXPECT_EQ(keyboards["a"]->openings, 1U);
}

TEST_F(AgentTroubleTest, WhatIsUnpluggedWhileThereIsNoNetworkIsToldLater) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  gate.reachable = false;
  gate.cut();
  run_for(10ms);
  offers.left(id);
  run_for(10ms);
  EXPECT_EQ(keyboards["a"]->open, 0U);
  EXPECT_EQ(machine.departures, 0U);
  gate.reachable = true;
  EXPECT_TRUE(run([&] { return machine.departures == 1 && !gate.offers(id); }));
}

TEST_F(AgentTroubleTest, WhatIsPluggedInWhileThereIsNoNetworkIsOfferedLater) {
  gate.reachable = false;
  agent.start();
  const std::string id = plug("a");
  EXPECT_TRUE(run([&] { return gate.dials >= 6; }));
  gate.reachable = true;
  EXPECT_TRUE(run([&] { return gate.offers(id); }));
}

class ImpatientAgentTest : public AgentTroubleTest {
 protected:
  ImpatientAgentTest() : AgentTroubleTest(80ms) {}
};

TEST_F(ImpatientAgentTest, TheDeviceIsGivenBackWhenItsWorkerStaysAway) {
  agent.start();
  const std::string id = plug("a");
  attach(id);
  gate.reachable = false;
  gate.cut();
  EXPECT_TRUE(run([&] { return keyboards["a"]->open == 0; }));
  EXPECT_EQ(agent.lent(), 0U);
  gate.reachable = true;
  Machine& machine = *gate.machines.at(id);
  EXPECT_TRUE(run([&] { return gate.up() && !gate.closings.empty(); })) << "the gate hears of it";
  gate.open(id);
  EXPECT_TRUE(run([&] { return machine.arrivals == 2; })) << "it is taken anew";
}

}  // namespace
}  // namespace periplex::agent
