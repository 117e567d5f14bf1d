// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <array>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "link/agent_session.hpp"
#include "link/lane_connection.hpp"
#include "link/testing/tls.hpp"

namespace periplex::gate::testing {

inline UniqueFd dial(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  const int flags = ::fcntl(socket.get(), F_GETFL);
  (void)::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
  return socket;
}

/// An agent over real connections. What is in its channels is the test's.
class Agent final : public link::AgentHost, public link::LaneConnection::Owner {
 public:
  Agent(EventLoop& loop, std::uint16_t port, const link::TlsContext::Settings& tls)
      : loop_(loop), port_(port), context_(*link::TlsContext::make(tls)) {
    begin();
  }

  void begin() { session = std::make_unique<link::AgentSession>(loop_, *this, link::Settings{.name = "test agent"}); }
  void connect() {
    for (const link::Lane lane : link::kEachLane) connect(lane);
  }
  void connect(link::Lane lane) {
    auto connection = std::make_unique<link::LaneConnection>(loop_, dial(port_), context_, *this);
    dialled_[connection.get()] = lane;
    connections_.push_back(std::move(connection));
  }
  /// As a network that fails.
  void cut() {
    lanes_ = {};
    connections_.clear();
    dialled_.clear();
    for (const link::Lane lane : link::kEachLane) session->disconnected(lane);
  }
  [[nodiscard]] bool up() const { return session->up(link::Lane::realtime) && session->up(link::Lane::bulk); }
  [[nodiscard]] const std::string& peripheral(link::ChannelId channel) const {
    return session->channels().at(channel).peripheral;
  }

  /// Whoever carries its datagrams, if anybody.
  struct DatagramCarrier {
    std::function<void(const link::LaneConnection& lane)> begin;
    std::function<void()> end;
    std::function<void()> changed;
    std::function<void(ByteView)> send;
  };
  DatagramCarrier line;
  std::unique_ptr<link::AgentSession> session;
  std::optional<link::Ending> ended;
  std::vector<std::string> closed_connections;
  std::map<std::string, link::ChannelId> channels;
  std::map<std::string, std::size_t> received;
  bool consumes = true;
  std::function<void(const std::string& id, link::ChannelId)> on_started;
  std::function<void(const std::string& id)> on_stopped;
  std::function<void(const std::string& id, ByteView)> on_data;
  std::function<void(const std::string& id, link::ChannelId)> on_writable;
  std::map<std::string, std::string> closed;

  // link::AgentHost
  void output_ready(link::Lane lane) override {
    if (lanes_[index(lane)] != nullptr) lanes_[index(lane)]->output_ready();
  }
  void drop(link::Lane lane, Bytes last_words, link::Reason) override {
    if (auto* old = std::exchange(lanes_[index(lane)], nullptr)) old->detach(std::move(last_words));
  }
  void lane_up(link::Lane) override {}
  void channel_opened(link::ChannelId channel, const link::Opening& opening) override {
    channels[opening.id] = channel;
    names_[channel] = opening.id;
  }
  void channel_started(link::ChannelId channel) override {
    if (on_started) on_started(names_[channel], channel);
  }
  void channel_stopped(link::ChannelId channel) override {
    if (on_stopped) on_stopped(names_[channel]);
  }
  void channel_data(link::ChannelId channel, ByteView bytes) override {
    received[names_[channel]] += bytes.size();
    if (on_data) on_data(names_[channel], bytes);
    if (consumes) session->consumed(channel, bytes.size());
  }
  void channel_writable(link::ChannelId channel) override {
    if (on_writable) on_writable(names_[channel], channel);
  }
  void channel_closed(link::ChannelId channel, const link::Ending& why) override {
    closed[names_[channel]] = name(why.reason);
    if (on_stopped) on_stopped(names_[channel]);
  }
  void session_ended(const link::Ending& why, bool) override { ended = why; }
  void send_datagram(Bytes bytes) override {
    if (line.send) line.send(bytes);
  }
  void datagrams_welcome() override {
    if (line.begin) line.begin(*lanes_[index(link::Lane::realtime)]);
  }
  void datagrams_changed() override {
    if (line.changed) line.changed();
  }
  void datagrams_over() override {
    if (line.end) line.end();
  }

  // link::LaneConnection::Owner
  void connection_established(link::LaneConnection& connection) override {
    const link::Lane lane = dialled_.at(&connection);
    lanes_[index(lane)] = &connection;
    connection.attach(*session, lane);
    session->connected(lane);
  }
  void connection_closed(link::LaneConnection& connection, const std::string& why) override {
    closed_connections.push_back(why);
    for (link::LaneConnection*& lane : lanes_) {
      if (lane == &connection) lane = nullptr;
    }
  }

 private:
  EventLoop& loop_;
  std::uint16_t port_;
  link::TlsContext context_;
  std::array<link::LaneConnection*, link::kLanes> lanes_{};
  std::map<const link::LaneConnection*, link::Lane> dialled_;
  std::map<link::ChannelId, std::string> names_;
  std::vector<std::unique_ptr<link::LaneConnection>> connections_;
};

}  // namespace periplex::gate::testing
