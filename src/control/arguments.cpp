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

std::string qemu_device(std::string_view socket) {
  return fmt::format(R"({{"driver":"vfio-user-pci","socket":{{"type":"unix","path":{}}}}})", json_text(socket));
}

MonitorArguments for_qemu(std::string_view socket, std::string_view memory) {
  return {{"-m", std::string(memory), "-object", fmt::format("memory-backend-memfd,id=ram,size={},share=on", memory),
           "-machine", "q35,memory-backend=ram", "-device", qemu_device(socket)},
          {}};
}

/// libvirt knows no vfio-user yet, so its QEMU gets the device as it stands (docs: "QEMU command-line passthrough").
MonitorArguments for_libvirt(std::string_view socket, std::string_view memory) {
  return {{fmt::format("<memory unit='b'>{}</memory>", parse_memory_size(memory).value_or(0)),
           "<memoryBacking>\n  <source type='memfd'/>\n  <access mode='shared'/>\n</memoryBacking>",
           fmt::format("<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
                       "  <qemu:arg value='-device'/>\n"
                       "  <qemu:arg value='{}'/>\n"
                       "</qemu:commandline>",
                       xml_text(qemu_device(socket)))},
          {}};
}

MonitorArguments for_cloud_hypervisor(std::string_view socket, std::string_view memory) {
  return {{"--memory", fmt::format("size={},shared=on", memory), "--user-device", fmt::format("socket={}", socket)},
          {}};
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

MonitorArguments monitor_arguments(Monitor monitor, std::string_view socket, std::string_view memory) {
  MonitorArguments arguments;
  switch (monitor) {
    case Monitor::qemu:
      arguments = for_qemu(socket, memory);
      break;
    case Monitor::libvirt:
      arguments = for_libvirt(socket, memory);
      break;
    case Monitor::cloud_hypervisor:
      arguments = for_cloud_hypervisor(socket, memory);
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
