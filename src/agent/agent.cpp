// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace periplex::agent {

using link::ChannelId;
using link::Lane;
using link::Reason;

namespace {

constexpr std::uint8_t kAudio = 0x01;

std::string text_of(const link::Ending& why) {
  return fmt::format("{}{}{}", name(why.reason), why.text.empty() ? "" : ": ", why.text);
}

Reason reason_of(seat::Withdrawal why) {
  return why == seat::Withdrawal::taken_back ? Reason::taken_back : Reason::unplugged;
}

/// The class that says most about how urgent it is: of the device, or of an interface; sound before all others.
std::uint8_t class_of(const seat::Peripheral& peripheral) {
  const auto& classes = peripheral.interface_classes;
  if (std::ranges::find(classes, kAudio) != classes.end()) return kAudio;
  if (peripheral.device_class != 0 || classes.empty()) return peripheral.device_class;
  return classes.front();
}

}  // namespace

link::Peripheral describe(const seat::Offer& offer) {
  const seat::Peripheral& peripheral = offer.peripheral;
  return {.id = offer.id,
          .kind = peripheral.kind == seat::Kind::input ? link::Kind::input : link::Kind::usb,
          .vendor = peripheral.vendor,
          .product = peripheral.product,
          .device_class = class_of(peripheral),
          .name = peripheral.description,
          .serial = peripheral.serial_number};
}

