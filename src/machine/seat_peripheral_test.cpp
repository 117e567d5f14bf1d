// SPDX-License-Identifier: Apache-2.0
// A machine's peripheral of kind `seat`: a gate, played by hand, brings streams to it; at their other end is an agent's
// DeviceServer with a keyboard.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/testing/seat_bench.hpp"
#include "usb/device/hid_keyboard.hpp"

namespace periplex::machine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SeatPeripheralTest : public testing::SeatBench {
 protected:
  ~SeatPeripheralTest() override {
    stream.reset();
    server.reset();
  }
  void start_agent(const std::string& id = "keys") { SeatBench::start_agent(keyboard, id); }

  usb::device::HidKeyboard keyboard{"keys", usb::Speed::full, loop};
};

TEST_F(SeatPeripheralTest, IsPluggedInWhenItsStreamComes) {
  take_streams();
  start_agent();
  ASSERT_TRUE(attach());
  EXPECT_EQ(state(), RemoteState::connecting);
  EXPECT_THAT(wishes, ElementsAre("+desk/keys"));
  bring_stream();
  EXPECT_EQ(state(), RemoteState::plugged) << failure;
  EXPECT_EQ(machine->peripherals().at(0).description.speed, usb::Speed::full);
  EXPECT_NE(machine->peripherals().at(0).port, 0U);
}

TEST_F(SeatPeripheralTest, IsHeldWhileThereIsNoStreamAndGoesOnWithTheNext) {
  take_streams();
  start_agent();
  ASSERT_TRUE(attach());
  bring_stream();
  const unsigned port = machine->peripherals().at(0).port;
  cut();
  EXPECT_EQ(state(), RemoteState::held);
  EXPECT_EQ(machine->peripherals().at(0).port, port);
  const auto counts = machine->statistics().peripherals.at(0).session;
  const auto holds = std::ranges::find(counts, "holds", &remote::Count::name);
  ASSERT_NE(holds, counts.end());
  EXPECT_EQ(holds->value, 1U);
  bring_stream();
  EXPECT_EQ(state(), RemoteState::plugged) << failure;
  // A gate may bring the next before the last one's end was seen.
  server->disconnected();
  bring_stream();
  EXPECT_EQ(state(), RemoteState::plugged) << failure;
}

TEST_F(SeatPeripheralTest, AnotherAgentIsAnotherDevice) {
  take_streams();
  start_agent();
  ASSERT_TRUE(attach());
  bring_stream();
  cut();
  server.reset();
  start_agent();
  bring_stream();
  EXPECT_EQ(state(), RemoteState::plugged) << failure;
}

TEST_F(SeatPeripheralTest, IsNotWaitedForOnceItIsDetached) {
  take_streams();
  start_agent();
  ASSERT_TRUE(attach());
  bring_stream();
  ASSERT_TRUE(machine->detach("k"));
  turn();
  EXPECT_THAT(wishes, ElementsAre("+desk/keys", "-desk/keys"));
  EXPECT_TRUE(machine->peripherals().empty());
  ASSERT_TRUE(attach());
  EXPECT_EQ(wishes.back(), "+desk/keys");
}

TEST_F(SeatPeripheralTest, OneThatIsAnotherThanItsNameSaysIsGone) {
  take_streams();
  start_agent("another");
  ASSERT_TRUE(attach());
  bring_stream();
  EXPECT_EQ(state(), RemoteState::gone);
  EXPECT_THAT(machine->peripherals().at(0).remote->why, HasSubstr("another peripheral"));
  EXPECT_EQ(wishes.back(), "-desk/keys");
}

TEST_F(SeatPeripheralTest, IsRefusedWhereNoStreamCanCome) {
  EXPECT_THAT(attach().error().advice, HasSubstr("--streams"));
  take_streams();
  ASSERT_TRUE(attach());
  EXPECT_EQ(attach("seat,id=again,peripheral=desk/keys").error().reason, Reason::conflict);
  EXPECT_FALSE(parse_specification("seat,peripheral=keys"));
  EXPECT_FALSE(parse_specification("seat,peripheral=/keys"));
  EXPECT_FALSE(parse_specification("seat"));
}

}  // namespace
}  // namespace periplex::machine
