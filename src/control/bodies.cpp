// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <limits>

#include "control/json.hpp"

namespace periplex::control {
namespace {

namespace json = boost::json;
namespace pointer = machine::pointer;
using machine::Outcome;
using machine::Reason;

std::unexpected<machine::Refusal> invalid(std::string text, std::string advice) {
  return std::unexpected(machine::Refusal{Reason::invalid, std::move(text), std::move(advice)});
}

std::string_view plain(json::string_view text) {
  return {text.data(), text.size()};
}

Outcome<json::object> parse_object(std::string_view body) {
  json::error_code error;
  json::value value = json::parse({body.data(), body.size()}, error);
  if (error || !value.is_object()) {
    return invalid("the body is not a JSON object", "send an object such as {\"text\": \"hello\"}");
  }
  return std::move(value.as_object());
}

/// As a specification would say it; empty for what no setting can be.
std::optional<std::string> setting_text(const json::value& value) {
  if (value.is_string()) return std::string(plain(value.get_string()));
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_int64()) return fmt::format("{}", value.get_int64());
  return std::nullopt;
}

/// Members of `object` that are not among `known` are a mistake that should not pass in silence.
Outcome<> only(const json::object& object, std::initializer_list<std::string_view> known) {
  for (const json::key_value_pair& member : object) {
    if (std::ranges::find(known, plain(member.key())) == known.end()) {
      return invalid(fmt::format("there is no member \"{}\" here", plain(member.key())),
                     fmt::format("the members are: {}", fmt::join(known, ", ")));
    }
  }
  return {};
}

template <typename T>
Outcome<std::optional<T>> number(const json::object& object, std::string_view name, std::int64_t least,
                                 std::int64_t most) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::nullopt;
  if (!value->is_int64() || value->get_int64() < least || value->get_int64() > most) {
    return invalid(fmt::format("\"{}\" is not an integer from {} to {}", name, least, most), "send it as a number");
  }
  return static_cast<T>(value->get_int64());
}

/// Two numbers of which one may be left out only with the other.
template <typename Action, typename T>
Outcome<> add_position(std::vector<pointer::Action>& actions, const json::object& object, std::string_view x_name,
                       std::string_view y_name, std::int64_t least, std::int64_t most) {
  const auto x = number<T>(object, x_name, least, most);
  const auto y = number<T>(object, y_name, least, most);
  if (!x) return std::unexpected(x.error());
  if (!y) return std::unexpected(y.error());
  if (x->has_value() != y->has_value()) {
    return invalid(fmt::format("only one of \"{}\" and \"{}\" is there", x_name, y_name), "send both");
  }
  if (x->has_value()) actions.push_back(Action{**x, **y});
  return {};
}

Outcome<std::uint8_t> button(const json::value& value) {
  const std::string_view name = value.is_string() ? plain(value.get_string()) : std::string_view();
  if (name == "left") return pointer::kLeft;
  if (name == "right") return pointer::kRight;
  if (name == "middle") return pointer::kMiddle;
  return invalid(fmt::format("there is no button \"{}\"", name), "use left, middle or right");
}

Outcome<> add_buttons(std::vector<pointer::Action>& actions, const json::object& object) {
  if (const json::value* buttons = object.if_contains("buttons")) {
    if (!buttons->is_array()) return invalid("\"buttons\" is not a list", "send those that are down: [\"left\"]");
    pointer::Hold hold;
    for (const json::value& entry : buttons->get_array()) {
      const auto mask = button(entry);
      if (!mask) return std::unexpected(mask.error());
      hold.buttons |= *mask;
    }
    actions.push_back(hold);
  }
  if (const json::value* click = object.if_contains("click")) {
    const auto mask = button(*click);
    if (!mask) return std::unexpected(mask.error());
    actions.push_back(pointer::Click{*mask});
  }
  return {};
}

}  // namespace

Outcome<machine::Description> parse_description(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return std::unexpected(object.error());
  std::string kind;
  std::vector<machine::Setting> settings;
  for (const json::key_value_pair& member : *object) {
    auto text = setting_text(member.value());
    if (!text) {
      return invalid(fmt::format("\"{}\" is neither text, number, true nor false", plain(member.key())),
                     "send each setting as one value");
    }
    if (plain(member.key()) == "kind") {
      kind = std::move(*text);
    } else {
      settings.push_back({std::string(plain(member.key())), std::move(*text)});
    }
  }
  auto description = machine::describe(kind, settings);
  if (!description) return invalid(std::move(description.error().text), std::move(description.error().advice));
  return std::move(*description);
}

Outcome<std::string> parse_text(std::string_view body, std::string_view name) {
  const auto object = parse_object(body);
  if (!object) return std::unexpected(object.error());
  if (const auto known = only(*object, {name}); !known) return std::unexpected(known.error());
  const json::value* value = object->if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) {
    return invalid(fmt::format("\"{}\" is missing, or no text", name), fmt::format("send {{\"{}\": \"…\"}}", name));
  }
  return std::string(plain(value->get_string()));
}

Outcome<std::vector<std::string>> parse_keys(std::string_view body) {
  const auto object = parse_object(body);
  if (!object) return std::unexpected(object.error());
  if (const auto known = only(*object, {"keys"}); !known) return std::unexpected(known.error());
  const json::value* list = object->if_contains("keys");
  const std::string advice = "send {\"keys\": [\"ctrl+alt+delete\"]}";
  if (list == nullptr || !list->is_array()) return invalid("\"keys\" is missing, or no list", advice);
  std::vector<std::string> keys;
  for (const json::value& key : list->get_array()) {
    if (!key.is_string()) return invalid("a key is not a text", advice);
    keys.emplace_back(plain(key.get_string()));
  }
  return keys;
}

Outcome<std::vector<pointer::Action>> parse_pointer(std::string_view body) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int16_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int16_t>::max();
  const auto object = parse_object(body);
  if (!object) return std::unexpected(object.error());
  if (const auto known = only(*object, {"x", "y", "dx", "dy", "buttons", "click", "wheel"}); !known) {
    return std::unexpected(known.error());
  }
  std::vector<pointer::Action> actions;
  auto done = add_position<pointer::MoveTo, std::uint16_t>(actions, *object, "x", "y", 0, pointer::kMaxPosition);
  if (done) done = add_position<pointer::MoveBy, std::int16_t>(actions, *object, "dx", "dy", kLeast, kMost);
  if (done) done = add_buttons(actions, *object);
  if (!done) return std::unexpected(done.error());
  const auto wheel = number<std::int16_t>(*object, "wheel", -127, 127);
  if (!wheel) return std::unexpected(wheel.error());
  if (wheel->has_value()) actions.push_back(pointer::Scroll{**wheel});
  if (actions.empty()) return invalid("there is nothing to do", "send x and y, dx and dy, buttons, click or wheel");
  return actions;
}

}  // namespace periplex::control
