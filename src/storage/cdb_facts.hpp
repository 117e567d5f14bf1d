// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "storage/command.hpp"

/// What can be said of a command from its CDB alone, wherever it is carried out (SPC-4, SBC-3, MMC-6, SAT-3).
namespace periplex::storage {

/// The data stage that `cdb` asks for on a unit with blocks of `block_size` bytes; from the host it is exact, to the
/// host the most there can be. Empty: the command is not known here, or needs a block size that is not known.
[[nodiscard]] std::optional<DataStage> data_stage_of(const Cdb& cdb, std::uint32_t block_size);

/// Whether the command surely leaves medium, and the reading of it, as they are. What is not known, does not.
[[nodiscard]] bool leaves_medium_alone(const Cdb& cdb);

/// Whether unit attention conditions do not keep it from being carried out, and stay (SAM-5, "Unit attention
/// condition").
[[nodiscard]] bool ignores_attention(const Cdb& cdb);

/// Whether it is a READ (10), (12) or (16) that may be answered from what was read before: no FUA, no protection
/// information.
[[nodiscard]] bool is_plain_read(const Cdb& cdb);
/// Whether it is a WRITE (6), (10), (12) or (16) that need not be durable when it ends: no FUA.
[[nodiscard]] bool is_plain_write(const Cdb& cdb);

/// The READ (10) or, where that does not reach, READ (16) for `range`.
[[nodiscard]] Bytes read_cdb(usb::device::BlockRange range);

/// The length of a CDB by its operation code (SPC-4, "Operation code": group codes); 16 where that says nothing.
[[nodiscard]] std::size_t cdb_length(const Cdb& cdb);

}  // namespace periplex::storage
