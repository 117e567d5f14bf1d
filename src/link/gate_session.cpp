// SPDX-License-Identifier: Apache-2.0
#include "link/gate_session.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "link/text.hpp"

namespace periplex::link {

GateSession::GateSession(Scheduler& scheduler, GateHost& host, Settings settings, SessionId id, const Secret& secret)
    : Session(scheduler, host, std::move(settings)), gate_host_(host) {
  id_ = id;
  secret_ = secret;
}

bool GateSession::admits(const Hello& hello) const {
  return !ended() && hello.session == id_ && same_secret(hello.secret, secret_);
}

std::expected<Agreement, Reason> GateSession::judge(const Hello& hello) const {
  if (ended()) return std::unexpected(Reason::unknown_session);
  if (!established()) {
    if (hello.purpose != Purpose::begin) return std::unexpected(Reason::unknown_session);
    const auto agreement = negotiate(hello, settings_);
    if (agreement && index(hello.lane) >= agreement->lanes) return std::unexpected(Reason::bad_lane);
    return agreement;
  }
  if (hello.purpose == Purpose::begin || !admits(hello)) return std::unexpected(Reason::unknown_session);
  if (index(hello.lane) >= agreement_->lanes) return std::unexpected(Reason::bad_lane);
  if (agreement_->version < hello.min_version || agreement_->version > hello.max_version) {
    return std::unexpected(Reason::no_common_version);
  }
  return *agreement_;
}

std::expected<void, Reason> GateSession::attach(const Hello& hello) {
  const auto agreement = judge(hello);
  if (!agreement) return std::unexpected(agreement.error());
  if (!established()) {
    agreement_ = *agreement;
    far_windows_ = hello.windows;
    far_name_ = hello.name;
  }
  for (const Lane lane : kEachLane) {
    const bool replaced = lane == hello.lane || hello.purpose == Purpose::resume;
    if (replaced && at(lane).phase != Phase::down) lose(lane, Reason::replaced);
  }
  if (ended()) return std::unexpected(Reason::unknown_session);
  const std::vector<ChannelId> started = welcome(hello.lane);
  lane_works(hello.lane);
  for (const ChannelId id : started) {
    const Channel* channel = find(id);
    if (channel != nullptr && channel->running) host_.channel_started(id);
  }
  return {};
}

std::vector<ChannelId> GateSession::welcome(Lane lane) {
  const bool datagrams = lane == Lane::realtime && (agreement_->capabilities & kCapabilityDatagrams) != 0;
  if (datagrams) way_number_ = ++last_way_;
  const Welcome welcome{.version = agreement_->version,
                        .lane = lane,
                        .lanes = agreement_->lanes,
                        .capabilities = agreement_->capabilities,
                        .windows = settings_.windows,
                        .ping_interval = ping_interval_,
                        .hold = hold_,
                        .session = id_,
                        .secret = secret_,
                        .name = settings_.name,
                        .way = datagrams ? way_number_ : 0};
  ByteWriter& out = at(lane).control;
  append_frame(out, FrameType::welcome, {}, welcome.payload());
  std::vector<ChannelId> started;
  for (auto& [id, channel] : channels_) {
    if (channel.lane != lane) continue;
    const Opening opening{.id = channel.peripheral, .priority = channel.priority, .compression = channel.compression};
    append_frame(out, FrameType::open, id, opening.payload());
    start_stream(channel);
    started.push_back(id);
  }
  append_frame(out, FrameType::sync, {}, {});
  if (lane == Lane::realtime) {
    for (auto& [id, offer] : offers_) offer.stated = false;
  }
  return started;
}

bool GateSession::is_ours(const Binding& binding) const {
  return takes_datagrams() && binding.session == id_ && binding.way == way_number_ &&
         same_secret(binding.secret, secret_);
}

bool GateSession::bind(const Datagram& datagram) {
  if (datagram.type != Datagram::Type::bind || !is_ours(datagram.binding)) return false;
  way_.open();
  way_.answer(datagram.number);
  return true;
}

/// The answer was lost, or is late.
void GateSession::handle_bind(const Datagram& datagram) {
  if (is_ours(datagram.binding)) way_.answer(datagram.number);
}

std::expected<ChannelId, Reason> GateSession::open(const Opening& opening) {
  if (ended() || !offers_.contains(opening.id)) return std::unexpected(Reason::not_offered);
  if (find_by_peripheral(opening.id) != nullptr) return std::unexpected(Reason::busy);
  if (channels_.size() >= kMaxChannels || last_channel_.value == std::numeric_limits<std::uint32_t>::max()) {
    return std::unexpected(Reason::too_many_channels);
  }
  const ChannelId id(++last_channel_.value);
  Channel& channel = channels_[id];
  channel.id = id;
  channel.peripheral = opening.id;
  channel.priority = opening.priority;
  channel.compression = opening.compression;
  channel.lane = lane_of(opening.priority);
  at(channel.lane).highest = id;
  if (up(channel.lane)) {
    start_stream(channel);
    control(channel.lane, FrameType::open, id, opening.payload());
  }
  return id;
}

const Peripheral* GateSession::peripheral(const std::string& id) const {
  const auto found = offers_.find(id);
  return found == offers_.end() ? nullptr : &found->second.peripheral;
}

void GateSession::handle_greeting(Lane, const Frame&) {
  fail(Reason::unexpected_frame);
}

void GateSession::handle_own(Lane lane, const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::offer:
      return lane == Lane::realtime ? handle_offer(frame) : fail(Reason::wrong_lane);
    case FrameType::withdraw: {
      if (lane != Lane::realtime) return fail(Reason::wrong_lane);
      const auto withdrawal = Withdrawal::parse(frame.payload);
      return withdrawal ? withdraw(withdrawal->id, withdrawal->reason) : fail(withdrawal.error());
    }
    case FrameType::sync:
      return lane == Lane::realtime ? handle_sync() : void();
    case FrameType::hello:
    case FrameType::welcome:
    case FrameType::refuse:
    case FrameType::open:
      return fail(Reason::unexpected_frame);
    default:
      return fail(Reason::unknown_frame);
  }
}

void GateSession::handle_offer(const Frame& frame) {
  auto peripheral = Peripheral::parse(frame.payload);
  if (!peripheral) return fail(peripheral.error());
  const auto found = offers_.find(peripheral->id);
  if (found == offers_.end() && offers_.size() >= kMaxPeripherals) return fail(Reason::too_many_peripherals);
  const bool news = found == offers_.end() || found->second.peripheral != *peripheral;
  offers_.insert_or_assign(peripheral->id, Offer{.peripheral = *peripheral});
  if (news) gate_host_.offered(*peripheral);
}

void GateSession::handle_sync() {
  std::vector<std::string> gone;
  for (const auto& [id, offer] : offers_) {
    if (!offer.stated) gone.push_back(id);
  }
  for (const std::string& id : gone) {
    if (!ended()) withdraw(id, Reason::withdrawn);
  }
}

void GateSession::withdraw(const std::string& id, Reason why) {
  if (offers_.erase(id) == 0) return;
  if (const Channel* channel = find_by_peripheral(id)) channel_gone(channel->id, {.reason = why});
  gate_host_.withdrawn(id, why);
}

}  // namespace periplex::link
