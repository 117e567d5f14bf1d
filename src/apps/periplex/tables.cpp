// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/tables.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <vector>

namespace periplex::apps {
namespace {

namespace json = boost::json;
using Row = std::vector<std::string>;

json::value parse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  return error ? json::value() : value;
}

const json::value* member(const json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains({name.data(), name.size()}) : nullptr;
}

/// A scalar as people read it.
std::string plain(const json::value* value) {
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return {value->get_string().data(), value->get_string().size()};
  return json::serialize(*value);
}

bool is_true(const json::value* value) {
  return value != nullptr && value->is_bool() && value->get_bool();
}

json::array items(const json::value& value, std::string_view name) {
  const json::value* list = member(value, name);
  return list != nullptr && list->is_array() ? list->get_array() : json::array();
}

std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

std::string size_text(const json::value* bytes) {
  if (bytes == nullptr || !bytes->is_number()) return "";
  auto size = bytes->to_number<double>();
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(units); ++unit) size /= 1024;
  return fmt::format("{:.4g} {}", size, units[unit]);
}

/// What only one kind of peripheral has.
std::string details(const json::value& device) {
  if (plain(member(device, "kind")) == "storage") {
    if (!is_true(member(device, "medium"))) return "no medium";
    return fmt::format("{} ({}{}{}{})", plain(member(device, "image")), size_text(member(device, "size")),
                       is_true(member(device, "readonly")) ? ", read-only" : "",
                       is_true(member(device, "removable")) ? ", removable" : "",
                       is_true(member(device, "locked")) ? ", locked" : "");
  }
  std::string leds;
  for (const json::value& led : items(device, "leds")) leds += (leds.empty() ? "lit: " : ", ") + plain(&led);
  return leds;
}

Row row_of(const json::value& device) {
  return {plain(member(device, "id")),
          plain(member(device, "kind")),
          plain(member(device, "port")),
          plain(member(device, "speed")),
          is_true(member(device, "configured")) ? "in use" : "not in use",
          details(device)};
}

}  // namespace

std::string peripherals_table(std::string_view text) {
  const json::value answer = parse(text);
  std::vector<Row> rows{{"ID", "KIND", "PORT", "SPEED", "GUEST", ""}};
  for (const json::value& device : items(answer, "devices")) rows.push_back(row_of(device));
  if (rows.size() == 1) return "Nothing is plugged in.";
  return aligned(rows);
}

std::string peripheral_line(std::string_view text) {
  const json::value device = parse(text);
  return fmt::format("{} is in port {}", plain(member(device, "id")), plain(member(device, "port")));
}

std::string statistics_table(std::string_view text) {
  const json::value answer = parse(text);
  std::vector<Row> counters;
  for (const char* part : {"server", "loop"}) {
    const json::value* object = member(answer, part);
    if (object == nullptr || !object->is_object()) continue;
    for (const json::key_value_pair& counter : object->get_object()) {
      counters.push_back({fmt::format("{} {}", part, std::string_view(counter.key().data(), counter.key().size())),
                          plain(&counter.value())});
    }
  }
  std::vector<Row> endpoints{{"ID", "ENDPOINT", "TYPE", "DESCRIPTORS", "TRANSFERS", "BYTES", "ERRORS"}};
  for (const json::value& device : items(answer, "devices")) {
    for (const json::value& endpoint : items(device, "endpoints")) {
      Row row{plain(member(device, "id"))};
      for (const char* name : {"endpoint", "type", "descriptors", "transfers", "bytes", "errors"}) {
        row.push_back(plain(member(endpoint, name)));
      }
      endpoints.push_back(std::move(row));
    }
  }
  return aligned(counters) + (endpoints.size() > 1 ? "\n\n" + aligned(endpoints) : "");
}

std::string text_member(std::string_view text, std::string_view name) {
  const json::value value = parse(text);
  const json::value* found = member(value, name);
  return found != nullptr && found->is_string() ? plain(found) : std::string();
}

std::optional<std::uint64_t> number_member(std::string_view text, std::string_view name, std::string_view inner) {
  const json::value value = parse(text);
  const json::value* found = member(value, name);
  if (found != nullptr && !inner.empty()) found = member(*found, inner);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = found->to_number<std::uint64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

bool flag_member(std::string_view text, std::string_view name, std::string_view inner) {
  const json::value value = parse(text);
  const json::value* found = member(value, name);
  return found != nullptr && is_true(member(*found, inner));
}

}  // namespace periplex::apps
