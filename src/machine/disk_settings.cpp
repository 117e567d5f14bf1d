// SPDX-License-Identifier: Apache-2.0
#include "machine/disk_settings.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace periplex::machine {
namespace {

constexpr std::uint64_t kKibi = 1024;

std::unexpected<SpecificationError> wrong(std::string text, std::string advice) {
  return std::unexpected(SpecificationError{std::move(text), std::move(advice)});
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "off";
  if (bytes % (kKibi * kKibi) == 0) return fmt::format("{}M", bytes / kKibi / kKibi);
  if (bytes % kKibi == 0) return fmt::format("{}K", bytes / kKibi);
  return fmt::format("{}", bytes);
}

/// Bytes, or KiB or MiB with K or M behind the number.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t unit = 1;
  if (text.ends_with('K')) unit = kKibi;
  if (text.ends_with('M')) unit = kKibi * kKibi;
  if (unit != 1) text.remove_suffix(1);
  const auto number = parse_number(text);
  if (!number || *number > DiskSettings::kMost / unit) return std::nullopt;
  return *number * unit;
}

std::expected<void, SpecificationError> apply_size(std::optional<std::uint64_t>& into, const Setting& setting,
                                                   std::uint64_t when_on) {
  if (const auto flag = parse_bool(setting.value)) {
    into = *flag ? when_on : 0;
    return {};
  }
  const auto size = parse_size(setting.value);
  if (!size || (*size != 0 && *size < DiskSettings::kLeast)) {
    return wrong(fmt::format("{}={} is neither on, off nor a size that it can have", setting.key, setting.value),
                 fmt::format("write {0}=off, {0}=on (which is {1}), or how much it may hold: {2} to {3}", setting.key,
                             size_text(when_on), size_text(DiskSettings::kLeast), size_text(DiskSettings::kMost)));
  }
  into = *size;
  return {};
}

}  // namespace

DiskSettings DiskSettings::or_else(const DiskSettings& other) const {
  DiskSettings both{.terminate = terminate ? terminate : other.terminate, .read_ahead = {}, .write_cache = {}};
  if (!both.terminate.value_or(true)) return both;
  both.read_ahead = read_ahead ? read_ahead : other.read_ahead;
  both.write_cache = write_cache ? write_cache : other.write_cache;
  return both;
}

std::optional<std::expected<void, SpecificationError>> apply(DiskSettings& disk, const Setting& setting) {
  if (setting.key == "read-ahead") return apply_size(disk.read_ahead, setting, DiskSettings::kReadAhead);
  if (setting.key == "write-cache") return apply_size(disk.write_cache, setting, DiskSettings::kWriteCache);
  if (setting.key != "terminate") return std::nullopt;
  disk.terminate = parse_bool(setting.value);
  if (disk.terminate) return std::expected<void, SpecificationError>();
  return wrong(fmt::format("terminate={} is neither true nor false", setting.value),
               "write terminate=true, or terminate=false to have the disk tunnelled");
}

std::expected<void, SpecificationError> check(const DiskSettings& disk) {
  if (disk.terminate.value_or(true) || (disk.read_ahead.value_or(0) == 0 && disk.write_cache.value_or(0) == 0)) {
    return {};
  }
  return wrong("a disk that is tunnelled has neither read-ahead nor a write cache",
               "leave terminate=false out, or read-ahead and write-cache");
}

std::vector<Setting> settings(const DiskSettings& disk) {
  std::vector<Setting> list;
  if (disk.terminate) list.push_back({"terminate", *disk.terminate ? "true" : "false"});
  if (disk.read_ahead) list.push_back({"read-ahead", size_text(*disk.read_ahead)});
  if (disk.write_cache) list.push_back({"write-cache", size_text(*disk.write_cache)});
  return list;
}

std::expected<DiskSettings, SpecificationError> describe_disks(std::span<const Setting> settings) {
  DiskSettings disk;
  for (auto setting = settings.begin(); setting != settings.end(); ++setting) {
    if (std::ranges::count(settings.begin(), setting, setting->key, &Setting::key) != 0) {
      return wrong(fmt::format("\"{}\" is given twice", setting->key), "give every setting once");
    }
    const auto applied = apply(disk, *setting);
    if (!applied) {
      return wrong(fmt::format("disks at seats have no setting \"{}\"", setting->key),
                   "their settings are terminate, read-ahead and write-cache");
    }
    if (!*applied) return std::unexpected(applied->error());
  }
  if (const auto good = check(disk); !good) return std::unexpected(good.error());
  return disk;
}

std::expected<DiskSettings, SpecificationError> parse_disk_settings(std::string_view text) {
  const auto specification = split_specification(fmt::format("disks,{}", text), "read-ahead=32M,write-cache=on");
  if (!specification) return std::unexpected(specification.error());
  return describe_disks(specification->settings);
}

std::string format_disk_settings(const DiskSettings& disk) {
  std::string text;
  for (const Setting& setting : settings(disk)) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", setting.key, setting.value);
  }
  return text;
}

}  // namespace periplex::machine
