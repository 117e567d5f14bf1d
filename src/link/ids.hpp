// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/strong_id.hpp"

/// What the two ends of a session call things. docs/protocol.md describes the protocol byte by byte.
namespace periplex::link {

/// The TCP port that agents and devices dial.
inline constexpr std::uint16_t kDefaultPort = 24817;

/// One of the two connections of a session. The numbers are the protocol's.
enum class Lane : std::uint8_t {
  realtime = 0,  ///< what a person feels, and everything about the session itself
  bulk = 1,
};
inline constexpr std::size_t kLanes = 2;
inline constexpr std::array kEachLane{Lane::realtime, Lane::bulk};

[[nodiscard]] constexpr std::size_t index(Lane lane) {
  return static_cast<std::size_t>(lane);
}
[[nodiscard]] constexpr Lane other(Lane lane) {
  return lane == Lane::realtime ? Lane::bulk : Lane::realtime;
}

/// How urgent a channel's bytes are. The numbers are the protocol's.
enum class Priority : std::uint8_t { realtime = 0, interactive = 1, bulk = 2 };
inline constexpr std::size_t kPriorities = 3;

[[nodiscard]] constexpr std::size_t index(Priority priority) {
  return static_cast<std::size_t>(priority);
}

/// A channel's number: chosen by the gate, never used again within its session. 0 is the session itself.
using ChannelId = StrongId<struct ChannelTag, std::uint32_t>;
/// A session's number: what it is looked up by. It is no secret.
using SessionId = StrongId<struct SessionTag, std::uint64_t>;
/// Who knows it may add a connection to a session, or resume it.
using Secret = std::array<std::byte, 32>;

}  // namespace periplex::link
