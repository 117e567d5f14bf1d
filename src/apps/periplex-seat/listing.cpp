// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/listing.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace periplex::apps {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostDescription = 60;

/// Control characters, and with them every escape sequence, become dots.
std::string harmless(std::string_view text) {
  std::string out(text.substr(0, kMostDescription));
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '.');
  return out;
}

std::string what(const Listed& one) {
  if (one.peripheral.kind == seat::Kind::input) return one.details.kind_of_input;
  return fmt::format("USB, {} speed", one.details.speed);
}

std::string decision(const Listed& one) {
  return fmt::format("{}: {}", seat::name(one.decision.action), one.decision.by);
}

json::object peripheral_object(const Listed& one) {
  const seat::Peripheral& peripheral = one.peripheral;
  json::object object{{"id", one.id},
                      {"kind", std::string(seat::name(peripheral.kind))},
                      {"vendor", fmt::format("{:04x}", peripheral.vendor)},
                      {"product", fmt::format("{:04x}", peripheral.product)},
                      {"serial", peripheral.serial_number},
                      {"place", peripheral.place},
                      {"description", peripheral.description},
                      {"action", std::string(seat::name(one.decision.action))},
                      {"by", one.decision.by}};
  if (peripheral.kind == seat::Kind::usb) {
    object["class"] = peripheral.device_class;
    object["interface_classes"] = json::array(peripheral.interface_classes.begin(), peripheral.interface_classes.end());
    object["speed"] = one.details.speed;
    object["drivers"] = json::array(one.details.drivers.begin(), one.details.drivers.end());
  } else {
    object["input"] = one.details.kind_of_input;
  }
  return object;
}

}  // namespace

std::string table(const std::vector<Listed>& all) {
  if (all.empty()) return "There is nothing that could be offered.\n";
  using Row = std::array<std::string, 5>;
  std::vector<Row> rows{{"ID", "KIND", "DESCRIPTION", "PLACE", "OFFERED?"}};
  for (const Listed& one : all) {
    rows.push_back(
        {one.id, what(one), harmless(one.peripheral.description), harmless(one.peripheral.place), decision(one)});
  }
  Row widest{};
  std::array<std::size_t, widest.size()> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) out += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += row.back() + "\n";
  }
  return out;
}

std::string line(const Listed& one) {
  return fmt::format("{}  {} ({}) {}", one.id, harmless(one.peripheral.description), what(one), decision(one));
}

std::string to_json(const std::vector<Listed>& all) {
  json::array list;
  for (const Listed& one : all) list.push_back(peripheral_object(one));
  return json::serialize(json::object{{"peripherals", std::move(list)}});
}

std::string event_json(std::string_view event, const Listed& one) {
  return json::serialize(json::object{{"event", std::string(event)}, {"peripheral", peripheral_object(one)}});
}

}  // namespace periplex::apps
