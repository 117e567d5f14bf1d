// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <fmt/format.h>

#include "control/json.hpp"

namespace periplex::control {
namespace {

namespace json = boost::json;

json::object object_of(const machine::TerminalView& terminal, const std::string& link) {
  json::object object{{"path", terminal.path}};
  if (!link.empty()) object["link"] = link;
  object["open"] = terminal.open;
  object["ready"] = terminal.ready;
  object["bit_rate"] = terminal.bit_rate;
  return object;
}

/// What stands for a peripheral that is somewhere else.
void add_remote(json::object& object, const machine::Description& description, const machine::RemoteView& remote) {
  if (const machine::Usbip* usbip = description.usbip()) {
    object[usbip->listen.empty() ? "host" : "listen"] = usbip->listen.empty() ? usbip->host : usbip->listen;
    object["busid"] = usbip->bus_id;
  }
  if (const machine::Seat* seat = description.seat()) object["peripheral"] = seat->peripheral;
  if (const machine::Usbredir* usbredir = description.usbredir()) object["host"] = usbredir->host;
  object["state"] = machine::name(remote.state);
  if (!remote.why.empty()) object["why"] = remote.why;
  if (!remote.disk) return;
  json::object& disk = (object["disk"] = {{"terminated", remote.disk->terminated}}).get_object();
  if (!remote.disk->terminated) return;
  disk["read_ahead"] = remote.disk->read_ahead;
  disk["write_cache"] = remote.disk->write_cache;
}

/// Null for what is somewhere else and in no port yet.
json::value speed_of(const machine::Description& description) {
  if (description.is_remote() && !description.speed) return nullptr;
  return json::value(usb::name(description.speed.value_or(machine::natural_speed(description))));
}

json::object object_of(const machine::PeripheralView& peripheral) {
  const machine::Description& description = peripheral.description;
  json::object object{{"id", description.id},           {"kind", description.kind()},
                      {"speed", speed_of(description)}, {"controller", description.controller},
                      {"port", peripheral.port},        {"configured", peripheral.configured}};
  if (peripheral.port_speed) object["port_speed"] = usb::name(*peripheral.port_speed);
  if (const machine::Storage* storage = description.storage()) {
    object["image"] = storage->image;
    object["size"] = peripheral.size;
    object["readonly"] = storage->readonly;
    object["removable"] = storage->removable;
    object["transport"] = machine::name(storage->transport);
    object["medium"] = peripheral.medium;
    object["locked"] = peripheral.locked;
  }
  if (const machine::Sound* sound = description.sound()) {
    if (!sound->playback.empty()) object["playback"] = sound->playback;
    if (!sound->capture.empty()) object["capture"] = sound->capture;
  }
  if (peripheral.terminal) object["terminal"] = object_of(*peripheral.terminal, description.serial()->link);
  if (peripheral.remote) add_remote(object, description, *peripheral.remote);
  if (peripheral.leds) object["leds"] = json::array(peripheral.leds->begin(), peripheral.leds->end());
  return object;
}

json::object object_of(const machine::CaptureView& capture) {
  return {{"name", capture.name}, {"packets", capture.packets}, {"dropped", capture.dropped}};
}

json::object object_of(const machine::EndpointStatistics& endpoint) {
  const usb::EndpointCounters& counters = endpoint.counters;
  return {{"endpoint", fmt::format("0x{:02x}", endpoint.endpoint.value)},
          {"type", usb::name(endpoint.type)},
          {"guest_packets", counters.guest_packets},
          {"data_sets", counters.data_sets},
          {"requests", counters.requests},
          {"resubmissions", counters.resubmissions},
          {"cancellations", counters.cancellations},
          {"bytes", counters.bytes},
          {"errors", counters.errors},
          {"missed_intervals", counters.missed_intervals}};
}

json::object object_of(const machine::DiskStatistics& disk) {
  return {{"commands", disk.commands},
          {"round_trips", disk.round_trips},
          {"bytes_read", disk.bytes_read},
          {"bytes_written", disk.bytes_written},
          {"read_ahead_hits", disk.read_ahead_hits},
          {"read_ahead_misses", disk.read_ahead_misses},
          {"read_ahead_bytes", disk.read_ahead_bytes},
          {"wasted_bytes", disk.wasted_bytes},
          {"early_writes", disk.early_writes},
          {"failed_early_writes", disk.failed_early_writes}};
}

json::object object_of(const std::vector<remote::Count>& counts) {
  json::object object;
  for (const remote::Count& count : counts) object[count.name] = count.value;
  return object;
}

json::object object_of(const machine::ControllerStatistics& controller) {
  return {{"name", controller.name},
          {"clients", controller.clients},
          {"messages", controller.messages},
          {"received_bytes", controller.received_bytes},
          {"sent_bytes", controller.sent_bytes},
          {"interrupts", controller.interrupts},
          {"mapped_bytes", controller.mapped_bytes}};
}

json::object object_of(const machine::Ports& ports) {
  json::object object;
  if (ports.usb1 > 0) object["usb1"] = ports.usb1;
  if (ports.usb2 > 0) object["usb2"] = ports.usb2;
  if (ports.usb3 > 0) object["usb3"] = ports.usb3;
  return object;
}

json::object object_of(const machine::ControllerView& controller) {
  json::object object{{"name", controller.name}, {"kind", controller.kind}, {"socket", controller.socket}};
  if (!controller.companion_of.empty()) object["companion_of"] = controller.companion_of;
  object["ports"] = object_of(controller.ports);
  object["client"] = {{"connected", controller.client.connected}, {"shared_bytes", controller.client.shared_bytes}};
  return object;
}

template <typename T>
json::array array_of(const std::vector<T>& values) {
  json::array array;
  for (const T& value : values) array.push_back(object_of(value));
  return array;
}

}  // namespace

std::string error_json(std::string_view text, std::string_view advice) {
  return json::serialize(json::object{{"error", text}, {"advice", advice}});
}

std::string to_json(const machine::MachineView& machine) {
  json::object object{{"name", machine.name},
                      {"pid", machine.process},
                      {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(machine.uptime).count()},
                      {"control", machine.control_socket},
                      {"controllers", array_of(machine.controllers)}};
  if (const auto& confinement = machine.confinement) {
    object["confinement"] = {{"in_force", json::array(confinement->in_force.begin(), confinement->in_force.end())},
                             {"missing", json::array(confinement->missing.begin(), confinement->missing.end())}};
  }
  object["capture"] = machine.capture ? json::value(object_of(*machine.capture)) : json::value(nullptr);
  return json::serialize(object);
}

std::string to_json(const machine::PeripheralView& peripheral) {
  return json::serialize(object_of(peripheral));
}

std::string to_json(const std::vector<machine::PeripheralView>& peripherals) {
  return json::serialize(json::object{{"devices", array_of(peripherals)}});
}

std::string to_json(const machine::Statistics& statistics) {
  json::array devices;
  for (const machine::PeripheralStatistics& peripheral : statistics.peripherals) {
    json::object device{
        {"id", peripheral.id}, {"controller", peripheral.controller}, {"endpoints", array_of(peripheral.endpoints)}};
    if (peripheral.disk) device["disk"] = object_of(*peripheral.disk);
    if (!peripheral.session.empty()) device["session"] = object_of(peripheral.session);
    devices.push_back(std::move(device));
  }
  return json::serialize(json::object{{"loop", {{"wakeups", statistics.wakeups}}},
                                      {"controllers", array_of(statistics.controllers)},
                                      {"devices", std::move(devices)}});
}

std::string to_json(const machine::CaptureView& capture) {
  return json::serialize(object_of(capture));
}

std::string to_json(const machine::Description& description) {
  json::object object{{"kind", description.kind()}};
  for (const machine::Setting& setting : machine::settings(description)) object[setting.key] = setting.value;
  return json::serialize(object);
}

std::string text_json(std::string_view name, std::string_view value) {
  return json::serialize(json::object{{name, value}});
}

std::string keys_json(const std::vector<std::string>& chords) {
  return json::serialize(json::object{{"keys", json::array(chords.begin(), chords.end())}});
}

std::string arguments_json(std::string_view vmm, const std::vector<std::string>& arguments, std::string_view text) {
  return json::serialize(
      json::object{{"vmm", vmm}, {"arguments", json::array(arguments.begin(), arguments.end())}, {"text", text}});
}

}  // namespace periplex::control
