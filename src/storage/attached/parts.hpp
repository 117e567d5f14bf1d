// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "attachment/messages.hpp"
#include "storage/messages.hpp"

/// Storage messages over an attachment (docs/attachment-protocol.md, "Storage commands").
namespace periplex::storage {

// The first byte of a message, out of the attachment's 0x40 to 0x5f.
inline constexpr std::byte kPart{0x40};      ///< of a storage message that goes on in the next one
inline constexpr std::byte kLastPart{0x41};  ///< the end of a storage message, or a whole one
inline constexpr std::byte kOpenDisk{0x42};  ///< from the worker: drive the disk for me; no fields
inline constexpr std::byte kNoDisk{0x43};    ///< from the agent: it cannot be driven, or not any more; the reason
static_assert(attachment::is_extension(kPart) && attachment::is_extension(kNoDisk));

/// Bytes of one part. A connection that is cut again and again so moves on by a part each time, where one that had to
/// carry a message of 32 MiB in one piece might never; and what is sent twice after a cut is little.
inline constexpr std::size_t kMaxPart = std::size_t{64} << 10;

}  // namespace periplex::storage
