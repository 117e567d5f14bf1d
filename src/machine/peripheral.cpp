// SPDX-License-Identifier: Apache-2.0
#include "machine/peripheral.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace periplex::machine {
namespace {

constexpr std::size_t kLongestId = 63;
constexpr std::size_t kMostBadRanges = 64;
constexpr std::uint64_t kLastSector = (std::uint64_t{1} << 48) - 1;
constexpr std::array kNames = {"storage", "keyboard", "tablet", "mouse"};  // in the order of Description::options

std::unexpected<SpecificationError> wrong(std::string text, std::string advice) {
  return std::unexpected(SpecificationError{std::move(text), std::move(advice)});
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes") return true;
  if (text == "false" || text == "off" || text == "no") return false;
  return std::nullopt;
}

std::optional<usb::Speed> parse_speed(std::string_view text) {
  for (const usb::Speed speed : {usb::Speed::full, usb::Speed::high, usb::Speed::super}) {
    if (text == usb::name(speed)) return speed;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::vector<SectorRange>> parse_ranges(std::string_view text) {
  std::vector<SectorRange> ranges;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('+'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t dash = one.find('-');
    const auto first = parse_number(one.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(one.substr(dash + 1));
    if (!first || !last || *last < *first || *last > kLastSector || ranges.size() == kMostBadRanges)
      return std::nullopt;
    ranges.push_back({*first, *last});
  }
  return ranges;
}

std::string format_ranges(const std::vector<SectorRange>& ranges) {
  std::string text;
  for (const SectorRange& range : ranges) {
    if (!text.empty()) text += '+';
    text += range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
  }
  return text;
}

using Applied = std::expected<void, SpecificationError>;

Applied apply_flag(bool& flag, const Setting& setting) {
  const auto value = parse_bool(setting.value);
  if (!value) {
    return wrong(fmt::format("{}={} is neither true nor false", setting.key, setting.value),
                 fmt::format("write {}=true or {}=false", setting.key, setting.key));
  }
  flag = *value;
  return {};
}

/// Settings that every kind has. Empty: `setting` is not one of them.
std::optional<Applied> apply_common(Description& description, const Setting& setting) {
  if (setting.key == "id") {
    if (!is_valid_id(setting.value)) {
      return wrong(fmt::format("\"{}\" cannot be an id", setting.value),
                   "use up to 63 letters, digits, dots, dashes and underscores, with a letter or digit first");
    }
    description.id = setting.value;
    return Applied{};
  }
  if (setting.key == "speed") {
    const auto speed = parse_speed(setting.value);
    if (!speed) return wrong(fmt::format("there is no speed \"{}\"", setting.value), "use full, high or super");
    description.speed = *speed;
    return Applied{};
  }
  return std::nullopt;
}

Applied apply_storage(Storage& storage, const Setting& setting) {
  if (setting.key == "image") {
    storage.image = setting.value;
    return {};
  }
  if (setting.key == "readonly") return apply_flag(storage.readonly, setting);
  if (setting.key == "removable") return apply_flag(storage.removable, setting);
  if (setting.key == "bad-sectors") {
    auto ranges = parse_ranges(setting.value);
    if (!ranges) {
      return wrong(fmt::format("bad-sectors={} is not a list of sectors", setting.value),
                   "write numbers and ranges of 512-byte sectors with + between them, as in 100+2048-2055");
    }
    storage.bad_sectors = std::move(*ranges);
    return {};
  }
  return wrong(fmt::format("storage has no setting \"{}\"", setting.key),
               "its settings are image, id, readonly, removable, speed and bad-sectors");
}

std::optional<Description> with_defaults(std::string_view kind) {
  if (kind == "storage") return Description{.id = {}, .speed = usb::Speed::super, .options = Storage{}};
  if (kind == "keyboard") return Description{.id = {}, .speed = usb::Speed::full, .options = Keyboard{}};
  if (kind == "tablet") return Description{.id = {}, .speed = usb::Speed::full, .options = Tablet{}};
  if (kind == "mouse") return Description{.id = {}, .speed = usb::Speed::full, .options = Mouse{}};
  return std::nullopt;
}

}  // namespace

std::string_view Description::kind() const {
  return kNames[options.index()];
}

std::expected<Description, SpecificationError> describe(std::string_view kind, std::span<const Setting> settings) {
  auto description = with_defaults(kind);
  if (!description) {
    return wrong(fmt::format("there is no peripheral of kind \"{}\"", kind),
                 "use storage, keyboard, tablet or mouse, for example: storage,id=disk,image=disk.img");
  }
  for (auto setting = settings.begin(); setting != settings.end(); ++setting) {
    if (std::ranges::count(settings.begin(), setting, setting->key, &Setting::key) != 0) {
      return wrong(fmt::format("\"{}\" is given twice", setting->key), "give every setting once");
    }
    Applied applied;
    if (auto common = apply_common(*description, *setting)) {
      applied = std::move(*common);
    } else if (auto* storage = std::get_if<Storage>(&description->options)) {
      applied = apply_storage(*storage, *setting);
    } else {
      applied = wrong(fmt::format("{} has no setting \"{}\"", kind, setting->key), "its settings are id and speed");
    }
    if (!applied) return std::unexpected(std::move(applied.error()));
  }
  return std::move(*description);
}

std::expected<Description, SpecificationError> parse_specification(std::string_view text) {
  // QEMU's rule for its own options: ",," is a comma inside a value.
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      parts.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += ',';
      ++i;
    } else {
      parts.emplace_back();
    }
  }
  std::vector<Setting> list;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return wrong(fmt::format("\"{}\" is not KEY=VALUE", parts[i]),
                   "write a specification like storage,id=disk,image=disk.img (a comma in a value is written twice)");
    }
    list.push_back({parts[i].substr(0, equals), parts[i].substr(equals + 1)});
  }
  auto description = describe(parts.front(), list);
  if (description && description->storage() != nullptr && description->storage()->image.empty()) {
    return wrong("the disk has no image", "add image=PATH; `truncate -s 1G disk.img` makes an empty one");
  }
  return description;
}

std::vector<Setting> settings(const Description& description) {
  std::vector<Setting> list;
  if (!description.id.empty()) list.push_back({"id", description.id});
  list.push_back({"speed", std::string(usb::name(description.speed))});
  if (const Storage* storage = description.storage()) {
    if (!storage->image.empty()) list.push_back({"image", storage->image});
    list.push_back({"readonly", storage->readonly ? "true" : "false"});
    list.push_back({"removable", storage->removable ? "true" : "false"});
    if (!storage->bad_sectors.empty()) list.push_back({"bad-sectors", format_ranges(storage->bad_sectors)});
  }
  return list;
}

bool is_valid_id(std::string_view id) {
  // No locale: these are ids, not text.
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !id.empty() && id.size() <= kLongestId && alphanumeric(id.front()) &&
         std::ranges::all_of(id, [&](char c) { return alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

}  // namespace periplex::machine
