// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_peripheral.hpp"

#include <array>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/unix_listener.hpp"
#include "machine/machine.hpp"
#include "remote/usbip/operation.hpp"
#include "remote/usbredir/exporter.hpp"
#include "usb/device/hid_keyboard.hpp"

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace usbip = remote::usbip;

/// A machine, and the other end of a connection to a USB/IP server, played by hand.
class RemotePeripheralTest : public ::testing::Test {
 protected:
  void start(ControllerDescription controller) {
    std::vector<ControllerPlan> controllers(1);
    controllers[0].description = std::move(controller);
    for (const std::string& name : function_names(controllers[0].description)) {
      paths.push_back(::testing::TempDir() + fmt::format("periplex-remote-{}-{}.sock", ::getpid(), name));
      controllers[0].sockets.push_back({paths.back(), listen_unix({.path = paths.back()}).value()});
    }
    machine =
        std::make_unique<Machine>(loop, Machine::Options{.name = "vm1", .control_socket = "c"}, std::move(controllers));
    machine->serve();
  }
  ~RemotePeripheralTest() override {
    machine.reset();
    for (const std::string& path : paths) ::unlink(path.c_str());
  }

  Outcome<PeripheralView> attach(std::string_view specification = "usbip,id=u,host=h,busid=1-1") {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server = UniqueFd(ends[1]);
    Files files;
    files.emplace_back(ends[0]);
    return machine->attach(parse_specification(specification).value(), std::move(files));
  }
  void turn() {
    for (int i = 0; i < 50; ++i) loop.run_once(0ns);
  }
  void say(ByteView bytes) {
    EXPECT_EQ(::write(server.get(), bytes.data(), bytes.size()), std::ssize(bytes));
    turn();
  }
  void answer_import(usb::Speed speed, usbip::OperationStatus status = usbip::OperationStatus::ok) {
    ByteWriter out;
    encode(out, usbip::OperationHeader{.code = static_cast<std::uint16_t>(usbip::Operation::reply_import),
                                       .status = static_cast<std::uint32_t>(status)});
    if (status == usbip::OperationStatus::ok) encode(out, usbip::DeviceRecord{.speed = usbip::linux_speed(speed)});
    say(out.view());
  }
  PeripheralView view() { return machine->peripherals().at(0); }

  EventLoop loop;
  std::vector<std::string> paths;
  std::unique_ptr<Machine> machine;
  UniqueFd server;
};

TEST_F(RemotePeripheralTest, IsPluggedInWhenItsFarEndHasAnswered) {
  start({"xhci", Xhci{}});
  const auto attached = attach();
  ASSERT_TRUE(attached) << attached.error().text;
  EXPECT_EQ(attached->remote->state, RemoteState::connecting);
  EXPECT_EQ(attached->port, 0u);
  turn();
  std::array<std::byte, 64> request;
  EXPECT_EQ(::read(server.get(), request.data(), request.size()), 40);
  answer_import(usb::Speed::super);
  EXPECT_EQ(view().remote->state, RemoteState::plugged);
  EXPECT_EQ(view().description.controller, "xhci");
  EXPECT_EQ(view().description.speed, usb::Speed::super);
  EXPECT_NE(view().port, 0u);
  EXPECT_EQ(machine->statistics().peripherals.at(0).id, "u");
  ASSERT_TRUE(machine->detach("u"));
  turn();
  EXPECT_TRUE(machine->peripherals().empty());
  EXPECT_EQ(::read(server.get(), request.data(), request.size()), 0) << "the connection is closed";
}

TEST_F(RemotePeripheralTest, ASlowerControllerGetsItSlower) {
  start({"uhci", Uhci{}});
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::high);
  EXPECT_EQ(view().remote->state, RemoteState::plugged);
  EXPECT_EQ(view().description.speed, usb::Speed::full);
  ASSERT_TRUE(machine->detach("u"));
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::low);
  EXPECT_EQ(view().description.speed, usb::Speed::low);
}

TEST_F(RemotePeripheralTest, IsNoFasterThanWanted) {
  start({"xhci", Xhci{}});
  ASSERT_TRUE(attach("usbip,id=u,host=h,busid=1-1,speed=high"));
  answer_import(usb::Speed::super);
  EXPECT_EQ(view().description.speed, usb::Speed::high);
}

