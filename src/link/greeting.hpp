// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "link/ids.hpp"
#include "link/reason.hpp"

/// The first frame in each direction of every connection (docs/protocol.md, "Greeting").
///
/// Their layout is the same in all versions; what a later version adds stands behind it.
namespace periplex::link {

/// "PPXL", as a little-endian number.
inline constexpr std::uint32_t kMagic = 0x4c585050;
inline constexpr std::uint16_t kVersion = 1;

/// Capability bits. Those that an end does not know mean nothing to it.
inline constexpr std::uint32_t kCapabilityZstd = 1U << 0;       ///< DATA may be compressed
inline constexpr std::uint32_t kCapabilityDatagrams = 1U << 1;  ///< datagrams may repeat urgent streams
inline constexpr std::uint32_t kCapabilities = kCapabilityZstd | kCapabilityDatagrams;

/// How much of a channel's stream an end lets the other have on the way.
struct Windows {
  static constexpr std::uint32_t kMin = 16 * 1024;
  static constexpr std::uint32_t kMax = 16 * 1024 * 1024;

  std::uint32_t urgent = 256 * 1024;  ///< real-time and interactive channels
  std::uint32_t bulk = 4 * 1024 * 1024;

  [[nodiscard]] std::uint32_t of(Priority priority) const { return priority == Priority::bulk ? bulk : urgent; }
  [[nodiscard]] bool valid() const { return urgent >= kMin && urgent <= kMax && bulk >= kMin && bulk <= kMax; }
};

/// What a new connection is for.
enum class Purpose : std::uint8_t {
  begin = 0,   ///< a new session
  join = 1,    ///< a further lane of a session, or one instead of a lane that was lost
  resume = 2,  ///< the agent has lost all lanes: whatever the gate still holds of them is dead
};

struct Hello {
  std::uint16_t min_version = kVersion;
  std::uint16_t max_version = kVersion;
  std::uint32_t capabilities = kCapabilities;
  std::uint32_t required = 0;  ///< of the capabilities, those without which the agent cannot work
  Lane lane = Lane::realtime;
  Purpose purpose = Purpose::begin;
  std::uint8_t lanes = kLanes;  ///< 1: this agent makes one connection only
  Windows windows;
  SessionId session;  ///< 0 for a new one
  Secret secret{};    ///< likewise
  std::string name;   ///< of the agent, for people

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Hello, Reason> parse(ByteView payload);
};

struct Welcome {
  std::uint16_t version = kVersion;
  Lane lane = Lane::realtime;
  std::uint8_t lanes = kLanes;
  std::uint32_t capabilities = 0;  ///< what both ends have
  Windows windows;
  std::chrono::milliseconds ping_interval{};
  std::chrono::milliseconds hold{};  ///< for how long the session outlives its connections
  SessionId session;
  Secret secret{};
  std::string name;       ///< of the gate, for people
  std::uint32_t way = 0;  ///< on the real-time lane: the number of this connection, for datagrams; 0: none are taken

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Welcome, Reason> parse(ByteView payload);
};

/// What one end is, and what it offers in its greeting.
struct Settings {
  std::string name;
  std::uint16_t min_version = kVersion;
  std::uint16_t max_version = kVersion;
  std::uint32_t capabilities = kCapabilities;
  std::uint32_t required = 0;
  std::uint8_t lanes = kLanes;  ///< 1: one connection carries everything
  Windows windows{};
  std::chrono::milliseconds ping_interval{500};  ///< the gate's counts
  std::chrono::milliseconds hold{60'000};        ///< the gate's counts
};

/// The version and the capabilities that a session with who sent `hello` has.
struct Agreement {
  std::uint16_t version = 0;
  std::uint32_t capabilities = 0;
  std::uint8_t lanes = 0;
};
[[nodiscard]] std::expected<Agreement, Reason> negotiate(const Hello& hello, const Settings& own);

/// Compares in a time that does not depend on where the difference is.
[[nodiscard]] bool same_secret(const Secret& one, const Secret& other);

}  // namespace periplex::link
