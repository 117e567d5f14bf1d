// SPDX-License-Identifier: Apache-2.0
#include "link/agent_session.hpp"

#include <utility>

#include "link/text.hpp"

namespace periplex::link {

AgentSession::AgentSession(Scheduler& scheduler, AgentHost& host, Settings settings)
    : Session(scheduler, host, std::move(settings)), agent_host_(host) {}

void AgentSession::connected(Lane lane) {
  if (ended()) return;
  if (at(lane).phase != Phase::down) lose(lane, Reason::replaced);
  at(lane).phase = Phase::waiting;
  greet_next();
}

void AgentSession::lane_lost(Lane) {
  greet_next();
}

void AgentSession::greet_next() {
  if (ended() || any(Phase::greeting)) return;
  for (const Lane lane : kEachLane) {
    if (at(lane).phase != Phase::waiting) continue;
    if (index(lane) >= (established() ? agreement_->lanes : settings_.lanes)) return lose(lane, Reason::bad_lane);
    if (!established() && lane != Lane::realtime) continue;  // the lane that every session has begins it
    if (!established()) return greet(lane, Purpose::begin);
    return greet(lane, any(Phase::up) ? Purpose::join : Purpose::resume);
  }
}

void AgentSession::greet(Lane lane, Purpose purpose) {
  const Hello hello{.min_version = settings_.min_version,
                    .max_version = settings_.max_version,
                    .capabilities = settings_.capabilities,
                    .required = settings_.required,
                    .lane = lane,
                    .purpose = purpose,
                    .lanes = settings_.lanes,
                    .windows = settings_.windows,
                    .session = id_,
                    .secret = secret_,
                    .name = settings_.name};
  at(lane).phase = Phase::greeting;
  at(lane).keep_alive.start(ping_interval_, false);
  control(lane, FrameType::hello, {}, hello.payload());
}

void AgentSession::handle_greeting(Lane lane, const Frame& frame) {
  if (frame.header.type == FrameType::welcome) return handle_welcome(lane, frame.payload);
  if (frame.header.type == FrameType::refuse) return handle_refusal(lane, frame.payload);
  fail(Reason::unexpected_frame);
}

void AgentSession::handle_welcome(Lane lane, ByteView payload) {
  const auto welcome = Welcome::parse(payload);
  if (!welcome) return fail(welcome.error());
  if (welcome->lane != lane || welcome->lanes > settings_.lanes) return fail(Reason::bad_lane);
  if (welcome->version < settings_.min_version || welcome->version > settings_.max_version) {
    return fail(Reason::no_common_version);
  }
  if ((settings_.required & ~welcome->capabilities) != 0) return fail(Reason::missing_capability);
  if (!established()) {
    agreement_ = {.version = welcome->version,
                  .capabilities = welcome->capabilities & settings_.capabilities,
                  .lanes = welcome->lanes};
    id_ = welcome->session;
    secret_ = welcome->secret;
    far_windows_ = welcome->windows;
    far_name_ = welcome->name;
    ping_interval_ = welcome->ping_interval;
    hold_ = welcome->hold;
  } else if (welcome->session != id_) {
    return fail(Reason::unknown_session);
  }
  for (auto& [id, channel] : channels_) {
    if (channel.lane == lane) channel.stated = false;
  }
  if (lane == Lane::realtime) {
    for (const auto& [id, peripheral] : offers_) control(lane, FrameType::offer, {}, peripheral.payload());
  }
  control(lane, FrameType::sync, {}, {});
  if (ended()) return;
  if (lane == Lane::realtime && (agreement_->capabilities & kCapabilityDatagrams) != 0) way_number_ = welcome->way;
  lane_works(lane);
  if (lane == Lane::realtime && takes_datagrams()) agent_host_.datagrams_welcome();
  greet_next();
}

void AgentSession::datagrams_connected() {
  if (takes_datagrams()) way_.open(Binding{.session = id_, .secret = secret_, .way = way_number_});
}

void AgentSession::handle_refusal(Lane lane, ByteView payload) {
  const auto ending = Ending::parse(payload);
  if (!ending) return fail(ending.error());
  // A lane that may not join need not take the session with it.
  const bool joining = any(Phase::up);
  if (joining && ending->reason != Reason::unknown_session) return lose(lane, ending->reason);
  finish(*ending, true);
}

void AgentSession::handle_own(Lane lane, const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::open:
      return handle_open(lane, frame);
    case FrameType::sync:
      return handle_sync(lane);
    case FrameType::hello:
    case FrameType::welcome:
    case FrameType::refuse:
    case FrameType::offer:
    case FrameType::withdraw:
      return fail(Reason::unexpected_frame);
    default:
      return fail(Reason::unknown_frame);
  }
}

