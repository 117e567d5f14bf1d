// SPDX-License-Identifier: Apache-2.0
// The only file of this program that sees toml++: it is slow to compile.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "apps/periplexd/settings.hpp"
#include "apps/places.hpp"
#include "link/ids.hpp"
#include "machine/presets.hpp"

namespace periplex::apps {
namespace {

using Done = std::expected<void, std::string>;

/// No seat has more channels.
constexpr std::int64_t kMostPeripherals = 64;

class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), directory_(std::filesystem::absolute(std::filesystem::path(path)).parent_path()) {}

  std::expected<ManagerSettings, std::string> read(ManagerSettings settings) {
    settings_ = std::move(settings);
    const toml::parse_result parsed = toml::parse_file(path_);
    if (!parsed) return wrong(parsed.error().source().begin.line, parsed.error().description());
    for (const auto& [key, node] : parsed.table()) {
      if (auto done = read_top(key.str(), node); !done) return std::unexpected(std::move(done.error()));
    }
    for (const gate::Binding& binding : settings_.bindings) {
      if (std::ranges::find(settings_.machines, binding.machine, &ManagedMachine::name) == settings_.machines.end()) {
        return wrong(0, fmt::format("a binding names the machine \"{}\", which there is not", binding.machine));
      }
    }
    return std::move(settings_);
  }

 private:
  std::unexpected<std::string> wrong(std::uint32_t line, std::string_view text) const {
    if (line == 0) return std::unexpected(fmt::format("{}: {}", path_, text));
    return std::unexpected(fmt::format("{}:{}: {}", path_, line, text));
  }
  std::unexpected<std::string> unknown(std::string_view key, const toml::node& node) const {
    return wrong(node.source().begin.line, fmt::format("\"{}\" is not known, or of the wrong type", key));
  }
  static bool take(const toml::node& node, std::string& into) {
    const auto value = node.value_exact<std::string>();
    if (value) into = *value;
    return value.has_value();
  }
  static bool take(const toml::node& node, bool& into) {
    const auto value = node.value_exact<bool>();
    if (value) into = *value;
    return value.has_value();
  }
  bool take_path(const toml::node& node, std::string& into) const {
    if (!take(node, into) || into.empty()) return false;
    into = (directory_ / into).lexically_normal().string();
    return true;
  }

  Done read_top(std::string_view key, const toml::node& node) {
    if (key == "state-dir" && take_path(node, settings_.state_directory)) return {};
    if (key == "runtime-dir" && take_path(node, settings_.runtime_directory)) return {};
    if (key == "gate" && node.is_table()) return read_gate(*node.as_table());
    if (key == "limit") return read_limits(node);
    if (key == "peripheral") return read_peripherals(node);
    const bool machine = key == "machine";
    const toml::array* const list = node.as_array();
    if ((!machine && key != "binding") || list == nullptr || !list->is_array_of_tables()) return unknown(key, node);
    for (const toml::node& one : *list) {
      const toml::table& table = *one.as_table();
      if (auto done = machine ? read_machine(table) : read_binding(table); !done) return done;
    }
    return {};
  }

  Done read_gate(const toml::table& table) {
    for (const auto& [key, node] : table) {
      const bool taken =
          (key == "name" && take(node, settings_.name)) || (key == "listen" && take(node, settings_.listen)) ||
          (key == "user" && take(node, settings_.gate_user)) || (key == "datagrams" && take(node, settings_.datagrams));
      if (!taken) return unknown(key.str(), node);
    }
    if (gate::is_name(settings_.name)) return {};
    return wrong(table.source().begin.line, fmt::format("\"{}\" cannot be a gate's name", settings_.name));
  }

  Done read_disks(const toml::table& table, machine::DiskSettings& into) {
    std::vector<machine::Setting> settings;
    for (const auto& [key, node] : table) {
      std::string text;
      if (const auto flag = node.value_exact<bool>()) {
        text = *flag ? "true" : "false";
      } else if (const auto number = node.value_exact<std::int64_t>()) {
        text = fmt::format("{}", *number);
      } else if (!take(node, text)) {
        return unknown(key.str(), node);
      }
      settings.push_back({std::string(key.str()), std::move(text)});
    }
    const auto disks = machine::describe_disks(settings);
    if (!disks) {
      return wrong(table.source().begin.line, fmt::format("{} ({})", disks.error().text, disks.error().advice));
    }
    into = *disks;
    return {};
  }

  Done read_machine(const toml::table& table) {
    ManagedMachine machine;
    for (const auto& [key, node] : table) {
      if (key == "remote-disks" && node.is_table()) {
        if (auto done = read_disks(*node.as_table(), machine.remote_disks); !done) return done;
        continue;
      }
      const bool taken = (key == "name" && take(node, machine.name)) || (key == "start" && take(node, machine.start)) ||
                         (key == "config" && take_path(node, machine.configuration)) ||
                         (key == "streams" && take_path(node, machine.streams));
      if (!taken) return unknown(key.str(), node);
    }
    if (!gate::is_name(machine.name)) {
      return wrong(table.source().begin.line, fmt::format("\"{}\" cannot be a machine's name", machine.name));
    }
    if (std::ranges::find(settings_.machines, machine.name, &ManagedMachine::name) != settings_.machines.end()) {
      return wrong(table.source().begin.line, fmt::format("there are two machines \"{}\"", machine.name));
    }
    if (!machine.start && machine.remote_disks != periplex::machine::DiskSettings{}) {
      return wrong(table.source().begin.line,
                   fmt::format("the worker of {} is started elsewhere, and with it goes what is said of its disks: set "
                               "start = true, or tell it there (periplex-machine --remote-disks)",
                               machine.name));
    }
    settings_.machines.push_back(std::move(machine));
    return {};
  }

