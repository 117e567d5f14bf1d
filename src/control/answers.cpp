// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <fmt/format.h>

#include "control/json.hpp"

namespace periplex::control {
namespace {

namespace json = boost::json;

json::object object_of(const machine::PeripheralView& peripheral) {
  const machine::Description& description = peripheral.description;
  json::object object{{"id", description.id},
                      {"kind", description.kind()},
                      {"speed", usb::name(description.speed)},
                      {"port", peripheral.port},
                      {"configured", peripheral.configured}};
  if (const machine::Storage* storage = description.storage()) {
    object["image"] = storage->image;
    object["size"] = peripheral.size;
    object["readonly"] = storage->readonly;
    object["removable"] = storage->removable;
    object["medium"] = peripheral.medium;
    object["locked"] = peripheral.locked;
  }
  if (peripheral.leds) object["leds"] = json::array(peripheral.leds->begin(), peripheral.leds->end());
  return object;
}

json::object object_of(const machine::CaptureView& capture) {
  return {{"name", capture.name}, {"packets", capture.packets}, {"dropped", capture.dropped}};
}

json::object object_of(const std::vector<machine::Counter>& counters) {
  json::object object;
  for (const machine::Counter& counter : counters) object[counter.name] = counter.value;
  return object;
}

std::string_view type_name(usb::TransferType type) {
  switch (type) {
    case usb::TransferType::control:
      return "control";
    case usb::TransferType::isochronous:
      return "isochronous";
    case usb::TransferType::bulk:
      return "bulk";
    case usb::TransferType::interrupt:
      return "interrupt";
  }
  return "?";
}

json::object object_of(const machine::EndpointStatistics& endpoint) {
  return {{"endpoint", fmt::format("0x{:02x}", endpoint.endpoint.value)},
          {"type", type_name(endpoint.type)},
          {"descriptors", endpoint.descriptors},
          {"transfers", endpoint.transfers},
          {"bytes", endpoint.bytes},
          {"errors", endpoint.errors}};
}

}  // namespace

std::string error_json(std::string_view text, std::string_view advice) {
  return json::serialize(json::object{{"error", text}, {"advice", advice}});
}

std::string to_json(const machine::MachineView& machine) {
  json::object object{
      {"name", machine.name},
      {"pid", machine.process},
      {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(machine.uptime).count()},
      {"sockets", {{"xhci", machine.device_socket}, {"control", machine.control_socket}}},
      {"ports", {{"usb2", machine.usb2_ports}, {"usb3", machine.usb3_ports}}},
      {"client", {{"connected", machine.client.connected}, {"shared_bytes", machine.client.shared_bytes}}}};
  object["capture"] = machine.capture ? json::value(object_of(*machine.capture)) : json::value(nullptr);
  return json::serialize(object);
}

std::string to_json(const machine::PeripheralView& peripheral) {
  return json::serialize(object_of(peripheral));
}

std::string to_json(const std::vector<machine::PeripheralView>& peripherals) {
  json::array devices;
  for (const machine::PeripheralView& peripheral : peripherals) devices.push_back(object_of(peripheral));
  return json::serialize(json::object{{"devices", std::move(devices)}});
}

std::string to_json(const machine::Statistics& statistics) {
  json::array devices;
  for (const machine::PeripheralStatistics& peripheral : statistics.peripherals) {
    json::array endpoints;
    for (const machine::EndpointStatistics& endpoint : peripheral.endpoints) endpoints.push_back(object_of(endpoint));
    devices.push_back(json::object{{"id", peripheral.id}, {"endpoints", std::move(endpoints)}});
  }
  return json::serialize(json::object{
      {"server", object_of(statistics.server)}, {"loop", object_of(statistics.loop)}, {"devices", std::move(devices)}});
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