void AgentSession::handle_open(Lane lane, const Frame& frame) {
  const ChannelId id = frame.header.channel;
  const auto opening = Opening::parse(frame.payload);
  if (!opening || id.value == 0) return fail(Reason::bad_frame);
  if (lane_of(opening->priority) != lane) return fail(Reason::wrong_lane);
  if (Channel* channel = find(id)) return open_again(*channel, *opening);
  if (id > at(lane).highest) return open_new(lane, id, *opening);
  // We closed it, and the gate had not heard of that when its connection was lost.
  control(lane, FrameType::close, id, Ending{.reason = Reason::closed_before}.payload());
}

void AgentSession::open_new(Lane lane, ChannelId id, const Opening& opening) {
  at(lane).highest = id;
  // The gate has one channel at most to a peripheral: word that it closed the older one was lost, or is on the other
  // lane.
  if (const Channel* older = find_by_peripheral(opening.id)) {
    channel_gone(older->id, {.reason = Reason::closed_before});
    if (ended() || !up(lane)) return;
  }
  if (!offers_.contains(opening.id)) {
    return control(lane, FrameType::close, id, Ending{.reason = Reason::not_offered}.payload());
  }
  if (channels_.size() >= kMaxChannels) return fail(Reason::too_many_channels);
  Channel& channel = channels_[id];
  channel.id = id;
  channel.peripheral = opening.id;
  channel.priority = opening.priority;
  channel.compression = opening.compression;
  channel.lane = lane;
  start_stream(channel);
  agent_host_.channel_opened(id, opening);
  if (const Channel* still = find(id); still != nullptr && still->running) host_.channel_started(id);
}

void AgentSession::open_again(Channel& channel, const Opening& opening) {
  if (channel.peripheral != opening.id || channel.priority != opening.priority) return fail(Reason::channel_rebound);
  if (channel.running) return fail(Reason::unexpected_frame);
  channel.stated = true;
  start_stream(channel);
  host_.channel_started(channel.id);
}

void AgentSession::handle_sync(Lane lane) {
  std::vector<ChannelId> closed;
  for (const auto& [id, channel] : channels_) {
    if (channel.lane == lane && !channel.stated) closed.push_back(id);
  }
  for (const ChannelId id : closed) channel_gone(id, {.reason = Reason::closed_before});
}

std::expected<void, Reason> AgentSession::offer(const Peripheral& peripheral) {
  if (ended()) return std::unexpected(Reason::finished);
  if (!is_identifier(peripheral.id)) return std::unexpected(Reason::bad_frame);
  if (!offers_.contains(peripheral.id) && offers_.size() >= kMaxPeripherals) {
    return std::unexpected(Reason::too_many_peripherals);
  }
  offers_.insert_or_assign(peripheral.id, peripheral);
  if (up(Lane::realtime)) control(Lane::realtime, FrameType::offer, {}, peripheral.payload());
  return {};
}

void AgentSession::withdraw(const std::string& id, Reason why) {
  if (offers_.erase(id) == 0) return;
  if (const Channel* channel = find_by_peripheral(id)) close(channel->id, {.reason = why});
  if (up(Lane::realtime)) {
    control(Lane::realtime, FrameType::withdraw, {}, Withdrawal{.id = id, .reason = why}.payload());
  }
}

}  // namespace periplex::link
