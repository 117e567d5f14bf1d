// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/specification.hpp"
#include "usb/device/preset_device.hpp"

namespace periplex::machine {

/// What an administrator has settled about a peripheral, once, for whatever guest it goes to (row B10).
struct Preset {
  std::string peripheral;  ///< a pattern of SEAT/ID for peripherals at seats, of their ids for others
  bool readonly = false;   ///< disks: nothing is written, whatever the guest does
  usb::device::DevicePreset device;
  friend bool operator==(const Preset&, const Preset&) = default;
};

/// The first that fits counts.
class Presets {
 public:
  explicit Presets(std::vector<Preset> list = {}) : list_(std::move(list)) {}
  /// Null: nothing is settled about it.
  [[nodiscard]] const Preset* find(std::string_view peripheral) const;

 private:
  std::vector<Preset> list_;
};

[[nodiscard]] std::expected<Preset, SpecificationError> describe_preset(std::string_view peripheral,
                                                                        std::span<const Setting> settings);
/// PERIPHERAL[,KEY=VALUE]...
[[nodiscard]] std::expected<Preset, SpecificationError> parse_preset(std::string_view text);

}  // namespace periplex::machine
