// SPDX-License-Identifier: Apache-2.0
#include "gate/seat.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>
#include <utility>

#include "link/random.hpp"

namespace periplex::gate {
namespace {

using link::ChannelId;
using link::Kind;
using link::Lane;
using link::Priority;
using link::Reason;

constexpr std::uint8_t kAudio = 0x01;
constexpr std::uint8_t kHumanInterface = 0x03;
constexpr std::uint8_t kStorage = 0x08;
constexpr std::uint32_t kWithoutDatagrams = link::kCapabilities & ~link::kCapabilityDatagrams;

/// How urgent it is, as far as what an agent says of it tells.
Priority priority_of(const link::Peripheral& peripheral) {
  if (peripheral.kind == Kind::sound || peripheral.device_class == kAudio) return Priority::realtime;
  if (peripheral.kind == Kind::input || peripheral.device_class == kHumanInterface) return Priority::interactive;
  return Priority::bulk;
}

/// Keys and sound gain nothing by it.
bool may_compress(const link::Peripheral& peripheral) {
  return peripheral.kind == Kind::disk || peripheral.device_class == kStorage;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::other:
      return "other";
    case Kind::usb:
      return "usb";
    case Kind::disk:
      return "disk";
    case Kind::input:
      return "input";
    case Kind::sound:
      return "sound";
    case Kind::radio:
      return "radio";
  }
  return "other";
}

/// Somebody, or a rule, does not want it: asking again soon would be a nuisance.
bool is_a_no(Reason reason) {
  return reason == Reason::taken_back || reason == Reason::refused || reason == Reason::not_allowed;
}

}  // namespace

Seat::Seat(EventLoop& loop, SeatHost& host, KnownSeat known, const std::string& gate_name, bool datagrams)
    : loop_(loop),
      host_(host),
      known_(std::move(known)),
      session_(loop, *this, {.name = gate_name, .capabilities = datagrams ? link::kCapabilities : kWithoutDatagrams},
               link::random_session_id(), link::random_secret()),
      retry_(loop.make_timer([this] { reconsider(); })) {}

Seat::~Seat() {
  for (link::LaneConnection* lane : lanes_) {
    if (lane != nullptr) lane->detach({});
  }
}

void Seat::take(link::LaneConnection& connection, const link::Hello& hello) {
  arriving_ = &connection;
  connection.attach(session_, hello.lane);
  const auto taken = session_.attach(hello);
  arriving_ = nullptr;
  if (!taken) connection.refuse(taken.error());
  host_.seat_changed();
}

void Seat::forget(const link::LaneConnection& connection) {
  for (link::LaneConnection*& lane : lanes_) {
    if (lane == &connection) lane = nullptr;
  }
  host_.seat_changed();
}

void Seat::end(Reason why) {
  session_.end({.reason = why});
}

void Seat::output_ready(Lane lane) {
  if (link::LaneConnection* connection = lanes_[index(lane)]) connection->output_ready();
}

void Seat::drop(Lane lane, Bytes last_words, Reason) {
  if (link::LaneConnection* old = std::exchange(lanes_[index(lane)], nullptr)) old->detach(std::move(last_words));
}

void Seat::lane_up(Lane lane) {
  if (arriving_ == nullptr) return;
  lanes_[index(lane)] = arriving_;
  arriving_->output_ready();
}

void Seat::session_ended(const link::Ending& why, bool by_far_end) {
  log::info("gate", fmt::format("{}: the session is over: {}{}{}", known_.name, name(why.reason),
                                why.text.empty() ? "" : ": " + why.text, by_far_end ? " (says the seat)" : ""));
  retry_->cancel();
  for (auto& [id, offer] : offers_) {
    end_stream(offer);
    offer.channel.reset();
  }
  host_.seat_ended(*this);
}

void Seat::offered(const link::Peripheral& peripheral) {
  offers_[peripheral.id].peripheral = peripheral;
  reconsider_soon();
}

void Seat::withdrawn(const std::string& id, Reason) {
  offers_.erase(id);
  reconsider_soon();  // what a limit has kept out may take its place
  host_.seat_changed();
}

Seat::Offer* Seat::find(ChannelId channel) {
  const auto found = std::ranges::find_if(offers_, [&](const auto& entry) { return entry.second.channel == channel; });
  return found == offers_.end() ? nullptr : &found->second;
}

void Seat::channel_started(ChannelId channel) {
  if (Offer* offer = find(channel)) begin_stream(*offer);
}

void Seat::channel_stopped(ChannelId channel) {
  if (Offer* offer = find(channel)) end_stream(*offer);
  host_.seat_changed();
}

void Seat::channel_data(ChannelId channel, ByteView bytes) {
  Offer* const offer = find(channel);
  if (offer != nullptr && offer->stream) return offer->stream->send(bytes);
  // Nobody takes it any more: the channel is about to be closed.
  session_.consumed(channel, bytes.size());
}

void Seat::channel_writable(ChannelId channel) {
  Offer* const offer = find(channel);
  if (offer != nullptr && offer->stream) offer->stream->writable();
}

void Seat::channel_closed(ChannelId channel, const link::Ending& why) {
  Offer* const offer = find(channel);
  if (offer == nullptr) return;
  end_stream(*offer);
  offer->channel.reset();
  if (is_a_no(why.reason)) {
    if (const Worker* worker = wanting(*offer)) {
      offer->refused_wish = worker->wish(unique_name(known_.name, offer->peripheral.id));
    }
  }
  if (limit_.allow(loop_.now())) {
    log::info("gate", fmt::format("{} has closed {}: {}", known_.name, offer->peripheral.id, name(why.reason)));
  }
  try_later(*offer, std::string(name(why.reason)));
}

