// SPDX-License-Identifier: Apache-2.0
// A seat's agent and a gate over TLS, with a worker behind the gate and a guest's driver in it.
#include "agent/agent.hpp"

#include <gmock/gmock.h>

#include "agent/testing/bench.hpp"

namespace periplex::agent {
namespace {

using namespace std::chrono_literals;
using link::Reason;
using testing::Machine;
using usb::device::HidKeyboard;
using usb::device::KeyUsage;
using AgentTest = testing::Bench;

TEST_F(AgentTest, AMachineReadsWhatItIsAndGetsItsKeys) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  EXPECT_TRUE(gate.up());
  EXPECT_EQ(gate.session->far_name(), "desk");
  EXPECT_EQ(gate.session->peripheral(id)->device_class, 3);
  EXPECT_EQ(keyboards["a"]->open, 1U);
  const auto descriptor = wait(machine, machine.guest.control({0x80, 6, 0x0100, 0, 18}));
  ASSERT_EQ(descriptor.data.size(), 18U);
  EXPECT_EQ(descriptor.data[1], std::byte{1});
  const auto poll = machine.guest.in(0x81, HidKeyboard::kReportSize);
  run_for(5ms);
  ASSERT_TRUE(keyboards["a"]->device.press(KeyUsage{4}));
  EXPECT_EQ(wait(machine, poll).data[2], std::byte{4});
}

TEST_F(AgentTest, WhatARuleDeniesIsNotThereForTheGate) {
  agent.start();
  const std::string id = plug("secret");
  const std::string other = plug("a");
  ASSERT_TRUE(run([&] { return gate.offers(other); }));
  EXPECT_FALSE(gate.offers(id));
  EXPECT_EQ(gate.session->open({.id = id}).error(), Reason::not_offered);
  EXPECT_EQ(keyboards["secret"]->openings, 0U);
}

TEST_F(AgentTest, WhatNobodyHasIsNotTaken) {
  agent.start();
  const std::string id = plug("a");
  ASSERT_TRUE(run([&] { return gate.offers(id); }));
  EXPECT_EQ(keyboards["a"]->openings, 0U);
}

TEST_F(AgentTest, TheDeviceIsGivenBackWhenTheChannelIsClosed) {
  agent.start();
  const std::string id = plug("a");
  attach(id);
  gate.leave(id);
  EXPECT_TRUE(run([&] { return keyboards["a"]->open == 0; }));
  EXPECT_EQ(agent.lent(), 0U);
  EXPECT_TRUE(gate.offers(id));
  attach(id);
  EXPECT_EQ(keyboards["a"]->openings, 2U);
}

TEST_F(AgentTest, AMachineHearsAtOnceThatADeviceIsUnplugged) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  offers.left(id);
  EXPECT_TRUE(run([&] { return machine.departures == 1 && !gate.offers(id); }));
  EXPECT_EQ(machine.peripheral.state().link, attachment::PeripheralState::Link::lost);
  EXPECT_THAT(gate.withdrawals, ::testing::ElementsAre(::testing::Pair(id, Reason::unplugged)));
  EXPECT_EQ(keyboards["a"]->open, 0U);
  EXPECT_EQ(plug("a"), id);
  EXPECT_TRUE(run([&] { return machine.arrivals == 2; })) << "plugged in again, it goes to the same machine";
  EXPECT_EQ(keyboards["a"]->open, 1U);
}

TEST_F(AgentTest, ADeviceThatLibusbMissesFirstIsUnpluggedToo) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  keyboards["a"]->gone();
  EXPECT_TRUE(run([&] { return machine.departures == 1 && keyboards["a"]->open == 0; }));
  offers.left(id);
  EXPECT_TRUE(run([&] { return !gate.offers(id); }));
}

TEST_F(AgentTest, APersonTakesADeviceBackAndGivesItAgain) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  ASSERT_TRUE(offers.take_back(id));
  run_for(2ms);
  EXPECT_EQ(keyboards["a"]->open, 0U) << "the person does not wait for the network";
  EXPECT_TRUE(run([&] { return machine.departures == 1 && !gate.offers(id); }));
  EXPECT_THAT(gate.withdrawals, ::testing::ElementsAre(::testing::Pair(id, Reason::taken_back)));
  ASSERT_TRUE(offers.offer_again(id));
  EXPECT_TRUE(run([&] { return machine.arrivals == 2; }));
}

TEST_F(AgentTest, APluggedDeviceIsAnotherOneThoughTheMachineHadNotHeardThatItWasGone) {
  agent.start();
  const std::string id = plug("a");
  Machine& machine = attach(id);
  offers.left(id);
  plug("a");
  EXPECT_TRUE(run([&] { return machine.arrivals == 2 && machine.departures == 1; }));
  EXPECT_EQ(keyboards["a"]->open, 1U);
}

TEST_F(AgentTest, TheGateIsToldWhyADeviceCannotBeTaken) {
  agent.start();
  gate.want(plug("a"));
  keyboards["a"]->trouble = "another program has it";
  EXPECT_TRUE(run([&] { return !gate.closings.empty(); }));
  EXPECT_EQ(gate.closings[0].reason, Reason::device_failed);
  EXPECT_EQ(gate.closings[0].text, "another program has it");
  EXPECT_EQ(agent.lent(), 0U);
}

TEST_F(AgentTest, AWorkerThatBreaksTheProtocolEndsItsOwnChannelOnly) {
  agent.start();
  const std::string id = plug("a");
  const std::string other = plug("b");
  Machine& machine = attach(id);
  attach(other);
  machine.send(Bytes(64, std::byte{0xff}));
  EXPECT_TRUE(run([&] { return !gate.closings.empty(); }));
  EXPECT_EQ(gate.closings[0].reason, Reason::device_failed);
  EXPECT_TRUE(run([&] { return keyboards["a"]->open == 0; }));
  EXPECT_EQ(keyboards["b"]->open, 1U);
  EXPECT_TRUE(gate.up());
}

TEST_F(AgentTest, TheEndGivesEverythingBackAndTellsEverybody) {
  agent.start();
  const std::string id = plug("a");
  plug("b");
  Machine& machine = attach(id);
  bool over = false;
  agent.end([&] { over = true; });
  EXPECT_TRUE(run([&] { return over; }));
  EXPECT_EQ(keyboards["a"]->open, 0U);
  EXPECT_EQ(machine.departures, 1U);
  ASSERT_TRUE(run([&] { return gate.ended.has_value(); }));
  EXPECT_EQ(gate.ended->reason, Reason::finished);
  const unsigned dials = gate.dials;
  run_for(60ms);
  EXPECT_EQ(gate.dials, dials);
}

TEST_F(AgentTest, TheEndDoesNotWaitForAGateThatIsAway) {
  gate.reachable = false;
  agent.start();
  plug("a");
  run_for(20ms);
  bool over = false;
  agent.end([&] { over = true; });
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace periplex::agent
