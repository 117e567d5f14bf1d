// SPDX-License-Identifier: Apache-2.0
#include "link/datagram_way.hpp"

#include <algorithm>
#include <utility>

namespace periplex::link {
namespace {

constexpr Nanoseconds kUnknownRoundTrip = std::chrono::milliseconds(100);
constexpr Nanoseconds kNoAllowance = std::chrono::milliseconds(5);  // until there is some again
constexpr unsigned kMaxDoublings = 5;

}  // namespace

DatagramWay::DatagramWay(Scheduler& scheduler, std::map<ChannelId, Channel>& channels, Hooks hooks)
    : scheduler_(scheduler),
      channels_(channels),
      hooks_(std::move(hooks)),
      probe_timer_(scheduler.make_timer([this] { probe(); })),
      flush_timer_(scheduler.make_timer([this] { flush(); })),
      acknowledge_timer_(scheduler.make_timer([this] { acknowledge(); })),
      repeat_timer_(scheduler.make_timer([this] { repeat(); })) {}

void DatagramWay::open(const Binding& binding) {
  close();
  binding_ = binding;
  start();
}

void DatagramWay::open() {
  close();
  start();
  set_works(true);  // the handshake before it went there and back
}

void DatagramWay::start() {
  open_ = true;
  unanswered_ = 0;
  round_trip_.reset();
  probe();
}

void DatagramWay::close() {
  open_ = false;
  binding_.reset();
  for (const auto* timer : {&probe_timer_, &flush_timer_, &acknowledge_timer_, &repeat_timer_}) (*timer)->cancel();
  set_works(false);
}

void DatagramWay::set_works(bool works) {
  if (std::exchange(works_, works) == works) return;
  for (auto& [id, channel] : channels_) channel.copy.sent({}, works);
  if (works) acknowledge_all(Nanoseconds(0));
  hooks_.changed();
}

/// The far end must know where we are, before it can know what is of use here; and this may be lost.
void DatagramWay::acknowledge_all(Nanoseconds delay) {
  for (auto& [id, channel] : channels_) channel.copy.acknowledgement_due = channel.running && is_urgent(channel);
  if (!acknowledge_timer_->armed()) acknowledge_timer_->arm(delay);
}

void DatagramWay::probe() {
  if (unanswered_++ >= kMaxUnanswered) set_works(false);
  if (!open_) return;  // somebody has heard of that
  if (works_) acknowledge_all(kAcknowledgeDelay);
  const bool hurry = unanswered_ > 1 && unanswered_ <= kMaxUnanswered;
  probe_timer_->arm(hurry ? kProbeAgain : kProbeInterval);
  probed_at_[++last_probe_ % kRemembered] = scheduler_.now();
  Datagram datagram{.type = Datagram::Type::probe, .number = last_probe_};
  if (binding_) {
    datagram.type = Datagram::Type::bind;
    datagram.binding = *binding_;
  }
  hooks_.send(datagram.bytes());
}

void DatagramWay::answer(std::uint64_t number) {
  if (open_) hooks_.send(Datagram{.type = Datagram::Type::answer, .number = number}.bytes());
}

void DatagramWay::answered(std::uint64_t number) {
  // The first probe is number 1.
  if (number == 0 || number > last_probe_ || last_probe_ - number >= kRemembered) return;
  const Nanoseconds measured = scheduler_.now() - probed_at_[number % kRemembered];
  round_trip_ = round_trip_ ? (*round_trip_ * 7 + measured) / 8 : measured;
  binding_.reset();
  unanswered_ = 0;
  set_works(true);
}

void DatagramWay::receive(const Datagram& datagram) {
  if (!open_) return;
  switch (datagram.type) {
    case Datagram::Type::piece:
      return piece(datagram);
    case Datagram::Type::probe:
      return answer(datagram.number);
    case Datagram::Type::answer:
      return answered(datagram.number);
    case Datagram::Type::bind:
      return;  // the gate's session looks at these
  }
}

Channel* DatagramWay::find(ChannelId id) {
  const auto found = channels_.find(id);
  const bool there = found != channels_.end() && found->second.running && is_urgent(found->second);
  return there ? &found->second : nullptr;
}

void DatagramWay::piece(const Datagram& datagram) {
  Channel* const channel = find(datagram.channel);
  if (channel == nullptr) return;
  if (channel->copy.acknowledged(datagram.acknowledged)) {
    channel->copy.waiting_since = scheduler_.now();
    unanswered_ = 0;  // what we had sent has arrived
    arm_repeat();
    if (channel->copy.end() > datagram.acknowledged) flush_timer_->arm(Nanoseconds(0));
  }
  if (datagram.content.empty()) return;
  ++counters_.received;
  const std::size_t news = channel->copy.carried(datagram.offset, datagram.content.size(), channel->may_receive);
  streamed(*channel);
  if (news == 0) return;
  ++counters_.first;
  channel->not_consumed += static_cast<std::uint32_t>(news);
  hooks_.deliver(channel->id, datagram.content.last(news));
}

void DatagramWay::sent(Channel& channel, ByteView bytes) {
  if (!is_urgent(channel)) return;
  channel.copy.sent(bytes, works_);
  // Once for all that is sent in this turn of the loop.
  if (works_ && !flush_timer_->armed()) flush_timer_->arm(Nanoseconds(0));
}

void DatagramWay::streamed(Channel& channel) {
  if (!works_ || !is_urgent(channel)) return;
  channel.copy.acknowledgement_due = true;
  if (!acknowledge_timer_->armed()) acknowledge_timer_->arm(kAcknowledgeDelay);
}

void DatagramWay::flush() {
  for (auto& [id, channel] : channels_) {
    if (channel.running && is_urgent(channel)) send_pieces(channel);
  }
  arm_repeat();
}

void DatagramWay::send_pieces(Channel& channel) {
  StreamCopy& copy = channel.copy;
  const std::uint64_t may_end = copy.end() - channel.queue.size() + channel.may_send;
  const bool waits = copy.waits();
  for (;;) {
    const std::size_t allowed = allowance();
    if (allowed < Datagram::kMaxSize) {
      flush_timer_->arm(kNoAllowance);
      break;
    }
    const auto piece = copy.next(Datagram::kMaxContent, may_end, allowed > kBurst / 2);
    if (!piece) break;
    if (!waits) copy.waiting_since = scheduler_.now();
    send_piece(channel, piece->offset, piece->bytes);
  }
}

void DatagramWay::send_piece(Channel& channel, std::uint64_t offset, ByteView content) {
  const Bytes bytes =
      Datagram{.channel = channel.id, .offset = offset, .acknowledged = channel.copy.received(), .content = content}
          .bytes();
  channel.copy.acknowledgement_due = false;
  allowance_ -= std::min(allowance_, bytes.size());
  if (!content.empty()) ++counters_.sent;
  hooks_.send(bytes);
}

void DatagramWay::acknowledge() {
  for (auto& [id, channel] : channels_) {
    if (!channel.copy.acknowledgement_due || !channel.running) continue;
    send_piece(channel, channel.copy.end(), {});
  }
}

void DatagramWay::repeat() {
  for (auto& [id, channel] : channels_) {
    StreamCopy& copy = channel.copy;
    if (!channel.running || !copy.waits() || scheduler_.now() - copy.waiting_since < patience(channel)) continue;
    copy.rewind();
    copy.waiting_since = scheduler_.now();
    ++copy.rewinds;
    ++counters_.repeated;
  }
  flush();
}

Nanoseconds DatagramWay::patience(const Channel& channel) const {
  const Nanoseconds wait = 2 * round_trip_.value_or(kUnknownRoundTrip) + kAcknowledgeDelay;
  const int doubled = 1 << std::min(channel.copy.rewinds, kMaxDoublings);
  return std::clamp(wait * doubled, kShortestWait, kLongestWait);
}

void DatagramWay::arm_repeat() {
  std::optional<Nanoseconds> due;
  for (const auto& [id, channel] : channels_) {
    if (!channel.running || !channel.copy.waits()) continue;
    const Nanoseconds at = channel.copy.waiting_since + patience(channel);
    due = due ? std::min(*due, at) : at;
  }
  if (!due || !works_) return repeat_timer_->cancel();
  repeat_timer_->arm(std::max(*due - scheduler_.now(), Nanoseconds(0)));
}

/// How many bytes may be sent now.
std::size_t DatagramWay::allowance() {
  const Nanoseconds passed = std::min<Nanoseconds>(scheduler_.now() - allowed_at_, std::chrono::seconds(1));
  const auto more = static_cast<std::size_t>(passed.count()) * kRate / 1'000'000'000;
  if (more > 0) allowed_at_ = scheduler_.now();
  allowance_ = std::min(allowance_ + more, kBurst);
  return allowance_;
}

}  // namespace periplex::link
