// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/dialler.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/attached.hpp"
#include "link/gate_session.hpp"
#include "link/lane_connection.hpp"
#include "link/random.hpp"
#include "link/testing/tls.hpp"
#include "storage/attached/terminated_disk.hpp"

namespace periplex::agent::testing {

/// A worker's side of one peripheral, with a guest's driver: what is behind a gate.
class Machine final : public remote::SessionHost {
 public:
  Machine(EventLoop& loop, const std::string& id, attachment::InstanceSource instances)
      : disk(loop), guest(loop), peripheral(*this, loop, std::move(instances), {.unique_id = id}, &disk) {}

  // How its gate carries its bytes.
  std::function<std::size_t(ByteView)> carry = [](ByteView) { return 0; };
  void begin() {
    end();
    connected_ = true;
    peripheral.connected();
  }
  void end() {
    unsent_.clear();
    if (std::exchange(connected_, false)) peripheral.disconnected();
  }
  void flush() { unsent_.pop(carry(unsent_.front(unsent_.size()))); }

  void send(Bytes bytes) override {
    if (!connected_) return;
    unsent_.push(bytes);
    flush();
  }
  void device_arrived(usb::Device& device) override {
    ++arrivals;
    guest.device = &device;
  }
  void device_left(usb::Device&) override {
    ++departures;
    guest.device = nullptr;
  }
  void session_failed(std::string why) override { failure = std::move(why); }

  unsigned arrivals = 0, departures = 0;
  std::string failure;
  storage::TerminatedDisk disk;
  attachment::testing::Guest guest;
  attachment::RemotePeripheral peripheral;

 private:
  bool connected_ = false;
  link::ByteQueue unsent_;
};

/// A gate on the agent's own loop, which the agent reaches through TLS over socket pairs. It opens a channel to each
/// offered peripheral that has a machine.
class FakeGate final : public Dialler, public link::GateHost, public link::LaneConnection::Owner {
 public:
  explicit FakeGate(EventLoop& loop) : loop_(loop) {}

  Machine& want(const std::string& id) {
    auto& machine = machines[id];
    machine = std::make_unique<Machine>(loop_, id, instances.source());
    if (session && session->peripheral(id) != nullptr) open(id);
    return *machine;
  }
  /// The worker lets it go.
  void leave(const std::string& id) {
    machines.at(id)->end();
    machines.erase(id);
    for (const auto& [channel, peripheral] : std::map(channels)) {
      if (peripheral != id) continue;
      channels.erase(channel);
      session->close(channel, {.reason = link::Reason::worker_gone});
    }
  }
  /// As a network that fails: both ends notice.
  void cut() {
    lanes_ = {};
    connections_.clear();
    if (!session) return;
    for (const link::Lane lane : link::kEachLane) session->disconnected(lane);
  }
  /// As a gate that is started again: it knows nothing of the session.
  void forget() {
    cut();
    end_streams();
    session.reset();
    channels.clear();
  }
  [[nodiscard]] bool up() const {
    return session && session->up(link::Lane::realtime) && session->up(link::Lane::bulk);
  }
  [[nodiscard]] bool offers(const std::string& id) const { return session && session->peripheral(id) != nullptr; }

  bool reachable = true;
  unsigned dials = 0;
  std::unique_ptr<link::GateSession> session;
  unsigned sessions = 0;
  std::optional<link::Ending> ended;
  std::map<std::string, std::unique_ptr<Machine>> machines;
  std::map<link::ChannelId, std::string> channels;
  std::vector<std::pair<std::string, link::Reason>> withdrawals;
  std::vector<link::Ending> closings;
  std::vector<std::string> refused;  // what could not be opened
  attachment::testing::CountedInstances instances;

  // Dialler
  void dial(unsigned, OnSocket on_socket) override {
    ++dials;
    if (!reachable) return on_socket(std::unexpected("no network"));
    auto [ours, theirs] = link::testing::connected_sockets();
    connections_.push_back(std::make_unique<link::LaneConnection>(loop_, std::move(ours), context_, *this));
    on_socket(std::move(theirs));
  }
  // link::LaneConnection::Owner
  void connection_greeted(link::LaneConnection& connection, const link::Hello& hello) override {
    if (hello.purpose == link::Purpose::begin) {
      session = std::make_unique<link::GateSession>(loop_, *this, link::Settings{.name = "gate"},
                                                    link::random_session_id(), link::random_secret());
      ++sessions;
    }
    if (!session || (hello.purpose != link::Purpose::begin && !session->admits(hello))) {
      return connection.refuse(link::Reason::unknown_session);
    }
    arriving_ = &connection;
    connection.attach(*session, hello.lane);
    const auto taken = session->attach(hello);
    if (!taken) connection.refuse(taken.error());
  }
  void connection_closed(link::LaneConnection& connection, const std::string&) override {
    for (link::LaneConnection*& lane : lanes_) {
      if (lane == &connection) lane = nullptr;
    }
  }
  // link::GateHost
  void output_ready(link::Lane lane) override {
    if (lanes_[index(lane)] != nullptr) lanes_[index(lane)]->output_ready();
  }
  void drop(link::Lane lane, Bytes last_words, link::Reason) override {
    if (auto* old = std::exchange(lanes_[index(lane)], nullptr)) old->detach(std::move(last_words));
  }
  void lane_up(link::Lane lane) override { lanes_[index(lane)] = arriving_; }
  void channel_started(link::ChannelId channel) override {
    if (Machine* machine = find(channel)) machine->begin();
  }
  void channel_stopped(link::ChannelId channel) override {
    if (Machine* machine = find(channel)) machine->end();
  }
  void channel_data(link::ChannelId channel, ByteView bytes) override {
    if (Machine* machine = find(channel)) machine->peripheral.receive(bytes);
    session->consumed(channel, bytes.size());
  }
  void channel_writable(link::ChannelId channel) override {
    if (Machine* machine = find(channel)) machine->flush();
  }
  void channel_closed(link::ChannelId channel, const link::Ending& why) override {
    if (Machine* machine = find(channel)) machine->end();
    channels.erase(channel);
    closings.push_back(why);
  }
  void session_ended(const link::Ending& why, bool) override {
    ended = why;
    end_streams();
    channels.clear();
  }
  void offered(const link::Peripheral& peripheral) override {
    if (machines.contains(peripheral.id)) open(peripheral.id);
  }
  void withdrawn(const std::string& id, link::Reason why) override { withdrawals.emplace_back(id, why); }

  void open(const std::string& id) {
    const auto channel = session->open({.id = id, .priority = link::Priority::interactive});
    if (!channel) return refused.push_back(id);
    channels[*channel] = id;
    machines.at(id)->carry = [this, opened = *channel](ByteView bytes) { return session->send(opened, bytes); };
    if (session->room(*channel) > 0) machines.at(id)->begin();
  }

 private:
  Machine* find(link::ChannelId channel) {
    const auto id = channels.find(channel);
    if (id == channels.end() || !machines.contains(id->second)) return nullptr;
    return machines.at(id->second).get();
  }
  void end_streams() {
    for (const auto& [channel, id] : channels) {
      if (Machine* machine = find(channel)) machine->end();
    }
  }

  EventLoop& loop_;
  link::TlsContext context_ = *link::TlsContext::make(link::testing::Certificates::get().for_gate());
  std::array<link::LaneConnection*, link::kLanes> lanes_{};
  link::LaneConnection* arriving_ = nullptr;
  std::vector<std::unique_ptr<link::LaneConnection>> connections_;
};

}  // namespace periplex::agent::testing
