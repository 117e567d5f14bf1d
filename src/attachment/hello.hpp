// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "attachment/instance_id.hpp"
#include "base/bytes.hpp"

namespace periplex::attachment {

/// Versions of the protocol that this release speaks.
inline constexpr std::uint16_t kLowestVersion = 1;
inline constexpr std::uint16_t kHighestVersion = 1;

/// Bits of `Hello::capabilities`. What only one side can is not used.
inline constexpr std::uint32_t kCapabilityTransfers = 1u << 0;        ///< messages 0x01 to 0x3f
inline constexpr std::uint32_t kCapabilityStorageCommands = 1u << 1;  ///< messages 0x40 to 0x5f

/// The first frame of each side on each connection (docs/attachment-protocol.md, "HELLO").
struct Hello {
  static constexpr std::size_t kSize = 56;
  /// Later versions may append; this much is read over.
  static constexpr std::size_t kMaxSize = 256;

  std::uint16_t lowest_version = kLowestVersion;
  std::uint16_t highest_version = kHighestVersion;
  std::uint32_t capabilities = 0;
  InstanceId own = kNoInstance;       ///< of the side that sends
  InstanceId expected = kNoInstance;  ///< whom it knows; none: it has no session yet
  std::uint64_t received = 0;         ///< the number of the last message that it has got from that instance

  [[nodiscard]] Bytes encode() const;
  /// The body of the frame; nothing if it is no HELLO of ours.
  [[nodiscard]] static std::optional<Hello> parse(ByteView body);
};

/// The highest version that both speak.
[[nodiscard]] std::optional<std::uint16_t> common_version(const Hello& one, const Hello& other);

}  // namespace periplex::attachment
