// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "apps/open_error.hpp"
#include "loop/unique_fd.hpp"
#include "machine/operations.hpp"

/// Files are opened and connections are made by the programs, and only here; the machine gets open descriptors.
namespace periplex::apps {

/// All that `description` stands on, in the order in which the machine takes it; paths in it become absolute.
[[nodiscard]] std::expected<machine::Files, OpenError> open_files(machine::Description& description);
/// What somebody who uses such a peripheral should know, in one line.
[[nodiscard]] std::optional<std::string> open_warning(const machine::Description& description);

/// A disk image or block device, for reading and, unless `readonly`, writing.
[[nodiscard]] std::expected<UniqueFd, OpenError> open_image(const std::string& path, bool readonly);
/// A file to write a capture to: made if absent, else emptied. Opening a FIFO waits for its reader.
[[nodiscard]] std::expected<UniqueFd, OpenError> open_capture(const std::string& path);

}  // namespace periplex::apps
