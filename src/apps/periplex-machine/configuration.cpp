// SPDX-License-Identifier: Apache-2.0
// The only file that sees toml++: it is slow to compile.
#include <algorithm>
#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#include <filesystem>
#include <toml++/toml.h>

#include "apps/periplex-machine/settings.hpp"

namespace periplex::apps {
namespace {

using Done = std::expected<void, SettingsError>;

constexpr const char* kAdvice =
    "the keys are name, runtime-dir, control, streams, socket-owner, socket-mode, log-level, spin-us, low-latency, "
    "[capture] usb, [remote-disks], a [[controller]] with kind for each controller, a [[peripheral]] with kind for "
    "each "
    "peripheral, a [[preset]]; [xhci] with "
    "usb2-ports and usb3-ports is short for a controller";

/// Reads one file; keeps its name for messages and its directory for relative paths.
class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), directory_(std::filesystem::absolute(std::filesystem::path(path)).parent_path()) {}

  std::expected<Settings, SettingsError> read() {
    const toml::parse_result parsed = toml::parse_file(path_);
    if (!parsed) {
      return wrong(parsed.error().source().begin.line, std::string(parsed.error().description()), "mend this line");
    }
    for (const auto& [key, node] : parsed.table()) {
      if (auto done = read_top(key.str(), node); !done) return std::unexpected(std::move(done.error()));
    }
    return std::move(settings_);
  }

 private:
  std::unexpected<SettingsError> wrong(std::uint32_t line, std::string_view text, std::string_view advice) const {
    const std::string place = line == 0 ? path_ : fmt::format("{}:{}", path_, line);
    return std::unexpected(SettingsError{fmt::format("{}: {}", place, text), std::string(advice)});
  }
  std::unexpected<SettingsError> unknown(std::string_view key, const toml::node& node) const {
    return wrong(node.source().begin.line, fmt::format("\"{}\" is not known, or of the wrong type", key), kAdvice);
  }

