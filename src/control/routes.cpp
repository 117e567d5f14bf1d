// SPDX-License-Identifier: Apache-2.0
#include "control/routes.hpp"

#include <fmt/format.h>

#include "control/arguments.hpp"
#include "control/json.hpp"
#include "control/metrics.hpp"

namespace periplex::control {
namespace {

using machine::Operations;
using machine::Outcome;
using machine::Reason;

http::Response ok(std::string body) {
  return {.status = 200, .body = std::move(body), .allow = {}};
}

/// The answer where there is nothing to say but that it is done.
Answer done(Outcome<> outcome) {
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  return ok("{}");
}

std::optional<std::string_view> id_of(const Call& call) {
  return call.id.empty() ? std::nullopt : std::optional(call.id);
}

UniqueFd take_file(Call& call) {
  return call.files.empty() ? UniqueFd() : std::move(call.files.front());
}

std::unexpected<machine::Refusal> no_file(std::string_view what) {
  return std::unexpected(machine::Refusal{
      Reason::invalid, fmt::format("{} comes as an open descriptor, which is not with this request", what),
      "pass it with SCM_RIGHTS, in the same sendmsg as the request, as `periplex` does"});
}

std::string_view stands_on(const machine::Description& description) {
  if (description.serial() != nullptr) return "a serial port's terminal";
  if (description.sound() != nullptr) return "each file of a sound card";
  if (description.is_remote()) return "the connection to a remote peripheral";
  return "a disk's image";
}

Answer get_machine(Call& call) {
  return ok(to_json(call.machine.view()));
}
Answer get_statistics(Call& call) {
  return ok(to_json(call.machine.statistics()));
}
Answer get_metrics(Call& call) {
  return http::Response{
      .status = 200,
      .body = metrics_text(call.machine.view(), call.machine.peripherals(), call.machine.statistics()),
      .allow = {},
      .content_type = std::string(kMetricsContentType)};
}
Answer list_peripherals(Call& call) {
  return ok(to_json(call.machine.peripherals()));
}

Answer get_peripheral(Call& call) {
  for (const machine::PeripheralView& peripheral : call.machine.peripherals()) {
    if (peripheral.description.id == call.id) return ok(to_json(peripheral));
  }
  return std::unexpected(machine::Refusal{Reason::not_found, fmt::format("there is no peripheral \"{}\"", call.id),
                                          "`periplex list` shows those there are"});
}

Answer attach(Call& call) {
  auto description = parse_description(call.request.body);
  if (!description) return std::unexpected(std::move(description.error()));
  if (call.files.size() < machine::needed_files(*description)) {
    return no_file(stands_on(*description));
  }
  auto attached = call.machine.attach(std::move(*description), std::move(call.files));
  if (!attached) return std::unexpected(std::move(attached.error()));
  return http::Response{.status = 201, .body = to_json(*attached), .allow = {}};
}

Answer detach(Call& call) {
  return done(call.machine.detach(call.id));
}
Answer eject(Call& call) {
  const std::string_view force = call.request.parameter("force");
  return done(call.machine.eject(call.id, force == "true"));
}

Answer insert(Call& call) {
  auto image = parse_text(call.request.body, "image");
  if (!image) return std::unexpected(std::move(image.error()));
  if (call.files.empty()) return no_file("the image");
  return done(call.machine.insert(call.id, take_file(call), std::move(*image)));
}

Answer type_text(Call& call) {
  const auto text = parse_text(call.request.body, "text");
  if (!text) return std::unexpected(text.error());
  return done(call.machine.type(id_of(call), *text));
}

Answer press_keys(Call& call) {
  const auto keys = parse_keys(call.request.body);
  if (!keys) return std::unexpected(keys.error());
  return done(call.machine.press(id_of(call), *keys));
}

Answer move_pointer(Call& call) {
  const auto actions = parse_pointer(call.request.body);
  if (!actions) return std::unexpected(actions.error());
  return done(call.machine.point(id_of(call), *actions));
}

Answer get_arguments(Call& call) {
  const auto monitor = parse_monitor(call.request.parameter("vmm"));
  if (!monitor) {
    return std::unexpected(machine::Refusal{Reason::invalid,
                                            fmt::format("there is no vmm \"{}\"", call.request.parameter("vmm")),
                                            "ask for vmm=qemu, vmm=libvirt or vmm=cloud-hypervisor"});
  }
  std::string_view memory = call.request.parameter("memory");
  if (memory.empty()) memory = "2G";
  if (!parse_memory_size(memory)) {
    return std::unexpected(machine::Refusal{Reason::invalid, fmt::format("\"{}\" is not a size of memory", memory),
                                            "write it like 512M or 2G"});
  }
  const MonitorArguments arguments = monitor_arguments(*monitor, call.machine.view().controllers, memory);
  return ok(arguments_json(name(*monitor), arguments.words, arguments.text));
}

Answer start_capture(Call& call) {
  auto name = parse_text(call.request.body, "name");
  if (!name) return std::unexpected(std::move(name.error()));
  if (call.files.empty()) return no_file("the capture file");
  return done(call.machine.start_capture(take_file(call), std::move(*name)));
}

Answer stop_capture(Call& call) {
  const auto capture = call.machine.stop_capture();
  if (!capture) return std::unexpected(capture.error());
  return ok(to_json(*capture));
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/machine", get_machine},
    {"GET", "/v1/peripherals", list_peripherals},
    {"POST", "/v1/peripherals", attach},
    {"GET", "/v1/peripherals/{id}", get_peripheral},
    {"DELETE", "/v1/peripherals/{id}", detach},
    {"POST", "/v1/peripherals/{id}/eject", eject},
    {"POST", "/v1/peripherals/{id}/insert", insert},
    {"POST", "/v1/peripherals/{id}/type", type_text},
    {"POST", "/v1/peripherals/{id}/keys", press_keys},
    {"POST", "/v1/peripherals/{id}/pointer", move_pointer},
    {"POST", "/v1/type", type_text},
    {"POST", "/v1/keys", press_keys},
    {"POST", "/v1/pointer", move_pointer},
    {"GET", "/v1/statistics", get_statistics},
    {"GET", "/v1/metrics", get_metrics},
    {"GET", "/v1/arguments", get_arguments},
    {"POST", "/v1/capture/start", start_capture},
    {"POST", "/v1/capture/stop", stop_capture},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

}  // namespace periplex::control