Agent::Agent(EventLoop& loop, link::TlsContext context, Dialler& dialler, Settings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      self_(std::make_shared<Agent*>(this)),
      begin_(loop.make_timer([this] { begin_session(); })),
      datagrams_(loop, settings_.datagrams),
      lanes_(loop, std::move(context), dialler, settings_.patience) {
  make_session();
}

Agent::~Agent() {
  // They call the session.
  returned_.clear();
  served_.clear();
}

void Agent::start() {
  lanes_.serve(*session_);
}

void Agent::make_session() {
  link::AgentHost& host = *this;
  session_ = std::make_unique<link::AgentSession>(
      loop_, host, link::Settings{.name = settings_.name, .capabilities = datagrams_.capabilities()});
}

void Agent::begin_session() {
  make_session();
  for (const auto& [id, offered] : offers_) offer(offered);
  lanes_.serve(*session_);
}

void Agent::offer(const Offered& offered) {
  if (session_->ended()) return;  // the next one gets it
  const auto done = session_->offer(offered.peripheral);
  if (!done) {
    log::warning("agent", fmt::format("{} cannot be offered: {}", offered.peripheral.id, name(done.error())));
  }
}

void Agent::on_offered(const seat::Offer& offer) {
  if (ending_) return;
  // Plugged in again before its worker had heard that it was gone: to that worker it is another one.
  if (const auto before = served_.find(offer.id); before != served_.end()) {
    served_ended(*before->second, {.reason = Reason::unplugged});
  }
  const Offered& offered = offers_.insert_or_assign(offer.id, Offered{describe(offer), offer.source}).first->second;
  this->offer(offered);
}

void Agent::on_withdrawn(const seat::Offer& offer, seat::Withdrawal why) {
  if (offers_.erase(offer.id) == 0) return;
  const auto lent = served_.find(offer.id);
  if (lent == served_.end()) return session_->withdraw(offer.id, reason_of(why));
  tell("is gone from", offer.id, {.reason = reason_of(why)});
  lent->second->farewell({.reason = reason_of(why)}, settings_.farewell);
}

void Agent::end(std::function<void()> done) {
  if (std::exchange(ending_, true)) return;
  on_ended_ = std::move(done);
  begin_->cancel();
  std::vector<Served*> all;
  for (const auto& [id, served] : served_) all.push_back(served.get());
  for (const auto& [id, offered] : std::exchange(offers_, {})) {
    if (!served_.contains(id)) session_->withdraw(id, Reason::withdrawn);
  }
  for (Served* served : all) served->farewell({.reason = Reason::withdrawn}, settings_.last_farewell);
  end_if_all_is_back();
}

void Agent::end_if_all_is_back() {
  if (!ending_ || !served_.empty() || !on_ended_) return;
  session_->end({.reason = Reason::finished});
  lanes_.leave();
  lanes_.when_quiet(std::exchange(on_ended_, nullptr));
}

void Agent::lane_up(Lane lane) {
  lanes_.lane_up(lane);
  if (std::exchange(connected_, true)) return;
  last_ending_.clear();
  log::info("agent", fmt::format("connected to {}", session_->far_name()));
}

void Agent::datagrams_welcome() {
  if (const link::LaneConnection* lane = lanes_.connection(Lane::realtime)) datagrams_.begin(*session_, *lane);
}

const attachment::ServerCounters* Agent::counters(const std::string& id) const {
  const auto found = served_.find(id);
  return found == served_.end() ? nullptr : found->second->counters();
}

Served* Agent::find(ChannelId channel) {
  const auto found = std::ranges::find_if(served_, [&](const auto& each) { return each.second->channel() == channel; });
  return found == served_.end() ? nullptr : found->second.get();
}

void Agent::channel_opened(ChannelId channel, const link::Opening& opening) {
  const auto offered = offers_.find(opening.id);
  if (offered == offers_.end()) return session_->close(channel, {.reason = Reason::withdrawn});
  tell("goes to", opening.id, {});
  if (const auto known = served_.find(opening.id); known != served_.end()) {
    // One whose session with the gate ended is still there for the worker that had it.
    if (!known->second->leaving()) return known->second->attach(channel);
    release(*known->second);
  }
  ServedHost& host = *this;
  Served& served =
      *served_.emplace(opening.id, std::make_unique<Served>(opening.id, host, loop_, settings_.served)).first->second;
  served.attach(channel);
  served.open(*offered->second.source);
}

void Agent::channel_started(ChannelId channel) {
  if (Served* served = find(channel)) served->started();
}

void Agent::channel_stopped(ChannelId channel) {
  if (Served* served = find(channel)) served->stopped();
}

void Agent::channel_data(ChannelId channel, ByteView bytes) {
  if (Served* served = find(channel)) served->receive(bytes);
}

void Agent::channel_writable(ChannelId channel) {
  if (Served* served = find(channel)) served->writable();
}

void Agent::channel_closed(ChannelId channel, const link::Ending& why) {
  Served* const served = find(channel);
  if (served == nullptr) return;
  served->detach();
  served_ended(*served, why);
}

void Agent::served_ended(Served& served, const link::Ending& why) {
  const std::string id = served.id();
  if (served.channel()) session_->close(*served.channel(), why);
  tell("is back from", id, why);
  release(served);
  if (!offers_.contains(id)) session_->withdraw(id, why.reason);
  end_if_all_is_back();
}

/// It may be the one that is calling.
void Agent::release(Served& served) {
  auto node = served_.extract(served.id());
  if (node.empty()) return;
  node.mapped()->retire();
  returned_.push_back(std::move(node.mapped()));
  loop_.defer([weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->returned_.clear();
  });
}

void Agent::session_ended(const link::Ending& why, bool by_far_end) {
  const std::string text = text_of(why);
  // What comes again with each attempt is told once.
  if (!ending_ && std::exchange(last_ending_, text) != text) {
    log::warning("agent", fmt::format("the session is over{}: {}", by_far_end ? " (the gate says)" : "", text));
  }
  connected_ = false;
  lanes_.leave();
  std::vector<Served*> all;
  for (const auto& [id, served] : served_) all.push_back(served.get());
  for (Served* served : all) {
    served->detach();
    // Only what a worker may come back to is kept; and only as long as that is so.
    if (!served->in_session() || served->leaving()) served_ended(*served, why);
  }
  if (!ending_) begin_->arm(Nanoseconds(0));  // the one that calls is in use still
}

void Agent::tell(std::string_view what, const std::string& id, const link::Ending& why) {
  if (!limit_.allow(loop_.now())) return;
  const std::string reason = why.reason == Reason::finished ? std::string() : fmt::format(" ({})", text_of(why));
  log::info("agent", fmt::format("{} {} {}{}", id, what, session_->far_name(), reason));
}

}  // namespace periplex::agent
