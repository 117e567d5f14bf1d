// SPDX-License-Identifier: Apache-2.0
#include "agent/lanes.hpp"

#include <algorithm>
#include <utility>

namespace periplex::agent {

using link::Lane;

Lanes::Lanes(EventLoop& loop, link::TlsContext context, Dialler& dialler, const Patience& patience)
    : loop_(loop),
      context_(std::move(context)),
      dialler_(dialler),
      patience_(patience),
      self_(std::make_shared<Lanes*>(this)) {
  for (const Lane lane : link::kEachLane) {
    at(lane).retry = loop_.make_timer([this, lane] { dial(lane); });
    at(lane).deadline = loop_.make_timer([this, lane] { give_up(lane, "the gate does not answer"); });
  }
}

void Lanes::serve(link::AgentSession& session) {
  session_ = &session;
  for (State& state : lanes_) state.retry->arm(state.pause);
}

void Lanes::leave() {
  session_ = nullptr;
  for (State& state : lanes_) {
    ++state.attempts;
    state.attached = false;
    state.retry->cancel();
    state.deadline->cancel();
    destroy_later(std::move(state.connection));
  }
  tell_quiet();
}

void Lanes::when_quiet(std::function<void()> done) {
  on_quiet_ = std::move(done);
  tell_quiet();
}

void Lanes::tell_quiet() {
  const bool quiet = finishing_.empty() && std::ranges::none_of(lanes_, [](const State& s) { return !!s.connection; });
  if (!quiet) return;
  if (const auto done = std::exchange(on_quiet_, nullptr)) done();
}

void Lanes::dial(Lane lane) {
  if (session_ == nullptr) return;
  State& state = at(lane);
  const std::uint64_t attempt = ++state.attempts;
  state.deadline->arm(patience_.attempt);
  dialler_.dial(state.failures,
                [weak = std::weak_ptr(self_), lane, attempt](std::expected<UniqueFd, std::string> socket) {
                  if (const auto self = weak.lock()) (*self)->on_socket(lane, attempt, std::move(socket));
                });
}

void Lanes::on_socket(Lane lane, std::uint64_t attempt, std::expected<UniqueFd, std::string> socket) {
  State& state = at(lane);
  if (state.attempts != attempt) return;
  if (!socket) return give_up(lane, std::move(socket.error()));
  link::LaneConnection::Owner& owner = *this;
  state.connection = std::make_unique<link::LaneConnection>(loop_, std::move(*socket), context_, owner);
}

void Lanes::give_up(Lane lane, std::string why) {
  State& state = at(lane);
  ++state.attempts;
  trouble_ = std::move(why);
  ++state.failures;
  destroy_later(std::move(state.connection));
  again(lane);
}

void Lanes::again(Lane lane) {
  State& state = at(lane);
  state.attached = false;
  state.deadline->cancel();
  const auto up_since = std::exchange(state.up_since, std::nullopt);
  if (up_since && loop_.now() - *up_since >= patience_.stable) state.pause = {};
  state.pause = state.pause == Nanoseconds(0) ? patience_.first : std::min(2 * state.pause, patience_.most);
  if (session_ == nullptr) return;
  const auto& agreement = session_->agreement();
  if (agreement && index(lane) >= agreement->lanes) return;  // the gate makes do with one
  state.retry->arm(state.pause);
}

void Lanes::connection_established(link::LaneConnection& connection) {
  for (const Lane lane : link::kEachLane) {
    State& state = at(lane);
    if (state.connection.get() != &connection || session_ == nullptr) continue;
    state.deadline->cancel();
    state.attached = true;
    connection.attach(*session_, lane);
    session_->connected(lane);
    return;
  }
}

void Lanes::connection_closed(link::LaneConnection& connection, const std::string& why) {
  for (const Lane lane : link::kEachLane) {
    State& state = at(lane);
    if (state.connection.get() != &connection) continue;
    if (!why.empty()) trouble_ = why;
    if (!state.attached) ++state.failures;
    destroy_later(std::move(state.connection));
    again(lane);
    return tell_quiet();
  }
  const auto found = std::ranges::find(finishing_, &connection, [](const auto& each) { return each.get(); });
  if (found == finishing_.end()) return;
  destroy_later(std::move(*found));
  finishing_.erase(found);
  tell_quiet();
}

/// It may be the one that is calling.
void Lanes::destroy_later(std::unique_ptr<link::LaneConnection> connection) {
  if (!connection) return;
  closed_.push_back(std::move(connection));
  loop_.defer([weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->closed_.clear();
  });
}

void Lanes::output_ready(Lane lane) {
  if (at(lane).attached) at(lane).connection->output_ready();
}

void Lanes::drop(Lane lane, Bytes last_words) {
  State& state = at(lane);
  if (!state.attached) return;
  finishing_.push_back(std::move(state.connection));
  again(lane);
  finishing_.back()->detach(std::move(last_words));
}

void Lanes::lane_up(Lane lane) {
  at(lane).up_since = loop_.now();
  trouble_.clear();
}

}  // namespace periplex::agent
