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

std::optional<std::uint64_t> number(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? std::nullopt : std::optional(number);
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

/// What programs are to open.
std::string terminal_name(const json::value& terminal) {
  const json::value* const link = member(terminal, "link");
  return plain(link != nullptr ? link : member(terminal, "path"));
}

/// How a disk at a seat is brought here; empty for what is none.
std::string disk_text(const json::value* disk) {
  if (disk == nullptr) return "";
  if (!is_true(member(*disk, "terminated"))) return ", tunnelled";
  std::string text = ", terminated";
  for (const auto& [name, what] : {std::pair("read_ahead", "read-ahead"), std::pair("write_cache", "write cache")}) {
    const json::value* const size = member(*disk, name);
    if (number(size).value_or(0) > 0) text += fmt::format(", {} {}", what, size_text(size));
  }
  return text;
}

/// What only one kind of peripheral has.
std::string details(const json::value& device) {
  if (plain(member(device, "kind")) == "storage") {
    if (!is_true(member(device, "medium"))) return "no medium";
    return fmt::format("{} ({}{}{}{}{})", plain(member(device, "image")), size_text(member(device, "size")),
                       plain(member(device, "transport")) == "uas" ? ", UAS" : "",
                       is_true(member(device, "readonly")) ? ", read-only" : "",
                       is_true(member(device, "removable")) ? ", removable" : "",
                       is_true(member(device, "locked")) ? ", locked" : "");
  }
  if (const json::value* terminal = member(device, "terminal")) {
    const json::value* const link = member(*terminal, "link");
    return fmt::format("{} ({}{})", terminal_name(*terminal),
                       link == nullptr ? "" : plain(member(*terminal, "path")) + ", ",
                       is_true(member(*terminal, "open")) ? "open" : "not open");
  }
  if (plain(member(device, "kind")) == "sound") {
    std::string ends;
    for (const auto& [name, arrow] : {std::pair("playback", "to "), std::pair("capture", "from ")}) {
      if (const json::value* end = member(device, name)) ends += (ends.empty() ? "" : ", ") + (arrow + plain(end));
    }
    return ends;
  }
  if (const json::value* state = member(device, "state")) {
    const json::value* const why = member(device, "why");
    const json::value* const at_seat = member(device, "peripheral");
    const json::value* const bus_id = member(device, "busid");
    const json::value* const listen = member(device, "listen");
    const std::string place = listen == nullptr ? plain(member(device, "host")) : "who dials " + plain(listen);
    const std::string what = at_seat != nullptr
                                 ? plain(at_seat)
                                 : fmt::format("{}{}", bus_id == nullptr ? "" : plain(bus_id) + " at ", place);
    return fmt::format("{}: {}{}{}", what, plain(state), why == nullptr ? "" : " (" + plain(why) + ")",
                       disk_text(member(device, "disk")));
  }
  std::string leds;
  for (const json::value& led : items(device, "leds")) leds += (leds.empty() ? "lit: " : ", ") + plain(&led);
  return leds;
}

Row row_of(const json::value& device) {
  return {plain(member(device, "id")),
          plain(member(device, "kind")),
          plain(member(device, "controller")),
          plain(member(device, "port")),
          plain(member(device, member(device, "port_speed") != nullptr ? "port_speed" : "speed")),
          is_true(member(device, "configured")) ? "in use" : "not in use",
          details(device)};
}

Row row_of(const json::value& object, std::initializer_list<const char*> names) {
  Row row;
  for (const char* name : names) row.push_back(plain(member(object, name)));
  return row;
}

/// How many of `first` there are to one of `second`.
std::string ratio_text(const json::value* first, const json::value* second) {
  if (first == nullptr || second == nullptr || !first->is_number() || !second->is_number()) return "-";
  const auto divisor = second->to_number<double>();
  return divisor > 0 ? fmt::format("{:.1f}", first->to_number<double>() / divisor) : "-";
}

}  // namespace

std::string peripherals_table(std::string_view text) {
  const json::value answer = parse(text);
  std::vector<Row> rows{{"ID", "KIND", "CONTROLLER", "PORT", "SPEED", "GUEST", ""}};
  for (const json::value& device : items(answer, "devices")) rows.push_back(row_of(device));
  if (rows.size() == 1) return "Nothing is plugged in.";
  return aligned(rows);
}

std::string peripheral_line(std::string_view text) {
  const json::value device = parse(text);
  const json::value* const terminal = member(device, "terminal");
  if (plain(member(device, "state")) == "connecting") {
    return fmt::format("{} is connecting; `periplex list` shows what becomes of it", plain(member(device, "id")));
  }
  return fmt::format("{} is in port {} of {}{}", plain(member(device, "id")), plain(member(device, "port")),
                     plain(member(device, "controller")),
                     terminal == nullptr ? "" : "; its other end is " + terminal_name(*terminal));
}