TEST_F(RemotePeripheralTest, IsGoneWithItsConnection) {
  start({"xhci", Xhci{}});
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::high);
  server.reset();
  turn();
  EXPECT_EQ(view().remote->state, RemoteState::gone);
  EXPECT_THAT(view().remote->why, HasSubstr("lost"));
  EXPECT_EQ(view().port, 0u);
  ASSERT_TRUE(attach("usbip,id=v,host=h,busid=1-1")) << "the port is free, the id is not";
  EXPECT_EQ(attach("keyboard,id=u").error().reason, Reason::conflict);
  EXPECT_TRUE(machine->detach("u"));
}

/// A server that dials in, on a socket of this machine.
class DialledIn : public RemotePeripheralTest {
 protected:
  void listen() {
    start({"xhci", Xhci{}});
    path = ::testing::TempDir() + fmt::format("periplex-dial-in-{}.sock", ::getpid());
    paths.push_back(path);
    Files files;
    files.push_back(listen_unix({.path = path}).value());
    const auto attached = machine->attach(parse_specification("usbip,id=u,listen=h:1").value(), std::move(files));
    ASSERT_TRUE(attached) << attached.error().text;
    EXPECT_EQ(attached->remote->state, RemoteState::connecting);
  }
  UniqueFd dial() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    turn();
    return socket;
  }
  /// Whether it was asked for its device, which is 1-1 where nothing else is said.
  bool is_asked() {
    std::array<char, 64> request{};
    return ::read(server.get(), request.data(), request.size()) == 40 && std::string_view(&request[8]) == "1-1";
  }
  void run_for(Nanoseconds time) {
    const auto timer = loop.make_timer([this] { loop.stop(); });
    timer->arm(time);
    loop.run();
  }
  void plug_in() {
    server = dial();
    EXPECT_TRUE(is_asked());
    answer_import(usb::Speed::high);
    EXPECT_EQ(view().remote->state, RemoteState::plugged);
  }

  std::string path;
};

TEST_F(DialledIn, IsPluggedInWheneverItConnects) {
  listen();
  plug_in();
  server.reset();
  turn();
  EXPECT_EQ(view().remote->state, RemoteState::connecting);
  EXPECT_THAT(view().remote->why, HasSubstr("lost"));
  EXPECT_EQ(view().port, 0u);
  server = dial();
  EXPECT_FALSE(is_asked()) << "not at once: each time costs the guest a hot-plug";
  run_for(DialIn::kPause + 50ms);
  EXPECT_TRUE(is_asked());
  answer_import(usb::Speed::high);
  EXPECT_EQ(view().remote->state, RemoteState::plugged);
  EXPECT_EQ(view().remote->why, "");
  ASSERT_TRUE(machine->detach("u"));
  turn();
  std::array<std::byte, 64> rest;
  EXPECT_EQ(::read(server.get(), rest.data(), rest.size()), 0) << "the connection is closed";
}

TEST_F(DialledIn, TakesOneAtATime) {
  listen();
  plug_in();
  const UniqueFd first = std::move(server);
  server = dial();
  EXPECT_FALSE(is_asked());
  EXPECT_EQ(view().remote->state, RemoteState::plugged);
}

TEST_F(DialledIn, SendsStrangersAway) {
  listen();
  server = dial();
  EXPECT_TRUE(is_asked());
  say(ByteView(std::array<std::byte, 64>{}));
  EXPECT_EQ(view().remote->state, RemoteState::connecting);
  EXPECT_THAT(view().remote->why, HasSubstr("does not speak USB/IP"));
  run_for(DialIn::kPause + 50ms);
  plug_in();
}

TEST_F(DialledIn, DoesNotWaitForWhoSaysNothing) {
  listen();
  const UniqueFd silent = dial();
  server = dial();
  run_for(DialIn::kPatience + DialIn::kPause + 200ms);
  EXPECT_THAT(view().remote->why, HasSubstr("does not answer"));
  EXPECT_TRUE(is_asked());
  answer_import(usb::Speed::high);
  EXPECT_EQ(view().remote->state, RemoteState::plugged);
}

