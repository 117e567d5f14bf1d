// SPDX-License-Identifier: Apache-2.0
#include "link/datagram.hpp"

#include <utility>

namespace periplex::link {
namespace {

/// Numbers wrap: whether `sequence` is behind `expected` is told by the shorter way round (RFC 1982).
constexpr std::uint32_t kHalf = 1U << 31;

}  // namespace

Bytes Datagram::bytes() const {
  return ByteWriter()
      .u8(static_cast<std::uint8_t>(type))
      .zeros(3)
      .le32(channel.value)
      .le32(sequence)
      .bytes(content)
      .take();
}

std::optional<Datagram> Datagram::parse(ByteView bytes) {
  ByteReader reader(bytes);
  const std::uint8_t type = reader.u8();
  reader.skip(3);
  Datagram datagram;
  datagram.channel = ChannelId(reader.le32());
  datagram.sequence = reader.le32();
  if (!reader.ok() || bytes.size() > kMaxSize || type < 1 || type > 3) return std::nullopt;
  datagram.type = Type{type};
  datagram.content = reader.rest();
  return datagram;
}

DatagramLane::DatagramLane(Scheduler& scheduler, ChannelId channel, Hooks hooks)
    : channel_(channel),
      hooks_(std::move(hooks)),
      probe_timer_(scheduler.make_timer([this] { probe(); })),
      gap_timer_(scheduler.make_timer([this] { give_up_first_gap(); })) {}

void DatagramLane::begin_datagrams() {
  unanswered_ = 0;
  probe();
}

void DatagramLane::end_datagrams() {
  probe_timer_->cancel();
  way_open_ = false;
}

void DatagramLane::probe() {
  if (++unanswered_ > kMaxUnanswered) way_open_ = false;
  probe_timer_->arm(kProbeInterval);
  hooks_.send_datagram(
      Datagram{.type = Datagram::Type::probe, .channel = channel_, .sequence = ++probe_number_}.bytes());
}

void DatagramLane::send(ByteView content) {
  const std::uint32_t sequence = next_to_send_++;
  if (way_open_ && content.size() <= Datagram::kMaxContent) {
    hooks_.send_datagram(Datagram{.channel = channel_, .sequence = sequence, .content = content}.bytes());
  } else {
    hooks_.send_on_stream({.sequence = sequence, .content = Bytes(content.begin(), content.end())});
  }
}

void DatagramLane::datagram_received(ByteView bytes) {
  const auto datagram = Datagram::parse(bytes);
  if (!datagram || datagram->channel != channel_) return;
  switch (datagram->type) {
    case Datagram::Type::message:
      return arrived(datagram->sequence, datagram->content);
    case Datagram::Type::probe:
      return hooks_.send_datagram(
          Datagram{.type = Datagram::Type::answer, .channel = channel_, .sequence = datagram->sequence}.bytes());
    case Datagram::Type::answer:
      if (!probe_timer_->armed() || datagram->sequence != probe_number_) return;
      unanswered_ = 0;
      way_open_ = true;
  }
}

void DatagramLane::message_received(const Message& message) {
  arrived(message.sequence, message.content);
}

void DatagramLane::arrived(std::uint32_t sequence, ByteView content) {
  const std::uint32_t ahead = sequence - expected_;
  const std::uint32_t key = sequence - base_;
  if (ahead >= kHalf || early_.contains(key)) {
    ++counters_.late;
    return;
  }
  early_.emplace(key, Bytes(content.begin(), content.end()));
  deliver_in_order();
  while (early_.size() > kMaxEarly) give_up_first_gap();
}

void DatagramLane::deliver_in_order() {
  while (!early_.empty() && early_.begin()->first == expected_ - base_) {
    const Bytes content = std::move(early_.begin()->second);
    early_.erase(early_.begin());
    ++expected_;
    ++counters_.delivered;
    hooks_.deliver(content);
  }
  if (early_.empty()) {
    base_ = expected_;  // keeps the keys small, long before they could wrap
    gap_timer_->cancel();
  } else if (!gap_timer_->armed()) {
    gap_timer_->arm(kMaxWait);
  }
}

void DatagramLane::give_up_first_gap() {
  if (early_.empty()) return;
  const std::uint32_t first = early_.begin()->first;
  counters_.missing += first - (expected_ - base_);
  expected_ = base_ + first;
  gap_timer_->cancel();
  deliver_in_order();
}

}  // namespace periplex::link
