// SPDX-License-Identifier: Apache-2.0
// The only file of this room that sees toml++: it is slow to compile.
#include "seat/configuration.hpp"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace periplex::seat {
namespace {

using Done = std::expected<void, ConfigurationError>;

constexpr const char* kAdvice =
    "the keys are consent-command, [input] offer and grab, and a [[rule]] with action (allow, ask or deny), and name, "
    "kind (usb or input), vendor, product, class, interface-class, only-interface-classes, serial, place for each rule";

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  std::expected<Configuration, ConfigurationError> read(const toml::parse_result& parsed) {
    if (!parsed) {
      return wrong(parsed.error().source().begin.line, std::string(parsed.error().description()), "mend this line");
    }
    for (const auto& [key, node] : parsed.table()) {
      if (auto done = read_top(key.str(), node); !done) return std::unexpected(std::move(done.error()));
    }
    return std::move(configuration_);
  }

 private:
  std::unexpected<ConfigurationError> wrong(std::uint32_t line, std::string_view text, std::string_view advice) const {
    const std::string place = line == 0 ? name_ : fmt::format("{}:{}", name_, line);
    return std::unexpected(ConfigurationError{fmt::format("{}: {}", place, text), std::string(advice)});
  }
  std::unexpected<ConfigurationError> unknown(std::string_view key, const toml::node& node) const {
    return wrong(node.source().begin.line, fmt::format("\"{}\" is not known, or not a value for it", key), kAdvice);
  }

  template <typename T>
  static bool take(const toml::node& node, std::optional<T>& into) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > std::numeric_limits<T>::max()) return false;
    into = static_cast<T>(*value);
    return true;
  }
  static bool take(const toml::node& node, std::optional<std::string>& into) {
    into = node.value_exact<std::string>();
    return into.has_value();
  }
  static bool take(const toml::node& node, bool& into) {
    const auto value = node.value_exact<bool>();
    into = value.value_or(into);
    return value.has_value();
  }
  static bool take(const toml::node& node, std::vector<std::string>& into) {
    return take_all(node, [&](const toml::node& each) {
      std::optional<std::string> text;
      if (!take(each, text)) return false;
      into.push_back(*text);
      return true;
    });
  }
  static bool take(const toml::node& node, std::vector<std::uint8_t>& into) {
    return take_all(node, [&](const toml::node& each) {
      std::optional<std::uint8_t> number;
      if (!take(each, number)) return false;
      into.push_back(*number);
      return true;
    });
  }
  template <typename Take>
  static bool take_all(const toml::node& node, Take take_one) {
    const toml::array* list = node.as_array();
    if (list == nullptr || list->empty()) return false;
    for (const toml::node& each : *list) {
      if (!take_one(each)) return false;
    }
    return true;
  }
  static bool take(const toml::node& node, std::optional<Kind>& into) {
    const auto text = node.value_exact<std::string>();
    if (text == "usb") into = Kind::usb;
    if (text == "input") into = Kind::input;
    return into.has_value();
  }
  static bool take(const toml::node& node, std::optional<Action>& into) {
    const auto text = node.value_exact<std::string>();
    for (const Action action : {Action::allow, Action::ask, Action::deny}) {
      if (text == name(action)) into = action;
    }
    return into.has_value();
  }

  Done read_top(std::string_view key, const toml::node& node) {
    if (key == "rule") return read_rules(node);
    if (key == "input") return read_input(node);
    if (key == "consent-command" && take(node, configuration_.consent_command)) return {};
    return unknown(key, node);
  }

  Done read_input(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return unknown("input", node);
    for (const auto& [key, value] : *table) {
      const bool taken = (key == "offer" && take(value, configuration_.input)) ||
                         (key == "grab" && take(value, configuration_.grab_input));
      if (!taken) return unknown(fmt::format("input.{}", key.str()), value);
    }
    return {};
  }

  Done read_rules(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) return unknown("rule", node);
    for (const toml::node& each : *list) {
      if (auto done = read_rule(*each.as_table()); !done) return done;
    }
    return {};
  }

  Done read_rule(const toml::table& table) {
    Rule rule;
    std::optional<Action> action;
    std::optional<std::string> text;
    Match& match = rule.match;
    for (const auto& [key, value] : table) {
      const bool taken = (key == "action" && take(value, action)) || (key == "kind" && take(value, match.kind)) ||
                         (key == "vendor" && take(value, match.vendor)) ||
                         (key == "product" && take(value, match.product)) ||
                         (key == "class" && take(value, match.device_class)) ||
                         (key == "interface-class" && take(value, match.interface_class)) ||
                         (key == "only-interface-classes" && take(value, match.only_interface_classes)) ||
                         (key == "serial" && take(value, match.serial_number)) ||
                         (key == "place" && take(value, match.place)) || (key == "name" && take(value, text));
      if (!taken) return unknown(fmt::format("rule.{}", key.str()), value);
    }
    if (!action) return wrong(table.source().begin.line, "this rule has no action", kAdvice);
    rule.action = *action;
    rule.name = text.value_or("");
    configuration_.rules.push_back(std::move(rule));
    return {};
  }

  std::string name_;
  Configuration configuration_;
};

}  // namespace

std::expected<Configuration, ConfigurationError> read_configuration(const std::string& path) {
  return Reader(path).read(toml::parse_file(path));
}

std::expected<Configuration, ConfigurationError> parse_configuration(std::string_view text, std::string_view name) {
  return Reader(name).read(toml::parse(text));
}

}  // namespace periplex::seat
