// SPDX-License-Identifier: Apache-2.0
#include "control/arguments.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

namespace periplex::control {
namespace {

constexpr std::array kMonitors = {Monitor::qemu, Monitor::libvirt, Monitor::cloud_hypervisor};

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

using Controllers = std::vector<machine::ControllerView>;

/// Where a function that shares its slot with others stands.
struct PciPlace {
  unsigned slot = 0;
  unsigned function = 0;
};

/// The slot of an ICH9's second EHCI and its companions, and those below it: neither QEMU's `pc` nor its `q35` puts
/// anything there by itself, not even with `-usb` (whose EHCI is in slot 1dh).
constexpr unsigned kFirstSharedSlot = 0x1a;
constexpr unsigned kLastFunction = 7;

/// For each of `controllers`, its place if it is a companion or has some.
std::vector<std::optional<PciPlace>> shared_places(const Controllers& controllers) {
  std::vector<std::optional<PciPlace>> places;
  PciPlace next{.slot = kFirstSharedSlot};
  for (const machine::ControllerView& controller : controllers) {
    if (!controller.companion_of.empty()) {
      places.emplace_back(next);
      ++next.function;
    } else if (next.function > 0) {
      places.emplace_back(PciPlace{next.slot, kLastFunction});
      next = {.slot = next.slot - 1};
    } else {
      places.emplace_back();
    }
  }
  return places;
}

std::string qemu_device(std::string_view socket, const std::optional<PciPlace>& place) {
  std::string address;
  if (place) {
    // Function 0 announces the others (PCI 3.0 §6.2.1, Header Type).
    address = fmt::format(R"("addr":"{:x}.{}",{})", place->slot, place->function,
                          place->function == 0 ? R"("multifunction":true,)" : "");
  }
  return fmt::format(R"({{"driver":"vfio-user-pci",{}"socket":{{"type":"unix","path":{}}}}})", address,
                     json_text(socket));
}

std::vector<std::string> qemu_devices(const Controllers& controllers) {
  const auto places = shared_places(controllers);
  std::vector<std::string> devices;
  for (std::size_t i = 0; i < controllers.size(); ++i) {
    devices.push_back(qemu_device(controllers[i].socket, places[i]));
  }
  return devices;
}

MonitorArguments for_qemu(const Controllers& controllers, std::string_view memory) {
  MonitorArguments arguments{
      {"-m", std::string(memory), "-object", fmt::format("memory-backend-memfd,id=ram,size={},share=on", memory),
       "-machine", "q35,memory-backend=ram"},
      {}};
  for (std::string& device : qemu_devices(controllers)) {
    arguments.words.emplace_back("-device");
    arguments.words.push_back(std::move(device));
  }
  return arguments;
}

/// libvirt knows no vfio-user yet, so its QEMU gets the devices as they stand (docs: "QEMU command-line passthrough").
MonitorArguments for_libvirt(const Controllers& controllers, std::string_view memory) {
  std::string devices;
  for (const std::string& device : qemu_devices(controllers)) {
    devices += fmt::format("  <qemu:arg value='-device'/>\n  <qemu:arg value='{}'/>\n", xml_text(device));
  }
  return {{fmt::format("<memory unit='b'>{}</memory>", parse_memory_size(memory).value_or(0)),
           "<memoryBacking>\n  <source type='memfd'/>\n  <access mode='shared'/>\n</memoryBacking>",
           fmt::format("<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n{}"
                       "</qemu:commandline>",
                       devices)},
          {}};
}

/// Cloud Hypervisor gives every function a slot of its own.
MonitorArguments for_cloud_hypervisor(const Controllers& controllers, std::string_view memory) {
  MonitorArguments arguments{{"--memory", fmt::format("size={},shared=on", memory), "--user-device"}, {}};
  for (const machine::ControllerView& controller : controllers) {
    arguments.words.push_back(fmt::format("socket={}", controller.socket));
  }
  return arguments;
}

}  // namespace

std::string_view name(Monitor monitor) {
  switch (monitor) {
    case Monitor::qemu:
      return "qemu";
    case Monitor::libvirt:
      return "libvirt";
    case Monitor::cloud_hypervisor:
      return "cloud-hypervisor";
  }
  return "?";
}

std::optional<Monitor> parse_monitor(std::string_view text) {
  const auto found = std::ranges::find_if(kMonitors, [&](Monitor monitor) { return name(monitor) == text; });
  return found == kMonitors.end() ? std::nullopt : std::optional(*found);
}

std::optional<std::uint64_t> parse_memory_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || value == 0 || end - rest > 1) return std::nullopt;
  if (rest == end) return value;
  const std::size_t unit = kUnits.find(*rest);
  if (unit == std::string_view::npos) return std::nullopt;
  const unsigned shift = static_cast<unsigned>(unit + 1) * 10;
  if (value > (~std::uint64_t{0} >> shift)) return std::nullopt;
  return value << shift;
}

MonitorArguments monitor_arguments(Monitor monitor, const std::vector<machine::ControllerView>& controllers,
                                   std::string_view memory) {
  MonitorArguments arguments;
  switch (monitor) {
    case Monitor::qemu:
      arguments = for_qemu(controllers, memory);
      break;
    case Monitor::libvirt:
      arguments = for_libvirt(controllers, memory);
      break;
    case Monitor::cloud_hypervisor:
      arguments = for_cloud_hypervisor(controllers, memory);
      break;
  }
  for (const std::string& word : arguments.words) {
    if (!arguments.text.empty()) arguments.text += monitor == Monitor::libvirt ? '\n' : ' ';
    arguments.text += monitor == Monitor::libvirt ? word : shell_quoted(word);
  }
  return arguments;
}

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view kPlain = "-_./,=:+@%";
  const bool plain = !word.empty() && std::ranges::all_of(word, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kPlain.contains(c);
  });
  if (plain) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

}  // namespace periplex::control
