// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>

#include "base/bytes.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/sense.hpp"

/// Mode parameters (SPC-4 and SBC-3, "Mode parameters").
namespace periplex::usb::device {

/// The one parameter a host can change: whether a write may complete before it is durable (Caching page, WCE).
struct ModeParameters {
  bool write_cache = true;
};

/// What the header and the block descriptor say about the medium.
struct ModeFacts {
  bool write_protected = false;
  std::uint64_t blocks = 0;  ///< zero without a medium
  std::uint32_t block_size = 512;
};

/// The answer to MODE SENSE(6) or (10), not yet cut to the allocation length.
[[nodiscard]] std::expected<Bytes, Sense> mode_sense(const Cdb& cdb, const ModeParameters& current,
                                                     const ModeFacts& facts);

/// What the parameter list of a MODE SELECT(6) or (10) makes of `current`. All or nothing: a list with one value that
/// cannot be changed changes nothing (SPC-4, MODE SELECT).
[[nodiscard]] std::expected<ModeParameters, Sense> mode_select(const Cdb& cdb, ByteView list,
                                                               const ModeParameters& current);

}  // namespace periplex::usb::device
