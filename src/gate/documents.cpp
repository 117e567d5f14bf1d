// SPDX-License-Identifier: Apache-2.0
#include "gate/documents.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace periplex::gate {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxPemText = 16 * 1024;
constexpr std::size_t kMaxPeripherals = 128;
constexpr std::size_t kMaxMeasures = 32;
constexpr std::size_t kMaxSentence = 512;

std::string_view plain(json::string_view text) {
  return {text.data(), text.size()};
}
json::string_view boosted(std::string_view text) {
  return {text.data(), text.size()};
}

/// Reads members of an object; the first mistake is kept.
class Members {
 public:
  Members(const json::object& object, std::string& mistake) : object_(object), mistake_(mistake) {}

  std::string text(std::string_view name, std::size_t most, bool required = true) {
    const json::value* const value = object_.if_contains(boosted(name));
    if (value == nullptr && !required) return {};
    if (value == nullptr || !value->is_string() || value->get_string().size() > most) {
      return wrong(fmt::format("\"{}\" is no text of at most {} characters", name, most)), std::string();
    }
    return std::string(plain(value->get_string()));
  }
  std::uint64_t number(std::string_view name, std::uint64_t most) {
    const json::value* const value = object_.if_contains(boosted(name));
    const bool good = value != nullptr && value->is_int64() && value->get_int64() >= 0 &&
                      static_cast<std::uint64_t>(value->get_int64()) <= most;
    if (!good) return wrong(fmt::format("\"{}\" is no number up to {}", name, most)), 0;
    return static_cast<std::uint64_t>(value->get_int64());
  }
  bool flag(std::string_view name) {
    const json::value* const value = object_.if_contains(boosted(name));
    if (value == nullptr || !value->is_bool())
      return wrong(fmt::format("\"{}\" is neither true nor false", name)), false;
    return value->get_bool();
  }
  /// Calls `read` with each member of the list `name`, which are objects.
  template <typename Read>
  void each(std::string_view name, std::size_t most, Read read) {
    const json::value* const value = object_.if_contains(boosted(name));
    if (value == nullptr) return;
    if (!value->is_array() || value->get_array().size() > most) {
      return wrong(fmt::format("\"{}\" is no list of at most {}", name, most));
    }
    for (const json::value& one : value->get_array()) {
      if (!one.is_object()) return wrong(fmt::format("\"{}\" has what is no object", name));
      read(Members(one.get_object(), mistake_));
    }
  }
  /// The member `name`, if it is there, as a list of texts.
  std::vector<std::string> texts(std::string_view name, std::size_t most, std::size_t longest) {
    const json::value* const value = object_.if_contains(boosted(name));
    if (value == nullptr) return {};
    std::vector<std::string> read;
    const bool list = value->is_array() && value->get_array().size() <= most;
    if (!list) return wrong(fmt::format("\"{}\" is no list of at most {}", name, most)), read;
    for (const json::value& one : value->get_array()) {
      if (!one.is_string() || one.get_string().size() > longest) {
        return wrong(fmt::format("\"{}\" has what is no text of at most {} characters", name, longest)), read;
      }
      read.emplace_back(plain(one.get_string()));
    }
    return read;
  }
  void wrong(std::string what) {
    if (mistake_.empty()) mistake_ = std::move(what);
  }

 private:
  const json::object& object_;
  std::string& mistake_;
};

Configuration read_configuration(Members from) {
  Configuration read{.name = from.text("name", kMaxName)};
  read.own.certificate = from.text("certificate", kMaxPemText);
  read.own.key = from.text("key", kMaxPemText);
  read.authority = from.text("authority", kMaxPemText);
  from.each("seats", kMaxSeats, [&](Members seat) {
    read.seats.push_back({.name = seat.text("name", kMaxName), .fingerprint = seat.text("fingerprint", 64)});
    if (!is_name(read.seats.back().name)) seat.wrong(fmt::format("\"{}\" is no seat's name", read.seats.back().name));
  });
  from.each("machines", kMaxMachines, [&](Members machine) {
    const std::string& name = read.machines.emplace_back(machine.text("name", kMaxName));
    if (!is_name(name)) machine.wrong(fmt::format("\"{}\" is no machine's name", name));
    if (std::ranges::count(read.machines, name) > 1) {
      machine.wrong(fmt::format("there are two machines \"{}\"", name));
    }
  });
  from.each("bindings", kMaxBindings, [&](Members binding) {
    read.bindings.push_back({.seat = binding.text("seat", kMaxName),
                             .peripheral = binding.text("peripheral", kMaxName),
                             .machine = binding.text("machine", kMaxName)});
  });
  from.each("limits", kMaxLimits, [&](Members limit) {
    read.limits.push_back(
        {.seat = limit.text("seat", kMaxName), .peripherals = limit.number("peripherals", UINT32_MAX)});
  });
  return read;
}

EnrolmentVerdict read_verdict(Members from) {
  return {.id = from.number("id", INT64_MAX),
          .name = from.text("name", kMaxName, false),
          .certificate = from.text("certificate", kMaxPemText, false),
          .why = from.text("why", 255, false)};
}

EnrolmentQuestion read_question(Members from) {
  return {.id = from.number("id", INT64_MAX),
          .digest = from.text("digest", 64),
          .request = from.text("request", kMaxPemText)};
}

