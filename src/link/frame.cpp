// SPDX-License-Identifier: Apache-2.0
#include "link/frame.hpp"

#include "base/check.hpp"

namespace periplex::link {

FrameHeader FrameHeader::parse(ByteView bytes) {
  ByteReader reader(bytes);
  FrameHeader header;
  header.type = FrameType(reader.u8());
  header.flags = reader.u8();
  header.length = reader.le16();
  header.channel = ChannelId(reader.le32());
  return header;
}

void FrameHeader::write(ByteWriter& to) const {
  to.u8(static_cast<std::uint8_t>(type)).u8(flags).le16(length).le32(channel.value);
}

void append_frame(ByteWriter& to, FrameType type, ChannelId channel, ByteView payload, std::uint8_t flags) {
  PERIPLEX_CHECK(payload.size() <= kMaxPayload);
  FrameHeader{.type = type, .flags = flags, .length = static_cast<std::uint16_t>(payload.size()), .channel = channel}
      .write(to);
  to.bytes(payload);
}

Bytes make_frame(FrameType type, ChannelId channel, ByteView payload, std::uint8_t flags) {
  ByteWriter writer;
  append_frame(writer, type, channel, payload, flags);
  return writer.take();
}

void FrameReader::feed(ByteView bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::expected<std::optional<Frame>, Reason> FrameReader::next() {
  const ByteView unread = rest();
  if (unread.size() < FrameHeader::kSize) return std::nullopt;
  const FrameHeader header = FrameHeader::parse(unread);
  if (header.length > kMaxPayload) return std::unexpected(Reason::frame_too_long);
  if (unread.size() < FrameHeader::kSize + header.length) return std::nullopt;
  read_ += FrameHeader::kSize + header.length;
  return Frame{header, unread.subspan(FrameHeader::kSize, header.length)};
}

}  // namespace periplex::link
