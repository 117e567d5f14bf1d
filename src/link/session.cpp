// SPDX-License-Identifier: Apache-2.0
#include "link/session.hpp"

#include <algorithm>
#include <utility>

namespace periplex::link {

Session::Session(Scheduler& scheduler, SessionHost& host, Settings settings)
    : host_(host),
      settings_(std::move(settings)),
      ping_interval_(settings_.ping_interval),
      hold_(settings_.hold),
      way_(scheduler, channels_,
           {.send = [this](Bytes bytes) { host_.send_datagram(std::move(bytes)); },
            .deliver = [this](ChannelId channel, ByteView bytes) { host_.channel_data(channel, bytes); },
            .changed = [this] { host_.datagrams_changed(); }}),
      lanes_{LaneState(scheduler, hooks(Lane::realtime)), LaneState(scheduler, hooks(Lane::bulk))},
      hold_timer_(scheduler.make_timer([this] { finish({.reason = Reason::resume_timeout}, false); })) {}

KeepAlive::Hooks Session::hooks(Lane lane) {
  return {.ping = [this, lane](std::uint64_t token) { control(lane, FrameType::ping, {}, ping_payload(token)); },
          .dead = [this, lane] { lose(lane, Reason::silent); }};
}

void Session::receive(Lane lane, ByteView bytes) {
  LaneState& state = at(lane);
  if (state.phase == Phase::down) return;
  // Nobody speaks to an agent before it has said HELLO.
  if (state.phase == Phase::waiting) return lose(lane, Reason::unexpected_frame);
  state.keep_alive.heard();
  // What a frame brings may end the connection, while the frame itself is still looked at.
  FrameReader reader = std::exchange(state.reader, {});
  const unsigned connection = state.connection;
  reader.feed(bytes);
  for (;;) {
    const auto frame = reader.next();
    if (!frame) return fail(frame.error());
    if (!*frame) break;
    handle(lane, **frame);
    if (state.connection != connection) return;
  }
  state.reader = std::move(reader);
}

void Session::receive_datagram(ByteView bytes) {
  const auto datagram = Datagram::parse(bytes);
  if (!datagram || !up(Lane::realtime)) return;
  if (datagram->type == Datagram::Type::bind) return handle_bind(*datagram);
  if (way_.is_open()) at(Lane::realtime).keep_alive.heard_elsewhere();
  way_.receive(*datagram);
}

void Session::disconnected(Lane lane) {
  if (at(lane).phase != Phase::down) lose(lane, std::nullopt);
}

Bytes Session::take(Lane lane, std::size_t limit) {
  LaneState& state = at(lane);
  ByteWriter out = std::exchange(state.control, {});
  if (state.pong) append_frame(out, FrameType::pong, {}, ping_payload(*std::exchange(state.pong, std::nullopt)));
  std::vector<ChannelId> writable;
  if (state.phase == Phase::up) {
    append_credits(lane, out);
    while (out.size() < limit && append_piece(lane, out)) {
    }
    for (auto& [id, channel] : channels_) {
      if (channel.lane != lane || !channel.wants_room || channel.queue.size() > Channel::kMaxQueued / 2) continue;
      channel.wants_room = false;
      writable.push_back(id);
    }
  }
  if (out.size() < limit) state.announced = false;
  for (const ChannelId id : writable) {
    if (find(id) != nullptr) host_.channel_writable(id);
  }
  return out.take();
}

void Session::handle(Lane lane, const Frame& frame) {
  const FrameType type = frame.header.type;
  if (static_cast<std::uint8_t>(type) >= kFirstOptionalType) return;
  const std::uint8_t known = type == FrameType::data ? kFlagCompressed : 0;
  if ((frame.header.flags & kMandatoryFlags & ~known) != 0) return fail(Reason::unknown_frame);
  if (at(lane).phase == Phase::greeting) return handle_greeting(lane, frame);
  switch (type) {
    case FrameType::ping:
      if (const auto token = parse_ping(frame.payload)) {
        at(lane).pong = *token;
        return notify(lane);
      }
      return fail(Reason::bad_frame);
    case FrameType::pong:
      if (const auto token = parse_ping(frame.payload)) return at(lane).keep_alive.answered(*token);
      return fail(Reason::bad_frame);
    case FrameType::end:
      if (const auto ending = Ending::parse(frame.payload)) return finish(*ending, true);
      return fail(Reason::bad_frame);
    case FrameType::close:
    case FrameType::data:
    case FrameType::credit:
      return handle_channel(lane, frame);
    default:
      return handle_own(lane, frame);
  }
}

bool Session::any(Phase phase) const {
  return std::ranges::any_of(lanes_, [phase](const LaneState& state) { return state.phase == phase; });
}

Lane Session::lane_of(Priority priority) const {
  const bool two = agreement_ && agreement_->lanes > 1;
  return two && priority == Priority::bulk ? Lane::bulk : Lane::realtime;
}

void Session::control(Lane lane, FrameType type, ChannelId channel, ByteView payload) {
  LaneState& state = at(lane);
  if (ended_ || state.phase == Phase::down || state.phase == Phase::waiting) return;
  append_frame(state.control, type, channel, payload);
  if (state.control.size() > kMaxControl) return fail(Reason::does_not_read);
  notify(lane);
}

void Session::notify(Lane lane) {
  if (std::exchange(at(lane).announced, true)) return;
  host_.output_ready(lane);
}

void Session::lane_works(Lane lane) {
  hold_timer_->cancel();
  at(lane).phase = Phase::up;
  host_.lane_up(lane);
  if (up(lane)) at(lane).keep_alive.start(ping_interval_, true);
}

void Session::lose(Lane lane, std::optional<Reason> why) {
  LaneState& state = at(lane);
  state.phase = Phase::down;
  ++state.connection;
  state.reader = {};
  state.control = {};
  state.pong.reset();
  state.announced = false;
  state.keep_alive.stop();
  if (lane == Lane::realtime && std::exchange(way_number_, 0) != 0) {
    way_.close();
    host_.datagrams_over();
  }
  std::vector<ChannelId> stopped;
  for (auto& [id, channel] : channels_) {
    if (channel.lane != lane || !channel.running) continue;
    channel.stop();
    stopped.push_back(id);
  }
  if (established() && !any(Phase::up) && !hold_timer_->armed()) hold_timer_->arm(hold_);
  if (why) host_.drop(lane, {}, *why);
  for (const ChannelId id : stopped) {
    const Channel* channel = find(id);
    if (channel != nullptr && !channel->running) host_.channel_stopped(id);
  }
  if (!ended_) lane_lost(lane);
}

void Session::fail(Reason reason, std::string text) {
  finish({.reason = reason, .text = std::move(text)}, false);
}

void Session::end(const Ending& why) {
  finish(why, false);
}

void Session::finish(const Ending& why, bool by_far_end) {
  if (std::exchange(ended_, true)) return;
  hold_timer_->cancel();
  channels_.clear();
  const Bytes last_words = by_far_end ? Bytes() : make_frame(FrameType::end, {}, why.payload());
  for (const Lane lane : kEachLane) {
    const Phase phase = at(lane).phase;
    if (phase == Phase::down) continue;
    lose(lane, std::nullopt);
    host_.drop(lane, phase == Phase::up ? last_words : Bytes(), why.reason);
  }
  hold_timer_->cancel();
  host_.session_ended(why, by_far_end);
}

}  // namespace periplex::link
