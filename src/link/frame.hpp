// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "base/bytes.hpp"
#include "link/ids.hpp"
#include "link/reason.hpp"

/// What a lane's byte stream is cut into (docs/protocol.md, "Frames").
namespace periplex::link {

enum class FrameType : std::uint8_t {
  hello = 0x01,     ///< agent: who dials, and for what; the first frame of every connection
  welcome = 0x02,   ///< gate: the answer to HELLO
  refuse = 0x03,    ///< gate: the other answer to HELLO
  end = 0x04,       ///< the session is over
  ping = 0x05,      ///< are you there?
  pong = 0x06,      ///< yes
  sync = 0x07,      ///< everything there was to state on this lane has been stated
  offer = 0x10,     ///< agent: there is a peripheral
  withdraw = 0x11,  ///< agent: it is gone
  open = 0x12,      ///< gate: a channel to a peripheral begins, or begins again
  close = 0x13,     ///< a channel is over
  data = 0x14,      ///< a piece of a channel's byte stream
  credit = 0x15,    ///< more bytes of a channel may be sent
  // Of the enrolment protocol only (enrolment.hpp).
  enrol = 0x20,     ///< agent: the token's secret, and a signing request
  enrolled = 0x21,  ///< gate: the certificate
};
/// Types from here on may be ignored by who does not know them; all others end the session.
inline constexpr std::uint8_t kFirstOptionalType = 0x80;

/// Flags of a header. The lower four must be understood, the upper four may be ignored.
inline constexpr std::uint8_t kFlagCompressed = 0x01;  ///< DATA: the payload is compressed
inline constexpr std::uint8_t kMandatoryFlags = 0x0f;

/// A piece of a channel's stream is no longer than this, so that nothing urgent waits behind more.
inline constexpr std::size_t kMaxPiece = 16 * 1024;
/// No frame's payload is longer.
inline constexpr std::size_t kMaxPayload = kMaxPiece + 512;

/// The eight bytes before every payload.
struct FrameHeader {
  static constexpr std::size_t kSize = 8;

  FrameType type{};
  std::uint8_t flags = 0;
  std::uint16_t length = 0;  ///< of the payload
  ChannelId channel;         ///< 0 where the frame is about the session

  [[nodiscard]] static FrameHeader parse(ByteView bytes);
  void write(ByteWriter& to) const;
};

struct Frame {
  FrameHeader header;
  ByteView payload;
};

/// Appends a frame; `payload` is at most kMaxPayload bytes.
void append_frame(ByteWriter& to, FrameType type, ChannelId channel, ByteView payload, std::uint8_t flags = 0);
[[nodiscard]] Bytes make_frame(FrameType type, ChannelId channel, ByteView payload, std::uint8_t flags = 0);

/// Cuts a byte stream into frames. It holds what it was fed until that has been read, and at most one frame more.
class FrameReader {
 public:
  void feed(ByteView bytes);
  /// The next frame, valid until the next call; empty if its end is not there yet. After an error there is nothing
  /// more to be had.
  [[nodiscard]] std::expected<std::optional<Frame>, Reason> next();
  /// What was fed and not read.
  [[nodiscard]] ByteView rest() const { return ByteView(buffer_).subspan(read_); }

 private:
  Bytes buffer_;
  std::size_t read_ = 0;
};

}  // namespace periplex::link
