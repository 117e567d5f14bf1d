// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace periplex::host {

/// What an input device can be offered as.
enum class EvdevKind : std::uint8_t { keyboard, mouse, tablet };

[[nodiscard]] std::string_view name(EvdevKind kind);

/// An input device of this computer, as the kernel describes it in sysfs: nothing has been opened.
struct EvdevDescription {
  std::string node;  ///< "event3", below /dev/input
  EvdevKind kind = EvdevKind::keyboard;
  bool usb = false;  ///< it is an interface of a USB device
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  std::string name;
  std::string place;          ///< how it is connected ("isa0060/serio0/input0"); may be empty
  std::string serial_number;  ///< may be empty
};

/// Where the kernel describes input devices.
inline constexpr std::string_view kInputSysfs = "/sys/class/input";

/// Empty if there is no such node, or if it is neither a keyboard nor a pointer (a power button, a joystick, a camera's
/// shutter).
[[nodiscard]] std::optional<EvdevDescription> read_evdev_description(std::string_view node,
                                                                     const std::filesystem::path& sysfs = kInputSysfs);

/// All there are, in the order of their numbers.
[[nodiscard]] std::vector<EvdevDescription> list_evdev(const std::filesystem::path& sysfs = kInputSysfs);

/// The numbers of the bits in what the kernel writes below capabilities/: words of 64 bits in hexadecimal, the highest
/// first. What is no such text has none. Bits from `limit` on are left out.
[[nodiscard]] std::vector<std::uint16_t> parse_capabilities(std::string_view text, std::uint16_t limit);

}  // namespace periplex::host
