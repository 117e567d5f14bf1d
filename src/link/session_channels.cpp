// SPDX-License-Identifier: Apache-2.0
// What a session does with its channels: their streams, credit, and whose piece is next.
#include <algorithm>
#include <utility>

#include "link/session.hpp"

namespace periplex::link {

Channel* Session::find(ChannelId id) {
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : &found->second;
}

Channel* Session::find_by_peripheral(const std::string& id) {
  const auto found = std::ranges::find_if(channels_, [&](const auto& entry) { return entry.second.peripheral == id; });
  return found == channels_.end() ? nullptr : &found->second;
}

std::size_t Session::room(ChannelId id) const {
  const auto found = channels_.find(id);
  if (found == channels_.end() || !found->second.running) return 0;
  return Channel::kMaxQueued - found->second.queue.size();
}

std::size_t Session::send(ChannelId id, ByteView bytes) {
  Channel* channel = find(id);
  if (channel == nullptr || !channel->running) return 0;
  const std::size_t taken = std::min(bytes.size(), room(id));
  channel->queue.push(bytes.first(taken));
  if (taken > 0) way_.sent(*channel, bytes.first(taken));
  if (taken < bytes.size()) channel->wants_room = true;
  if (channel->has_piece()) notify(channel->lane);
  return taken;
}

void Session::consumed(ChannelId id, std::size_t bytes) {
  Channel* channel = find(id);
  if (channel == nullptr) return;
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, channel->not_consumed));
  channel->not_consumed -= count;
  channel->to_grant += count;
  if (owes_credit(*channel)) notify(channel->lane);
}

void Session::close(ChannelId id, const Ending& why) {
  const Channel* channel = find(id);
  if (channel == nullptr) return;
  const bool running = channel->running;
  const Lane lane = channel->lane;
  channels_.erase(id);
  // Where the stream does not run the far end learns of it when it is not begun again.
  if (running) control(lane, FrameType::close, id, why.payload());
}

void Session::channel_gone(ChannelId id, const Ending& why) {
  if (channels_.erase(id) > 0) host_.channel_closed(id, why);
}

void Session::start_stream(Channel& channel) {
  channel.start(far_windows_.of(channel.priority), settings_.windows.of(channel.priority));
}

void Session::handle_channel(Lane lane, const Frame& frame) {
  const ChannelId id = frame.header.channel;
  Channel* channel = find(id);
  if (channel == nullptr) {
    // Sent before the far end knew that it is closed; numbers are never used again.
    const bool late = id.value != 0 && id <= at(lane).highest;
    return late ? void() : fail(Reason::unknown_channel);
  }
  if (channel->lane != lane) return fail(Reason::wrong_lane);
  if (frame.header.type == FrameType::close) {
    if (const auto ending = Ending::parse(frame.payload)) return channel_gone(id, *ending);
    return fail(Reason::bad_frame);
  }
  if (!channel->running) return fail(Reason::unexpected_frame);
  if (frame.header.type == FrameType::data) return handle_data(*channel, frame);
  handle_credit(*channel, frame.payload);
}

void Session::handle_data(Channel& channel, const Frame& frame) {
  ByteView bytes = frame.payload;
  std::optional<Bytes> plain;
  if ((frame.header.flags & kFlagCompressed) != 0) {
    const bool agreed = channel.compression && (agreement_->capabilities & kCapabilityZstd) != 0;
    if (agreed) plain = compression_.restore(frame.payload);
    if (!plain) return fail(Reason::bad_compression);
    bytes = *plain;
  }
  if (bytes.empty() || bytes.size() > kMaxPiece) return fail(Reason::bad_frame);
  if (bytes.size() > channel.may_receive) return fail(Reason::credit_exceeded);
  const auto count = static_cast<std::uint32_t>(bytes.size());
  channel.may_receive -= count;
  const std::size_t known = channel.copy.streamed(count);
  channel.not_consumed += count - static_cast<std::uint32_t>(known);
  way_.streamed(channel);
  if (known > 0 && owes_credit(channel)) notify(channel.lane);
  if (known < count) host_.channel_data(channel.id, bytes.subspan(known));
}

void Session::handle_credit(Channel& channel, ByteView payload) {
  const auto credit = parse_credit(payload);
  if (!credit) return fail(credit.error());
  if (*credit > Windows::kMax - std::min(channel.may_send, Windows::kMax)) return fail(Reason::credit_overflow);
  channel.may_send += *credit;
  if (channel.has_piece()) notify(channel.lane);
}

bool Session::owes_credit(const Channel& channel) const {
  return channel.grantable() >= settings_.windows.of(channel.priority) / 4;
}

void Session::append_credits(Lane lane, ByteWriter& out) {
  for (auto& [id, channel] : channels_) {
    if (channel.lane != lane || !owes_credit(channel)) continue;
    const std::uint32_t credit = channel.grantable();
    channel.to_grant -= credit;
    channel.may_receive += credit;
    append_frame(out, FrameType::credit, id, credit_payload(credit));
  }
}

Channel* Session::next_channel(Lane lane) {
  LaneState& state = at(lane);
  std::array<bool, kPriorities> waiting{};
  for (const auto& [id, channel] : channels_) {
    if (channel.lane == lane && channel.has_piece()) waiting[index(channel.priority)] = true;
  }
  const auto priority = state.arbiter.pick(waiting);
  if (!priority) return nullptr;
  // In turn: the first one behind the one that was served last, or else the first of all.
  ChannelId& last = state.last_served[index(*priority)];
  Channel* first = nullptr;
  for (auto& [id, channel] : channels_) {
    if (channel.lane != lane || channel.priority != *priority || !channel.has_piece()) continue;
    if (id > last) {
      last = id;
      return &channel;
    }
    if (first == nullptr) first = &channel;
  }
  last = first->id;
  return first;
}

bool Session::append_piece(Lane lane, ByteWriter& out) {
  Channel* channel = next_channel(lane);
  if (channel == nullptr) return false;
  append_data(*channel, out);
  return true;
}

void Session::append_data(Channel& channel, ByteWriter& out) {
  const ByteView piece = channel.queue.front(std::min<std::size_t>(kMaxPiece, channel.may_send));
  std::optional<Bytes> compressed;
  if (channel.compression && (agreement_->capabilities & kCapabilityZstd) != 0 &&
      piece.size() >= Compression::kSmallest && channel.gauge.worth_trying()) {
    compressed = compression_.compress(piece);
    channel.gauge.tried(piece.size(), compressed ? compressed->size() : piece.size());
  }
  if (compressed) {
    append_frame(out, FrameType::data, channel.id, *compressed, kFlagCompressed);
  } else {
    append_frame(out, FrameType::data, channel.id, piece);
  }
  channel.may_send -= static_cast<std::uint32_t>(piece.size());
  channel.queue.pop(piece.size());
}

}  // namespace periplex::link
