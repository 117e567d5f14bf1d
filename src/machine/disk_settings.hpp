// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/specification.hpp"

namespace periplex::machine {

/// How a disk at a seat is brought to the guest (docs/guide/remote-disks.md). What is empty nobody has said.
struct DiskSettings {
  /// What may be given to `read_ahead` and `write_cache`, in bytes, beside 0.
  static constexpr std::uint64_t kLeast = std::uint64_t{64} << 10;
  static constexpr std::uint64_t kMost = std::uint64_t{64} << 20;
  /// What "on" means.
  static constexpr std::uint64_t kReadAhead = std::uint64_t{16} << 20;
  static constexpr std::uint64_t kWriteCache = std::uint64_t{8} << 20;

  std::optional<bool> terminate;             ///< false: tunnelled, as any other peripheral is
  std::optional<std::uint64_t> read_ahead;   ///< bytes at most; 0: none
  std::optional<std::uint64_t> write_cache;  ///< bytes at most; 0: none

  /// The same, with what is empty here taken from `other`; if the disk is tunnelled then, that alone.
  [[nodiscard]] DiskSettings or_else(const DiskSettings& other) const;
  friend bool operator==(const DiskSettings&, const DiskSettings&) = default;
};

inline constexpr DiskSettings kDefaultDiskSettings = {
    .terminate = true, .read_ahead = DiskSettings::kReadAhead, .write_cache = 0};

/// Takes "terminate", "read-ahead" or "write-cache". Empty: `setting` is none of these.
[[nodiscard]] std::optional<std::expected<void, SpecificationError>> apply(DiskSettings& disk, const Setting& setting);
/// Whether they go together.
[[nodiscard]] std::expected<void, SpecificationError> check(const DiskSettings& disk);
/// Those that are not empty; `apply` of them gives them back.
[[nodiscard]] std::vector<Setting> settings(const DiskSettings& disk);

/// Takes a whole list of them, and nothing else.
[[nodiscard]] std::expected<DiskSettings, SpecificationError> describe_disks(std::span<const Setting> settings);
/// Reads `KEY=VALUE[,KEY=VALUE]...`, as on a command line; `format_disk_settings` gives that back.
[[nodiscard]] std::expected<DiskSettings, SpecificationError> parse_disk_settings(std::string_view text);
[[nodiscard]] std::string format_disk_settings(const DiskSettings& disk);

}  // namespace periplex::machine