  static bool take(const toml::node& node, std::optional<std::string>& into) {
    into = node.value_exact<std::string>();
    return into.has_value();
  }
  static bool take(const toml::node& node, std::optional<bool>& into) {
    into = node.value_exact<bool>();
    return into.has_value();
  }
  static bool take(const toml::node& node, std::optional<unsigned>& into) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > 1'000'000) return false;
    into = static_cast<unsigned>(*value);
    return true;
  }
  [[nodiscard]] std::string path_from_here(std::string_view path) const { return (directory_ / path).string(); }

  Done read_top(std::string_view key, const toml::node& node) {
    if (key == "capture") return read_capture(node);
    if (key == "remote-disks" && node.is_table()) return read_remote_disks(*node.as_table());
    if (key == "xhci" && node.is_table()) return add_controller("xhci", *node.as_table());
    if (key == "controller") {
      return read_all(key, node, [this](const toml::table& one) { return add_controller({}, one); });
    }
    if (key == "peripheral") {
      return read_all(key, node, [this](const toml::table& one) { return add_peripheral(one); });
    }
    if (key == "preset") return read_all(key, node, [this](const toml::table& one) { return add_preset(one); });
    const bool taken = (key == "name" && take(node, settings_.name)) ||
                       (key == "runtime-dir" && take(node, settings_.runtime_directory)) ||
                       (key == "control" && take(node, settings_.control)) ||
                       (key == "streams" && take(node, settings_.streams)) ||
                       (key == "socket-owner" && take(node, settings_.socket_owner)) ||
                       (key == "socket-mode" && take(node, settings_.socket_mode)) ||
                       (key == "log-level" && take(node, settings_.log_level)) ||
                       (key == "spin-us" && take(node, settings_.spin_us)) ||
                       (key == "low-latency" && take(node, settings_.low_latency));
    if (!taken) return unknown(key, node);
    if (key == "runtime-dir") settings_.runtime_directory = path_from_here(*settings_.runtime_directory);
    if (key == "control") settings_.control = path_from_here(*settings_.control);
    if (key == "streams") settings_.streams = path_from_here(*settings_.streams);
    return {};
  }

  Done read_capture(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return unknown("capture", node);
    for (const auto& [key, value] : *table) {
      if (key != "usb" || !take(value, settings_.capture)) return unknown(fmt::format("capture.{}", key.str()), value);
    }
    if (settings_.capture) settings_.capture = path_from_here(*settings_.capture);
    return {};
  }

  Done read_remote_disks(const toml::table& table) {
    const auto specification = read_specification(table);
    if (!specification) return std::unexpected(specification.error());
    const auto disks = machine::describe_disks(specification->settings);
    if (!disks) return wrong(table.source().begin.line, disks.error().text, disks.error().advice);
    settings_.remote_disks = *disks;
    return {};
  }

  /// [[key]], one after the other.
  template <typename Read>
  Done read_all(std::string_view key, const toml::node& node, Read read_one) {
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) return unknown(key, node);
    for (const toml::node& entry : *list) {
      if (auto done = read_one(*entry.as_table()); !done) return done;
    }
    return {};
  }

  /// The members of `table` as those of a specification.
  std::expected<machine::Specification, SettingsError> read_specification(const toml::table& table) const {
    machine::Specification specification;
    for (const auto& [key, value] : table) {
      std::string text;
      if (const auto string = value.value_exact<std::string>()) {
        text = *string;
      } else if (const auto flag = value.value_exact<bool>()) {
        text = *flag ? "true" : "false";
      } else if (const auto number = value.value_exact<std::int64_t>()) {
        text = fmt::format("{}", *number);
      } else {
        return unknown(key.str(), value);
      }
      if (key == "kind") {
        specification.kind = std::move(text);
      } else {
        specification.settings.push_back({std::string(key.str()), std::move(text)});
      }
    }
    return specification;
  }

  /// `kind` where the table itself names none.
  Done add_controller(std::string_view kind, const toml::table& table) {
    auto specification = read_specification(table);
    if (!specification) return std::unexpected(std::move(specification.error()));
    if (!kind.empty()) specification->kind = kind;
    auto description = machine::describe_controller(specification->kind, specification->settings);
    if (!description) return wrong(table.source().begin.line, description.error().text, description.error().advice);
    settings_.controllers.push_back(std::move(*description));
    return {};
  }

  Done add_peripheral(const toml::table& table) {
    auto specification = read_specification(table);
    if (!specification) return std::unexpected(std::move(specification.error()));
    for (machine::Setting& setting : specification->settings) {
      if (machine::names_file(setting.key)) setting.value = path_from_here(setting.value);
    }
    auto description = machine::describe(specification->kind, specification->settings);
    if (!description) return wrong(table.source().begin.line, description.error().text, description.error().advice);
    settings_.peripherals.push_back(std::move(*description));
    return {};
  }

  /// [[preset]]: its `peripheral` is the pattern.
  Done add_preset(const toml::table& table) {
    auto specification = read_specification(table);
    if (!specification) return std::unexpected(std::move(specification.error()));
    auto& settings = specification->settings;
    const auto peripheral = std::ranges::find(settings, "peripheral", &machine::Setting::key);
    if (peripheral != settings.end()) {
      specification->kind = std::move(peripheral->value);
      settings.erase(peripheral);
    }
    auto preset = machine::describe_preset(specification->kind, settings);
    if (!preset) return wrong(table.source().begin.line, preset.error().text, preset.error().advice);
    settings_.presets.push_back(std::move(*preset));
    return {};
  }

  std::string path_;
  std::filesystem::path directory_;
  Settings settings_;
};

}  // namespace

std::expected<Settings, SettingsError> read_configuration(const std::string& path) {
  return Reader(path).read();
}

}  // namespace periplex::apps
