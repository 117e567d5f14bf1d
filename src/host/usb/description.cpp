// SPDX-License-Identifier: Apache-2.0
#include "host/usb/description.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fstream>
#include <optional>

namespace periplex::host {
namespace {

namespace fs = std::filesystem;

/// A device has at most 255 configurations of 64 KiB; real ones have some hundred bytes altogether.
constexpr std::size_t kMostDescriptors = std::size_t{1} << 18;
constexpr std::size_t kMostText = 1024;

std::optional<std::string> read_file(const fs::path& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string content(most, '\0');
  file.read(content.data(), static_cast<std::streamsize>(most));
  if (file.bad()) return std::nullopt;
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

/// One line without its end; empty where there is none.
std::string read_text(const fs::path& path) {
  std::string text = read_file(path, kMostText).value_or("");
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::optional<std::uint8_t> read_number(const fs::path& path) {
  const std::string text = read_text(path);
  std::uint8_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The kernel tells Mbit/s.
usb::Speed speed_of(std::string_view text) {
  if (text == "1.5") return usb::Speed::low;
  if (text == "12") return usb::Speed::full;
  if (text == "480") return usb::Speed::high;
  if (text == "5000") return usb::Speed::super;
  if (text == "10000" || text == "20000") return usb::Speed::super_plus;
  return usb::Speed::full;
}

/// Those of its interfaces, whose directories are named "1-2.3:1.0".
std::vector<std::string> drivers_of(std::string_view port, const fs::path& directory) {
  std::vector<std::string> drivers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!entry.path().filename().string().starts_with(fmt::format("{}:", port))) continue;
    const fs::path driver = fs::read_symlink(entry.path() / "driver", error);
    const std::string name = error ? "" : driver.filename().string();
    if (!name.empty() && std::ranges::find(drivers, name) == drivers.end()) drivers.push_back(name);
  }
  std::ranges::sort(drivers);
  return drivers;
}

}  // namespace

std::string port_name(std::uint8_t bus, std::span<const std::uint8_t> ports) {
  if (ports.empty()) return fmt::format("usb{}", bus);
  return fmt::format("{}-{}", bus, fmt::join(ports, "."));
}

std::expected<UsbDescription, UsbDescriptionError> read_description(std::string_view port, const fs::path& sysfs) {
  const fs::path directory = sysfs / port;
  const auto bus = read_number(directory / "busnum");
  const auto address = read_number(directory / "devnum");
  const auto file = read_file(directory / "descriptors", kMostDescriptors);
  if (!bus || !address || !file) return std::unexpected(UsbDescriptionError::gone);
  auto descriptors = parse_descriptor_file(as_bytes(*file));
  if (!descriptors) return std::unexpected(UsbDescriptionError::unreadable);
  return UsbDescription{
      .location = {.bus = *bus, .address = *address},
      .port = std::string(port),
      .speed = speed_of(read_text(directory / "speed")),
      .descriptors = std::move(*descriptors),
      .active_configuration = read_number(directory / "bConfigurationValue").value_or(0),
      .manufacturer = read_text(directory / "manufacturer"),
      .product = read_text(directory / "product"),
      .serial_number = read_text(directory / "serial"),
      .drivers = drivers_of(port, directory),
  };
}

}  // namespace periplex::host
