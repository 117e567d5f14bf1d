// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <system_error>

#include "vfio_user/protocol.hpp"

namespace periplex::vfio_user {

inline constexpr std::uint16_t kMajorVersion = 0;
inline constexpr std::uint16_t kMinorVersion = 0;

/// What a peer says about itself in VFIO_USER_VERSION; absent members have the document's default values.
struct Capabilities {
  std::uint64_t max_msg_fds = 1;
  std::uint64_t max_data_xfer_size = 1 << 20;
};

/// One side's proposal or answer: the version, and what it can do.
struct Proposal {
  Version version;
  Capabilities capabilities;
};

/// Reads a VERSION payload. Its JSON text is optional; if there is some it must be an object, and the members we know
/// must have the right types.
[[nodiscard]] std::expected<Proposal, std::errc> parse_proposal(ByteView payload);

/// The server's answer to a proposal that came in a payload of `request_size` bytes: the same major version, a minor
/// one that both know, and as much of our capabilities as fits. `not_supported` if the major version is not ours.
///
/// QEMU 11 receives the reply into the buffer of its request, so the reply is never longer than the request.
[[nodiscard]] std::expected<Bytes, std::errc> answer(const Proposal& proposal, std::size_t request_size);

/// A client's proposal with `json`, NUL-terminated, as payload.
[[nodiscard]] Bytes propose(Version version, std::string_view json);

}  // namespace periplex::vfio_user
