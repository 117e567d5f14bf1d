// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "link/testing/network.hpp"

namespace periplex::link::testing {

/// What both ends of a test write down. Data is consumed at once unless `consumes` says no.
struct Notes {
  std::vector<std::string> events;  ///< "started 1", "closed 1 withdrawn"...
  std::map<ChannelId, std::string> received;
  std::optional<Ending> ended;
  bool by_far_end = false;
  bool consumes = true;
  bool datagrams = false;  ///< agent: it has a way for them
  bool redials = false;    ///< agent: a lane that is dropped is dialled again at once
  std::function<void(ChannelId)> on_started;
  std::function<void(ChannelId, ByteView)> on_data;
  std::function<void(ChannelId)> on_writable;
};

/// One end with its host. `Base` is AgentHost or GateHost, `End` the class derived from this one.
template <typename Base, typename SessionType>
class NotingHost : public Base {
 public:
  Notes notes;
  SessionType* session = nullptr;

  void channel_started(ChannelId channel) override {
    note("started", channel);
    notes.received[channel].clear();
    if (notes.on_started) notes.on_started(channel);
  }
  void channel_stopped(ChannelId channel) override { note("stopped", channel); }
  void channel_data(ChannelId channel, ByteView bytes) override {
    notes.received[channel] += as_text(bytes);
    if (notes.on_data) notes.on_data(channel, bytes);
    if (notes.consumes) session->consumed(channel, bytes.size());
  }
  void channel_writable(ChannelId channel) override {
    if (notes.on_writable) return notes.on_writable(channel);
    note("writable", channel);
  }
  void channel_closed(ChannelId channel, const Ending& why) override {
    notes.events.push_back("closed " + std::to_string(channel.value) + " " + std::string(name(why.reason)));
  }
  void session_ended(const Ending& why, bool by_far_end) override {
    notes.ended = why;
    notes.by_far_end = by_far_end;
  }

 protected:
  ~NotingHost() = default;
  void note(const char* what, ChannelId channel) {
    notes.events.push_back(std::string(what) + " " + std::to_string(channel.value));
  }
};

class AgentEnd final : public NotingHost<AgentHost, AgentSession> {
 public:
  Network* network = nullptr;

  void output_ready(Lane lane) override { network->agent_output(lane); }
  void drop(Lane lane, Bytes last_words, Reason why) override {
    notes.events.push_back("dropped " + std::string(name(why)));
    network->agent_drop(lane, std::move(last_words));
  }
  void lane_up(Lane) override {}
  void channel_opened(ChannelId channel, const Opening&) override { note("opened", channel); }
  void send_datagram(Bytes bytes) override { network->agent_datagram(bytes); }
  void datagrams_welcome() override {
    if (notes.datagrams) session->datagrams_connected();
  }
};

class GateEnd final : public NotingHost<GateHost, GateSession> {
 public:
  Network* network = nullptr;

  void output_ready(Lane lane) override { network->gate_output(lane); }
  void drop(Lane lane, Bytes last_words, Reason why) override {
    notes.events.push_back("dropped " + std::string(name(why)));
    network->gate_drop(lane, std::move(last_words));
  }
  void lane_up(Lane lane) override { network->gate_lane_up(lane); }
  void send_datagram(Bytes bytes) override { network->gate_datagram(bytes); }
  void datagrams_over() override { network->gate_datagrams_over(); }
  void offered(const Peripheral& peripheral) override { notes.events.push_back("offered " + peripheral.id); }
  void withdrawn(const std::string& id, Reason why) override {
    notes.events.push_back("withdrawn " + id + " " + std::string(name(why)));
  }
};

inline Secret some_secret(unsigned first = 0xa0) {
  Secret secret{};
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = std::byte(first + i);
  return secret;
}

/// Both ends of one session and what is between them.
struct Pair {
  explicit Pair(Settings agent_settings = {.name = "seat"}, Settings gate_settings = {.name = "gate"})
      : agent(time, agent_end, std::move(agent_settings)),
        gate(time, gate_end, std::move(gate_settings), SessionId(7), some_secret()),
        network(time, agent, gate) {
    agent_end.session = &agent;
    gate_end.session = &gate;
    agent_end.network = gate_end.network = &network;
  }

  void run(Nanoseconds duration = std::chrono::milliseconds(100)) { time.advance(duration); }
  void dial_both() {
    network.dial(Lane::realtime);
    network.dial(Lane::bulk);
    run();
  }
  /// Offers `id` and opens a channel to it.
  ChannelId channel(const std::string& id, Priority priority = Priority::bulk, bool compression = false) {
    (void)agent.offer({.id = id, .kind = Kind::usb, .name = "thing"});
    run();
    const auto opened = gate.open({.id = id, .priority = priority, .compression = compression});
    run();
    return opened.value_or(ChannelId());
  }

  VirtualTime time;
  AgentEnd agent_end;
  GateEnd gate_end;
  AgentSession agent;
  GateSession gate;
  Network network;
};

}  // namespace periplex::link::testing