/// The worker that may have it and waits for it.
Worker* Seat::wanting(const Offer& offer) const {
  Worker* const worker = host_.worker_for(known_.name, offer.peripheral.id);
  if (worker == nullptr || worker->wish(unique_name(known_.name, offer.peripheral.id)) == 0) return nullptr;
  return worker;
}

void Seat::reconsider_soon() {
  if (!session_.ended()) retry_->arm(Nanoseconds(0));
}

void Seat::reconsider() {
  if (session_.ended()) return;
  keep_to_limit();
  std::optional<Nanoseconds> next;
  for (auto& [id, offer] : offers_) {
    reconsider(offer);
    if (session_.ended()) return;
    const Nanoseconds wait = offer.not_before - loop_.now();
    if (!offer.channel && wait > Nanoseconds(0)) next = std::min(next.value_or(wait), wait);
  }
  if (next) retry_->arm(*next);
  host_.seat_changed();
}

void Seat::reconsider(Offer& offer) {
  const Worker* const worker = wanting(offer);
  if (offer.channel && (worker == nullptr || worker->machine() != offer.machine)) {
    close_channel(offer, worker == nullptr ? Reason::finished : Reason::worker_gone);
  }
  if (worker == nullptr || offer.channel || offer.not_before > loop_.now()) return;
  if (worker->wish(unique_name(known_.name, offer.peripheral.id)) == offer.refused_wish) return;
  if (lent() < host_.limit_of(known_.name)) return open(offer);
  offer.why = "the seat may not lend more at once";
}

std::size_t Seat::lent() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(offers_, [](const auto& entry) { return entry.second.channel.has_value(); }));
}

/// It may be lower than it was.
void Seat::keep_to_limit() {
  const std::size_t limit = host_.limit_of(known_.name);
  for (auto& [id, offer] : offers_ | std::views::reverse) {
    if (lent() <= limit || session_.ended()) return;
    if (offer.channel) close_channel(offer, Reason::not_allowed);
  }
}

void Seat::open(Offer& offer) {
  const auto opened = session_.open({.id = offer.peripheral.id,
                                     .priority = priority_of(offer.peripheral),
                                     .compression = may_compress(offer.peripheral)});
  if (!opened) return try_later(offer, std::string(name(opened.error())));
  offer.channel = *opened;
  offer.machine = wanting(offer)->machine();
  offer.why.clear();
  log::info("gate", fmt::format("{} of {} goes to {}", offer.peripheral.id, known_.name, offer.machine));
  if (session_.room(*opened) > 0) begin_stream(offer);
}

void Seat::begin_stream(Offer& offer) {
  end_stream(offer);
  const ChannelId channel = *offer.channel;
  auto [own, workers] = WorkerStream::make_pair();
  Worker* const worker = wanting(offer);
  if (!own || worker == nullptr || !worker->hand_over(unique_name(known_.name, offer.peripheral.id), workers)) {
    close_channel(offer, Reason::worker_gone);
    return try_later(offer, "the worker does not take its stream");
  }
  offer.stream = std::make_unique<WorkerStream>(
      loop_, std::move(own),
      WorkerStream::Events{.received = [this, channel](ByteView bytes) { return session_.send(channel, bytes); },
                           .consumed = [this, channel](std::size_t count) { session_.consumed(channel, count); },
                           .ended =
                               [this, channel] {
                                 if (Offer* const ended = find(channel)) {
                                   close_channel(*ended, Reason::worker_gone);
                                   try_later(*ended, "the worker has let it go");
                                 }
                               }});
  host_.seat_changed();
}

void Seat::end_stream(Offer& offer) {
  if (!offer.stream) return;
  offer.stream->close();
  // It may be the one that is calling.
  loop_.defer([old = std::move(offer.stream)] {});
}

void Seat::close_channel(Offer& offer, Reason reason) {
  end_stream(offer);
  if (const auto channel = std::exchange(offer.channel, std::nullopt)) session_.close(*channel, {.reason = reason});
  host_.seat_changed();
}

void Seat::try_later(Offer& offer, std::string why) {
  offer.why = std::move(why);
  offer.not_before = loop_.now() + kRetry;
  if (!session_.ended() && !retry_->armed()) retry_->arm(kRetry);
  host_.seat_changed();
}

SeatState Seat::state() const {
  const bool up = session_.up(Lane::realtime) || session_.up(Lane::bulk);
  SeatState state{.name = known_.name, .agent = session_.far_name(), .state = up ? "connected" : "held"};
  const bool agreed = (session_.agreement()->capabilities & link::kCapabilityDatagrams) != 0;
  state.datagrams = !agreed ? "off" : session_.datagrams().works() ? "used" : "blocked";
  for (const auto& [id, offer] : offers_) {
    PeripheralState& one = state.peripherals.emplace_back();
    one.id = id;
    one.kind = name_of(offer.peripheral.kind);
    one.name = offer.peripheral.name;
    one.serial = offer.peripheral.serial;
    one.vendor = offer.peripheral.vendor;
    one.product = offer.peripheral.product;
    const Worker* const allowed = host_.worker_for(known_.name, id);
    if (allowed != nullptr) one.machine = allowed->machine();
    one.why = offer.why;
    if (offer.channel) {
      one.state = offer.stream ? "attached" : "held";
    } else if (const Worker* const worker = wanting(offer); worker == nullptr) {
      one.state = "offered";
    } else {
      one.state = worker->wish(unique_name(known_.name, id)) == offer.refused_wish ? "refused" : "wanted";
    }
  }
  return state;
}

}  // namespace periplex::gate
