// SPDX-License-Identifier: Apache-2.0
#include "machine/presets.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "base/pattern.hpp"

namespace periplex::machine {
namespace {

constexpr std::size_t kLongestPattern = 128;
/// A string descriptor has 255 bytes: two, and 126 UTF-16 units (USB 2.0 table 9-16). UTF-8 needs no fewer bytes.
constexpr std::size_t kLongestString = 126;
constexpr std::uint64_t kLongestInterval = 255;  // ms
constexpr std::string_view kAdvice =
    "its settings are readonly, vendor, product, manufacturer, name, serial and interval-ms";

using Applied = std::expected<void, SpecificationError>;

std::unexpected<SpecificationError> wrong(const Setting& setting, std::string_view what, std::string_view advice) {
  return std::unexpected(
      SpecificationError{fmt::format("{}={} is {}", setting.key, setting.value, what), std::string(advice)});
}

Applied apply_id(std::optional<std::uint16_t>& id, const Setting& setting) {
  const bool hexadecimal = setting.value.starts_with("0x");
  const std::string_view digits = std::string_view(setting.value).substr(hexadecimal ? 2 : 0);
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return wrong(setting, "no id", "write it like 0x046d, or as a decimal number");
  }
  id = value;
  return {};
}

Applied apply_string(std::string& text, const Setting& setting) {
  const bool plain = std::ranges::none_of(setting.value, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (setting.value.empty() || setting.value.size() > kLongestString || !plain) {
    return wrong(setting, "no text for a device", "use 1 to 126 bytes of UTF-8 without control characters");
  }
  text = setting.value;
  return {};
}

Applied apply_interval(std::optional<Nanoseconds>& interval, const Setting& setting) {
  const auto value = parse_number(setting.value);
  if (!value || *value == 0 || *value > kLongestInterval) {
    return wrong(setting, "no interval", fmt::format("use 1 to {} ms", kLongestInterval));
  }
  interval = std::chrono::milliseconds(*value);
  return {};
}

Applied apply(Preset& preset, const Setting& setting) {
  if (setting.key == "vendor") return apply_id(preset.device.vendor, setting);
  if (setting.key == "product") return apply_id(preset.device.product, setting);
  if (setting.key == "manufacturer") return apply_string(preset.device.manufacturer, setting);
  if (setting.key == "name") return apply_string(preset.device.product_name, setting);
  if (setting.key == "serial") return apply_string(preset.device.serial_number, setting);
  if (setting.key == "interval-ms") return apply_interval(preset.device.interval, setting);
  if (setting.key != "readonly") return wrong(setting, "nothing that can be set", kAdvice);
  if (setting.value != "true" && setting.value != "false") {
    return wrong(setting, "neither true nor false", "write readonly=true or readonly=false");
  }
  preset.readonly = setting.value == "true";
  return {};
}

}  // namespace

const Preset* Presets::find(std::string_view peripheral) const {
  const auto found = std::ranges::find_if(list_, [&](const Preset& one) { return fits(one.peripheral, peripheral); });
  return found == list_.end() ? nullptr : &*found;
}

std::expected<Preset, SpecificationError> describe_preset(std::string_view peripheral,
                                                          std::span<const Setting> settings) {
  if (peripheral.empty() || peripheral.size() > kLongestPattern) {
    return std::unexpected(SpecificationError{fmt::format("\"{}\" names no peripheral", peripheral),
                                              "name one as SEAT/ID or by its id; * and ? stand for others"});
  }
  Preset preset{.peripheral = std::string(peripheral)};
  for (const Setting& setting : settings) {
    if (auto applied = apply(preset, setting); !applied) return std::unexpected(std::move(applied.error()));
  }
  return preset;
}

std::expected<Preset, SpecificationError> parse_preset(std::string_view text) {
  const auto specification = split_specification(text, "desk-7/usb:1-2,readonly=true");
  if (!specification) return std::unexpected(specification.error());
  return describe_preset(specification->kind, specification->settings);
}

}  // namespace periplex::machine
