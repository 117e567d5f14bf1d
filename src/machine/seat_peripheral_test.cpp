// SPDX-License-Identifier: Apache-2.0
// A machine's peripheral of kind `seat`: a gate, played by hand, brings streams to it; at their other end is an agent's
// DeviceServer with a keyboard.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attachment/device_server.hpp"
#include "loop/byte_stream.hpp"
#include "loop/unix_listener.hpp"
#include "machine/machine.hpp"
#include "usb/device/hid_keyboard.hpp"

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SeatPeripheralTest : public ::testing::Test, public attachment::ServerHost {
 protected:
  SeatPeripheralTest() {
    std::vector<ControllerPlan> controllers(1);
    controllers[0].description = {"xhci", Xhci{}};
    paths = {::testing::TempDir() + fmt::format("periplex-seat-{}.sock", ::getpid()),
             ::testing::TempDir() + fmt::format("periplex-seat-{}-streams.sock", ::getpid())};
    controllers[0].sockets.push_back({paths[0], listen_unix({.path = paths[0]}).value()});
    machine =
        std::make_unique<Machine>(loop, Machine::Options{.name = "vm1", .control_socket = "c"}, std::move(controllers));
    machine->serve();
  }
  ~SeatPeripheralTest() override {
    stream.reset();
    machine.reset();
    for (const std::string& path : paths) ::unlink(path.c_str());
  }

  void take_streams() {
    machine->take_streams(listen_unix({.path = paths[1], .messages = true}).value());
    gate = std::make_unique<MessageSocket>(
        loop, connect_messages(paths[1]).value(),
        MessageSocket::Events{[this](std::string_view text, UniqueFd) { wishes.emplace_back(text); }, [] {}});
    turn();
  }
  void start_agent(const std::string& id = "keys") {
    server = std::make_unique<attachment::DeviceServer>(keyboard, id, *this, loop, [this] {
      attachment::InstanceId instance{};
      instance[0] = std::byte(++instances);
      return instance;
    });
    turn();
  }
  void bring_stream(const std::string& name = "desk/keys") {
    std::array<int, 2> ends{-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd workers(ends[0]);
    stream = std::make_unique<ByteStream>(
        loop, UniqueFd(ends[1]),
        ByteStream::Events{[this](ByteView bytes) { server->receive(bytes); }, [](const std::string&) {}, {}});
    ASSERT_TRUE(gate->send(name, workers.get()));
    server->connected();
    turn();
  }
  void cut() {
    stream.reset();
    server->disconnected();
    turn();
  }
  void turn() {
    for (int i = 0; i < 30; ++i) loop.run_once(0ns);
  }
  Outcome<PeripheralView> attach(std::string_view specification = "seat,id=k,peripheral=desk/keys") {
    auto attached = machine->attach(parse_specification(specification).value(), {});
    turn();
    return attached;
  }
  RemoteState state() { return machine->peripherals().at(0).remote->state; }

  void send(Bytes bytes) override {
    if (stream) stream->send(std::move(bytes));
  }
  void server_failed(std::string why) override { failure = std::move(why); }

  EventLoop loop;
  std::vector<std::string> paths;
  std::unique_ptr<Machine> machine;
  std::unique_ptr<MessageSocket> gate;
  std::vector<std::string> wishes;
  usb::device::HidKeyboard keyboard{"keys", usb::Speed::full, loop};
  unsigned instances = 0;
  std::string failure;
  std::unique_ptr<attachment::DeviceServer> server;
  std::unique_ptr<ByteStream> stream;
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
