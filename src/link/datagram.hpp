// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "link/ids.hpp"

namespace periplex::link {

/// To which session, and to which connection of its real-time lane, datagrams belong (docs/protocol.md, "Datagrams").
struct Binding {
  SessionId session;
  Secret secret{};
  std::uint32_t way = 0;  ///< as WELCOME has numbered that connection; 0: there are no datagrams
};

/// What travels in a datagram, encrypted (docs/protocol.md, "Datagrams").
struct Datagram {
  /// With DTLS around it, no datagram is longer than 1,200 bytes: that much passes wherever QUIC does (RFC 9000 §14).
  static constexpr std::size_t kMaxSize = 1152;
  static constexpr std::size_t kPieceHeader = 24;
  static constexpr std::size_t kMaxContent = kMaxSize - kPieceHeader;

  enum class Type : std::uint8_t {
    piece = 1,   ///< bytes of a channel's stream, and how much of the other direction has come
    probe = 2,   ///< is there a way? `number` is any
    answer = 3,  ///< there is: the number of the probe, or of the binding
    bind = 4,    ///< agent: a probe that says whose datagrams these are
  };

  Type type = Type::piece;
  ChannelId channel;               ///< piece
  std::uint64_t offset = 0;        ///< piece: where `content` begins in the channel's stream
  std::uint64_t acknowledged = 0;  ///< piece: so many bytes of the other direction have come, by whatever way
  ByteView content;                ///< piece: may be empty
  std::uint64_t number = 0;        ///< all others
  Binding binding;                 ///< bind

  [[nodiscard]] Bytes bytes() const;
  /// Empty for what is none, or a later version's; such are lost, as the network loses them.
  [[nodiscard]] static std::optional<Datagram> parse(ByteView bytes);
};

}  // namespace periplex::link