State read_state(Members from) {
  State state;
  from.each("seats", kMaxSeats, [&](Members seat) {
    SeatState& one = state.seats.emplace_back();
    one = {.name = seat.text("name", kMaxName),
           .agent = seat.text("agent", 1024),
           .state = seat.text("state", 16),
           .datagrams = seat.text("datagrams", 16)};
    seat.each("peripherals", kMaxPeripherals, [&](Members peripheral) {
      one.peripherals.push_back({.id = peripheral.text("id", kMaxName),
                                 .kind = peripheral.text("kind", 16),
                                 .name = peripheral.text("name", 1024),
                                 .serial = peripheral.text("serial", 1024),
                                 .vendor = static_cast<std::uint16_t>(peripheral.number("vendor", 0xffff)),
                                 .product = static_cast<std::uint16_t>(peripheral.number("product", 0xffff)),
                                 .state = peripheral.text("state", 16),
                                 .machine = peripheral.text("machine", kMaxName),
                                 .why = peripheral.text("why", 1024)});
    });
  });
  from.each("machines", kMaxMachines, [&](Members machine) {
    state.machines.push_back({.name = machine.text("name", kMaxName), .worker = machine.flag("worker")});
  });
  state.confinement = {.in_force = from.texts("in_force", kMaxMeasures, kMaxSentence),
                       .missing = from.texts("missing", kMaxMeasures, kMaxSentence)};
  return state;
}

std::expected<json::object, std::string> parse_object(std::string_view line) {
  json::error_code error;
  json::value value = json::parse(boosted(line), error);
  if (error) return std::unexpected("it is no JSON");
  if (!value.is_object()) return std::unexpected("it is no JSON object");
  return std::move(value.get_object());
}

/// What `read` makes of the object that is the member `name`, if there is one.
template <typename Variant, typename Read>
std::optional<std::expected<Variant, std::string>> member(const json::object& object, std::string_view name,
                                                          Read read) {
  const json::value* const value = object.if_contains(boosted(name));
  if (value == nullptr || !value->is_object()) return std::nullopt;
  std::string mistake;
  Variant made = read(Members(value->get_object(), mistake));
  if (!mistake.empty()) return std::unexpected(fmt::format("{}: {}", name, mistake));
  return made;
}

std::string line_of(std::string_view name, json::object content) {
  json::object object;
  object[boosted(name)] = std::move(content);
  return json::serialize(object) + '\n';
}

}  // namespace

std::expected<Instruction, std::string> parse_instruction(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return std::unexpected(object.error());
  if (auto read = member<Instruction>(*object, "configure", read_configuration)) return std::move(*read);
  if (auto read = member<Instruction>(*object, "enrolment", read_verdict)) return std::move(*read);
  return std::unexpected("it is no instruction");
}

std::expected<Report, std::string> parse_report(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return std::unexpected(object.error());
  if (auto read = member<Report>(*object, "enrol", read_question)) return std::move(*read);
  if (auto read = member<Report>(*object, "state", read_state)) return std::move(*read);
  return std::unexpected("it is no report");
}

std::string to_line(const Configuration& configuration) {
  json::array seats;
  for (const KnownSeat& seat : configuration.seats) {
    seats.push_back(json::object{{"name", seat.name}, {"fingerprint", seat.fingerprint}});
  }
  json::array machines;
  for (const std::string& machine : configuration.machines) machines.push_back(json::object{{"name", machine}});
  json::array bindings;
  for (const Binding& binding : configuration.bindings) {
    bindings.push_back(
        json::object{{"seat", binding.seat}, {"peripheral", binding.peripheral}, {"machine", binding.machine}});
  }
  json::array limits;
  for (const Limit& limit : configuration.limits) {
    limits.push_back(json::object{{"seat", limit.seat}, {"peripherals", limit.peripherals}});
  }
  return line_of("configure", {{"name", configuration.name},
                               {"certificate", configuration.own.certificate},
                               {"key", configuration.own.key},
                               {"authority", configuration.authority},
                               {"seats", std::move(seats)},
                               {"machines", std::move(machines)},
                               {"bindings", std::move(bindings)},
                               {"limits", std::move(limits)}});
}

std::string to_line(const EnrolmentVerdict& verdict) {
  json::object content{{"id", verdict.id}};
  if (!verdict.certificate.empty()) {
    content["name"] = verdict.name;
    content["certificate"] = verdict.certificate;
  } else {
    content["why"] = verdict.why;
  }
  return line_of("enrolment", std::move(content));
}

std::string to_line(const EnrolmentQuestion& question) {
  return line_of("enrol", {{"id", question.id}, {"digest", question.digest}, {"request", question.request}});
}

std::string to_line(const State& state) {
  json::array seats;
  for (const SeatState& seat : state.seats) {
    json::array peripherals;
    for (const PeripheralState& one : seat.peripherals) {
      peripherals.push_back(json::object{{"id", one.id},
                                         {"kind", one.kind},
                                         {"name", one.name},
                                         {"serial", one.serial},
                                         {"vendor", one.vendor},
                                         {"product", one.product},
                                         {"state", one.state},
                                         {"machine", one.machine},
                                         {"why", one.why}});
    }
    seats.push_back(json::object{{"name", seat.name},
                                 {"agent", seat.agent},
                                 {"state", seat.state},
                                 {"datagrams", seat.datagrams},
                                 {"peripherals", std::move(peripherals)}});
  }
  json::array machines;
  for (const MachineState& machine : state.machines) {
    machines.push_back(json::object{{"name", machine.name}, {"worker", machine.worker}});
  }
  const auto texts = [](const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); };
  return line_of("state", {{"seats", std::move(seats)},
                           {"machines", std::move(machines)},
                           {"in_force", texts(state.confinement.in_force)},
                           {"missing", texts(state.confinement.missing)}});
}

}  // namespace periplex::gate
