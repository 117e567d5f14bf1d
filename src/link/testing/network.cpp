// SPDX-License-Identifier: Apache-2.0
#include "link/testing/network.hpp"

#include <algorithm>
#include <utility>

namespace periplex::link::testing {

Pipe::Pipe(VirtualTime& time, Options options, Source source, Sink sink)
    : time_(time),
      options_(options),
      source_(std::move(source)),
      sink_(std::move(sink)),
      busy_(time.make_timer([this] { wake(); })),
      arrival_(time.make_timer([this] { deliver(); })) {}

void Pipe::wake() {
  while (!busy_->armed()) {
    Bytes bytes = source_(options_.take);
    if (bytes.empty()) return;
    if (options_.bytes_per_second != 0) {
      busy_->arm(Nanoseconds(bytes.size() * 1'000'000'000 / options_.bytes_per_second));
    }
    put(std::move(bytes));
  }
}

void Pipe::put(Bytes bytes) {
  if (bytes.empty()) return;
  const Nanoseconds sending = options_.bytes_per_second == 0
                                  ? Nanoseconds(0)
                                  : Nanoseconds(bytes.size() * 1'000'000'000 / options_.bytes_per_second);
  on_the_way_.emplace_back(time_.now() + options_.delay + sending, std::move(bytes));
  arm();
}

void Pipe::cut_after(std::size_t bytes, std::function<void()> then) {
  left_ = bytes;
  cut_ = std::move(then);
}

void Pipe::arm() {
  if (on_the_way_.empty() || arrival_->armed()) return;
  arrival_->arm(std::max(on_the_way_.front().first, stalled_until_) - time_.now());
}

void Pipe::deliver() {
  if (on_the_way_.empty()) return;
  if (time_.now() < stalled_until_) return arm();
  Bytes bytes = std::move(on_the_way_.front().second);
  on_the_way_.pop_front();
  arm();
  const bool cut = left_ && bytes.size() >= *left_;
  if (left_) {
    if (cut) bytes.resize(*left_);
    *left_ -= bytes.size();
  }
  if (!losing_) sink_(bytes);
  if (cut) {
    losing_ = true;
    left_.reset();
    if (cut_) std::exchange(cut_, nullptr)();
  }
}

DatagramPath::DatagramPath(VirtualTime& time, const Options& options, unsigned seed, Sink sink)
    : time_(time),
      options_(options),
      sink_(std::move(sink)),
      random_(seed),
      arrival_(time.make_timer([this] { deliver(); })) {}

void DatagramPath::send(const Bytes& datagram) {
  longest = std::max(longest, datagram.size());
  bytes += datagram.size();
  seen.push_back(datagram);
  const unsigned copies = random_() % 100 < options_.doubled ? 2 : 1;
  for (unsigned copy = 0; copy < copies; ++copy) {
    if (random_() % 100 < options_.loss) continue;
    const Nanoseconds late(options_.jitter.count() == 0 ? 0 : random_() % options_.jitter.count());
    on_the_way_.emplace(time_.now() + options_.delay + late, datagram);
  }
  if (!on_the_way_.empty()) arrival_->arm(on_the_way_.begin()->first - time_.now());
}

void DatagramPath::deliver() {
  const Bytes datagram = std::move(on_the_way_.begin()->second);
  on_the_way_.erase(on_the_way_.begin());
  if (!on_the_way_.empty()) arrival_->arm(on_the_way_.begin()->first - time_.now());
  sink_(datagram);
}

Network::Network(VirtualTime& time, AgentSession& agent, GateSession& gate)
    : datagrams_to_gate(time, datagram_options, 1, [this](ByteView bytes) { gate_gets(bytes); }),
      datagrams_to_agent(time, datagram_options, 2, [this](ByteView bytes) { agent_.receive_datagram(bytes); }),
      time_(time),
      agent_(agent),
      gate_(gate) {}

Network::~Network() = default;

void Network::gate_gets(ByteView datagram) {
  if (gate_bound_) return gate_.receive_datagram(datagram);
  const auto parsed = Datagram::parse(datagram);
  gate_bound_ = parsed && gate_.bind(*parsed);
}

void Network::dial(Lane lane) {
  auto made = std::make_unique<Connection>();
  Connection* connection = made.get();
  connection->lane = lane;
  connection->to_gate = std::make_unique<Pipe>(
      time_, options,
      [this, connection](std::size_t limit) {
        return agent_side_[index(connection->lane)] == connection ? agent_.take(connection->lane, limit) : Bytes();
      },
      [this, connection](ByteView bytes) { gate_receives(*connection, bytes); });
  connection->to_agent = std::make_unique<Pipe>(
      time_, options,
      [this, connection](std::size_t limit) {
        return gate_side_[index(connection->lane)] == connection ? gate_.take(connection->lane, limit) : Bytes();
      },
      [this, connection](ByteView bytes) {
        if (agent_side_[index(connection->lane)] == connection) agent_.receive(connection->lane, bytes);
      });
  connections_.push_back(std::move(made));
  agent_side_[index(lane)] = connection;
  agent_.connected(lane);
}

void Network::cut(Lane lane, bool gate_notices) {
  Connection* connection = std::exchange(agent_side_[index(lane)], nullptr);
  if (connection == nullptr) return;
  connection->to_gate->lose_all();
  connection->to_agent->lose_all();
  agent_.disconnected(lane);
  if (!gate_notices || gate_side_[index(lane)] != connection) return;
  gate_side_[index(lane)] = nullptr;
  gate_.disconnected(lane);
}

void Network::stall(Lane lane, Nanoseconds duration) {
  if (const Connection* connection = agent_side_[index(lane)]) {
    connection->to_gate->stall_until(time_.now() + duration);
    connection->to_agent->stall_until(time_.now() + duration);
  }
}

void Network::black_hole(Lane lane) {
  if (Connection* connection = agent_side_[index(lane)]) {
    connection->to_gate->lose_all();
    connection->to_agent->lose_all();
  }
}

void Network::cut_after(Lane lane, bool to_gate, std::size_t bytes) {
  Connection* connection = agent_side_[index(lane)];
  if (connection == nullptr) return;
  Pipe& pipe = to_gate ? *connection->to_gate : *connection->to_agent;
  // Not from inside the delivery itself, as a socket would not.
  pipe.cut_after(bytes, [this, lane, connection] {
    time_.defer([this, lane, connection] {
      if (agent_side_[index(lane)] == connection) cut(lane);
    });
  });
}

void Network::agent_output(Lane lane) {
  time_.defer([connection = agent_side_[index(lane)]] {
    if (connection != nullptr) connection->to_gate->wake();
  });
}

void Network::agent_drop(Lane lane, Bytes last_words) {
  Connection* connection = std::exchange(agent_side_[index(lane)], nullptr);
  if (connection != nullptr) connection->to_gate->put(std::move(last_words));
}

void Network::gate_output(Lane lane) {
  time_.defer([connection = gate_side_[index(lane)]] {
    if (connection != nullptr) connection->to_agent->wake();
  });
}

void Network::gate_drop(Lane lane, Bytes last_words) {
  Connection* connection = std::exchange(gate_side_[index(lane)], nullptr);
  if (connection != nullptr) connection->to_agent->put(std::move(last_words));
}

void Network::gate_lane_up(Lane lane) {
  gate_side_[index(lane)] = greeting_;
}

void Network::gate_receives(Connection& connection, ByteView bytes) {
  if (gate_side_[index(connection.lane)] == &connection) return gate_.receive(connection.lane, bytes);
  if (!bytes.empty()) greet(connection, bytes);
}

void Network::greet(Connection& connection, ByteView bytes) {
  const auto hello = connection.reception.receive(bytes);
  if (hello && !*hello) return;
  const auto taken = [&]() -> std::expected<void, Reason> {
    if (!hello) return std::unexpected(hello.error());
    greeting_ = &connection;
    return gate_.attach(**hello);
  }();
  if (!taken) {
    refused_ = taken.error();
    return connection.to_agent->put(refusal(taken.error()));
  }
  gate_.receive(connection.lane, connection.reception.rest());
}

}  // namespace periplex::link::testing