std::string statistics_table(std::string_view text) {
  const json::value answer = parse(text);
  std::vector<Row> controllers{{"CONTROLLER", "CLIENTS", "MESSAGES", "INTERRUPTS", "RECEIVED", "SENT", "MAPPED"}};
  for (const json::value& controller : items(answer, "controllers")) {
    controllers.push_back(row_of(controller, {"name", "clients", "messages", "interrupts"}));
    for (const char* bytes : {"received_bytes", "sent_bytes", "mapped_bytes"}) {
      controllers.back().push_back(size_text(member(controller, bytes)));
    }
  }
  std::vector<Row> endpoints{{"ID", "ENDPOINT", "TYPE", "PACKETS", "REQUESTS", "PACKETS/REQUEST", "DATA SETS", "BYTES",
                              "ERRORS", "RESUBMITTED", "CANCELLED", "MISSED"}};
  for (const json::value& device : items(answer, "devices")) {
    for (const json::value& endpoint : items(device, "endpoints")) {
      Row row = row_of(endpoint, {"endpoint", "type", "guest_packets", "requests", "data_sets", "bytes", "errors",
                                  "resubmissions", "cancellations", "missed_intervals"});
      row.insert(row.begin(), plain(member(device, "id")));
      row.insert(row.begin() + 5, ratio_text(member(endpoint, "guest_packets"), member(endpoint, "requests")));
      endpoints.push_back(std::move(row));
    }
  }
  std::vector<Row> disks{{"DISK", "COMMANDS", "ROUND TRIPS", "HITS", "MISSES", "EARLY WRITES", "FAILED LATER", "READ",
                          "WRITTEN", "READ AHEAD", "WASTED"}};
  for (const json::value& device : items(answer, "devices")) {
    const json::value* const disk = member(device, "disk");
    if (disk == nullptr) continue;
    disks.push_back(row_of(*disk, {"commands", "round_trips", "read_ahead_hits", "read_ahead_misses", "early_writes",
                                   "failed_early_writes"}));
    disks.back().insert(disks.back().begin(), plain(member(device, "id")));
    for (const char* bytes : {"bytes_read", "bytes_written", "read_ahead_bytes", "wasted_bytes"}) {
      disks.back().push_back(size_text(member(*disk, bytes)));
    }
  }
  std::vector<Row> sessions{{"ID", "SESSION WITH ITS SEAT"}};
  for (const json::value& device : items(answer, "devices")) {
    const json::value* const session = member(device, "session");
    if (session == nullptr || !session->is_object()) continue;
    std::string counts;
    for (const auto& [name, count] : session->get_object()) {
      if (number(&count).value_or(0) > 0)
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", std::string_view(name), plain(&count));
    }
    sessions.push_back({plain(member(device, "id")), std::move(counts)});
  }
  const json::value* loop = member(answer, "loop");
  return aligned(controllers) +
         fmt::format("\n\nThe event loop woke up {} times.",
                     plain(loop == nullptr ? nullptr : member(*loop, "wakeups"))) +
         (endpoints.size() > 1 ? "\n\n" + aligned(endpoints) : "") + (disks.size() > 1 ? "\n\n" + aligned(disks) : "") +
         (sessions.size() > 1 ? "\n\n" + aligned(sessions) : "");
}

std::string text_member(std::string_view text, std::string_view name) {
  const json::value value = parse(text);
  const json::value* found = member(value, name);
  return found != nullptr && found->is_string() ? plain(found) : std::string();
}

std::optional<std::uint64_t> number_member(std::string_view text, std::string_view name) {
  const json::value value = parse(text);
  return number(member(value, name));
}

std::vector<ControllerClient> controller_clients(std::string_view text) {
  std::vector<ControllerClient> clients;
  for (const json::value& controller : items(parse(text), "controllers")) {
    const json::value* client = member(controller, "client");
    if (client == nullptr) continue;
    clients.push_back({.name = plain(member(controller, "name")),
                       .connected = is_true(member(*client, "connected")),
                       .shared_bytes = number(member(*client, "shared_bytes")).value_or(0)});
  }
  return clients;
}

std::optional<sandbox::Confinement> confinement_of(std::string_view text) {
  const json::value whole = parse(text);
  const json::value* found = member(whole, "confinement");
  if (found == nullptr) found = member(whole, "state");
  if (found == nullptr || member(*found, "in_force") == nullptr) return std::nullopt;
  const json::value& value = *found;
  sandbox::Confinement confinement;
  for (const json::value& one : items(value, "in_force")) confinement.in_force.push_back(plain(&one));
  for (const json::value& one : items(value, "missing")) confinement.missing.push_back(plain(&one));
  return confinement;
}

}  // namespace periplex::apps