TEST_F(DialledIn, NeedsAListeningSocket) {
  start({"xhci", Xhci{}});
  EXPECT_EQ(attach("usbip,id=u,listen=h:1").error().reason, Reason::invalid);
}

TEST_F(RemotePeripheralTest, SaysWhyItWasRefused) {
  start({"xhci", Xhci{}});
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::high, usbip::OperationStatus::busy);
  EXPECT_EQ(view().remote->state, RemoteState::gone);
  EXPECT_THAT(view().remote->why, HasSubstr("in use by somebody else"));
}

TEST_F(RemotePeripheralTest, SaysThatThereIsNoPort) {
  start({"uhci", Uhci{.ports = 1}});
  ASSERT_TRUE(machine->attach(parse_specification("mouse").value(), {}));
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::full);
  ASSERT_EQ(machine->peripherals().size(), 2u);
  EXPECT_EQ(machine->peripherals()[1].remote->state, RemoteState::gone);
  EXPECT_THAT(machine->peripherals()[1].remote->why, HasSubstr("all ports"));
}

/// The other end of a usbredir connection.
class Redirector final : private remote::usbredir::ExporterHost {
 public:
  Redirector(EventLoop& loop, UniqueFd socket)
      : loop_(loop),
        stream_(loop, std::move(socket),
                {[this](ByteView bytes) { exporter.receive(bytes); },
                 [this](const std::string&) { exporter.disconnected(); },
                 {}}),
        exporter(static_cast<remote::usbredir::ExporterHost&>(*this), loop) {
    exporter.connected();
  }
  void offer_keyboard(usb::Speed speed) {
    exporter.offer(std::make_unique<usb::device::HidKeyboard>("redirected", speed, loop_));
  }

 private:
  void send(Bytes bytes) override { stream_.send(std::move(bytes)); }
  [[nodiscard]] std::size_t backlog() const override { return stream_.queued(); }
  void session_failed(std::string why) override { FAIL() << why; }

  EventLoop& loop_;
  ByteStream stream_;

 public:
  remote::usbredir::Exporter exporter;
};

TEST_F(RemotePeripheralTest, AUsbredirDeviceGoesAndAnotherComesOnTheSameConnection) {
  start({"uhci", Uhci{}});
  ASSERT_TRUE(attach("usbredir,id=u,host=h"));
  std::optional<Redirector> far(std::in_place, loop, std::move(server));
  for (const usb::Speed speed : {usb::Speed::high, usb::Speed::low, usb::Speed::high}) {
    EXPECT_EQ(view().remote->state, RemoteState::connecting);
    EXPECT_EQ(view().port, 0u);
    far->offer_keyboard(speed);
    turn();
    EXPECT_EQ(view().remote->state, RemoteState::plugged);
    EXPECT_EQ(view().description.speed, std::min(speed, usb::Speed::full));
    far->exporter.withdraw();
    turn();
  }
  far.reset();
  turn();
  EXPECT_EQ(view().remote->state, RemoteState::gone);
  EXPECT_THAT(view().remote->why, HasSubstr("lost"));
}

TEST_F(RemotePeripheralTest, TakesOnlyAConnection) {
  start({"xhci", Xhci{}});
  EXPECT_EQ(machine->attach(parse_specification("usbip,host=h,busid=1-1").value(), {}).error().reason, Reason::invalid);
  EXPECT_TRUE(machine->peripherals().empty());
}

TEST_F(RemotePeripheralTest, WhatIsDoneToALocalOneIsRefused) {
  start({"xhci", Xhci{}});
  ASSERT_TRUE(attach());
  EXPECT_EQ(machine->eject("u", true).error().reason, Reason::conflict);
  EXPECT_EQ(machine->type("u", "x").error().reason, Reason::conflict);
}

TEST_F(RemotePeripheralTest, TheMachineMayEndWhileItIsThere) {
  start({"xhci", Xhci{}});
  ASSERT_TRUE(attach());
  answer_import(usb::Speed::high);
  ASSERT_TRUE(attach("usbip,id=v,host=h,busid=1-2"));
  ASSERT_TRUE(machine->detach("u"));
  machine.reset();
}

}  // namespace
}  // namespace periplex::machine
