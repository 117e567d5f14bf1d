// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "attachment/device_server.hpp"
#include "loop/byte_stream.hpp"
#include "loop/unix_listener.hpp"
#include "machine/machine.hpp"

namespace periplex::machine::testing {

/// A machine; a gate, played by hand, that brings it streams; and at their other end an agent's DeviceServer.
class SeatBench : public ::testing::Test, public attachment::ServerHost {
 protected:
  explicit SeatBench(const DiskSettings& disks = {}) {
    std::vector<ControllerPlan> controllers(1);
    controllers[0].description = {"xhci", Xhci{}};
    paths = {::testing::TempDir() + fmt::format("periplex-seat-{}.sock", ::getpid()),
             ::testing::TempDir() + fmt::format("periplex-seat-{}-streams.sock", ::getpid())};
    controllers[0].sockets.push_back({paths[0], listen_unix({.path = paths[0]}).value()});
    machine = std::make_unique<Machine>(
        loop, Machine::Options{.name = "vm1", .control_socket = "c", .remote_disks = disks}, std::move(controllers));
    machine->serve();
  }
  ~SeatBench() override {
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
  void start_agent(usb::Device& device, const std::string& id, attachment::ServerExtension* extension = nullptr) {
    const auto next_instance = [this] {
      attachment::InstanceId instance{};
      instance[0] = std::byte(++instances);
      return instance;
    };
    server = std::make_unique<attachment::DeviceServer>(device, id, *this, loop, next_instance,
                                                        attachment::ServerOptions{}, extension);
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
    for (int i = 0; i < 30; ++i) loop.run_once(Nanoseconds(0));
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
  unsigned instances = 0;
  std::string failure;
  std::unique_ptr<attachment::DeviceServer> server;
  std::unique_ptr<ByteStream> stream;
};

}  // namespace periplex::machine::testing