  Done read_binding(const toml::table& table) {
    gate::Binding binding{.seat = "*", .peripheral = "*", .machine = {}};
    for (const auto& [key, node] : table) {
      const bool taken = (key == "seat" && take(node, binding.seat)) ||
                         (key == "peripheral" && take(node, binding.peripheral)) ||
                         (key == "machine" && take(node, binding.machine));
      if (!taken) return unknown(key.str(), node);
    }
    if (binding.seat.size() > gate::kMaxName || binding.peripheral.size() > gate::kMaxName) {
      return wrong(table.source().begin.line, fmt::format("a pattern has at most {} characters", gate::kMaxName));
    }
    settings_.bindings.push_back(std::move(binding));
    return {};
  }

  Done read_limits(const toml::node& node) {
    const toml::array* const list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) return unknown("limit", node);
    for (const toml::node& one : *list) {
      if (auto done = read_limit(*one.as_table()); !done) return done;
    }
    return {};
  }

  Done read_limit(const toml::table& table) {
    gate::Limit limit{.seat = "*"};
    std::optional<std::int64_t> peripherals;
    for (const auto& [key, node] : table) {
      if (key == "seat" && take(node, limit.seat)) continue;
      if (key == "peripherals") peripherals = node.value_exact<std::int64_t>();
      if (key != "peripherals" || !peripherals) return unknown(key.str(), node);
    }
    if (!peripherals || *peripherals < 0 || *peripherals > kMostPeripherals || limit.seat.size() > gate::kMaxName) {
      return wrong(table.source().begin.line,
                   fmt::format("a limit has a seat's pattern and peripherals, from 0 to {}", kMostPeripherals));
    }
    limit.peripherals = static_cast<std::size_t>(*peripherals);
    settings_.limits.push_back(std::move(limit));
    return {};
  }

  Done read_peripherals(const toml::node& node) {
    const toml::array* const list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) return unknown("peripheral", node);
    for (const toml::node& one : *list) {
      if (auto done = read_peripheral(*one.as_table()); !done) return done;
    }
    return {};
  }

  /// What is settled about a peripheral, as its workers take it.
  Done read_peripheral(const toml::table& table) {
    std::string pattern;
    std::string settings;
    for (const auto& [key, node] : table) {
      if (key == "peripheral" && take(node, pattern)) continue;
      const auto text = text_of(node);
      if (key == "peripheral" || !text) return unknown(key.str(), node);
      settings += fmt::format(",{}={}", key.str(), with_commas_doubled(*text));
    }
    std::string preset = with_commas_doubled(pattern) + settings;
    if (const auto good = machine::parse_preset(preset); !good) {
      return wrong(table.source().begin.line, fmt::format("{} ({})", good.error().text, good.error().advice));
    }
    settings_.presets.push_back(std::move(preset));
    return {};
  }
  static std::optional<std::string> text_of(const toml::node& node) {
    if (auto text = node.value_exact<std::string>()) return text;
    if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
    if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    return std::nullopt;
  }
  static std::string with_commas_doubled(std::string_view text) {
    std::string doubled;
    for (const char character : text) doubled.append(character == ',' ? 2 : 1, character);
    return doubled;
  }

  std::string path_;
  std::filesystem::path directory_;
  ManagerSettings settings_;
};

ManagerSettings defaults() {
  ManagerSettings settings{.listen = fmt::format("[::]:{}", link::kDefaultPort)};
  settings.runtime_directory = runtime_root();
  if (::geteuid() == 0) {
    settings.state_directory = "/var/lib/periplex";
  } else if (const char* const data = std::getenv("XDG_STATE_HOME"); data != nullptr && *data == '/') {
    settings.state_directory = fmt::format("{}/periplex", data);
  } else if (const char* const home = std::getenv("HOME"); home != nullptr) {
    settings.state_directory = fmt::format("{}/.local/state/periplex", home);
  }
  return settings;
}

}  // namespace

std::expected<ManagerSettings, std::string> read_manager_settings(const std::string& path) {
  auto settings =
      path.empty() ? std::expected<ManagerSettings, std::string>(defaults()) : Reader(path).read(defaults());
  if (!settings) return settings;
  if (settings->state_directory.empty()) return std::unexpected("there is no place for its state: set state-dir");
  for (ManagedMachine& machine : settings->machines) {
    if (machine.streams.empty()) {
      machine.streams = fmt::format("{}/{}/streams.sock", settings->runtime_directory, machine.name);
    }
  }
  return settings;
}

}  // namespace periplex::apps
