// SPDX-License-Identifier: Apache-2.0
#include "host/usb/monitor.hpp"

#include <array>
#include <fmt/format.h>

namespace periplex::host {
namespace {

constexpr std::size_t kMostPorts = 7;  // tiers of a bus (USB 2.0 §4.1.1)

std::optional<UsbDescription> read_now(const std::string& port) {
  auto description = read_description(port);
  return description ? std::optional(std::move(*description)) : std::nullopt;
}

}  // namespace

std::expected<std::unique_ptr<UsbMonitor>, std::string> UsbMonitor::start(EventLoop& loop, CallThread& calls,
                                                                          UsbMonitorListener& listener) {
  int error = 0;
  LibusbContext context = make_libusb_context(true, error);
  if (context == nullptr) {
    return std::unexpected(fmt::format("libusb does not work on this computer: {}", libusb_error_name(error)));
  }
  if (libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) == 0) {
    return std::unexpected("this libusb does not tell when devices come and go");
  }
  auto monitor = std::unique_ptr<UsbMonitor>(new UsbMonitor(loop, calls, listener, std::move(context)));
  error = libusb_hotplug_register_callback(monitor->context_.get(),
                                           LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
                                           LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
                                           LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, monitor.get(), &monitor->callback_);
  if (error != 0) return std::unexpected(fmt::format("libusb does not watch devices: {}", libusb_error_name(error)));
  monitor->starting_ = false;
  return monitor;
}

UsbMonitor::UsbMonitor(EventLoop& loop, CallThread& calls, UsbMonitorListener& listener, LibusbContext context)
    : calls_(calls),
      listener_(listener),
      context_(std::move(context)),
      events_(loop, context_.get()),
      self_(std::make_shared<UsbMonitor*>(this)) {}

UsbMonitor::~UsbMonitor() {
  if (callback_ != 0) libusb_hotplug_deregister_callback(context_.get(), callback_);
}

int UsbMonitor::on_hotplug(libusb_context*, libusb_device* device, libusb_hotplug_event event, void* self) {
  static_cast<UsbMonitor*>(self)->on_event(device, event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
  return 0;  // go on
}

void UsbMonitor::on_event(libusb_device* device, bool arrived) {
  const UsbLocation location{.bus = libusb_get_bus_number(device), .address = libusb_get_device_address(device)};
  forget(location);
  if (!arrived) return;
  std::array<std::uint8_t, kMostPorts> ports{};
  const int count = libusb_get_port_numbers(device, ports.data(), static_cast<int>(ports.size()));
  if (count <= 0) return;  // a root hub
  const std::string port = port_name(location.bus, std::span(ports).first(static_cast<std::size_t>(count)));
  const std::uint64_t arrival = ++arrivals_;
  present_[location].arrival = arrival;
  if (starting_) return on_described(location, arrival, read_now(port));
  const auto description = std::make_shared<std::optional<UsbDescription>>();
  calls_.run([description, port] { return *description = read_now(port), 0; },
             [weak = std::weak_ptr(self_), description, location, arrival](int) {
               if (const auto self = weak.lock()) (*self)->on_described(location, arrival, std::move(*description));
             });
}

void UsbMonitor::on_described(UsbLocation location, std::uint64_t arrival, std::optional<UsbDescription> description) {
  const auto entry = present_.find(location);
  if (entry == present_.end() || entry->second.arrival != arrival) return;
  // It may have gone meanwhile, and another one come to its port: that one is told of next.
  if (!description || description->location != location) return;
  entry->second.description = std::move(description);
  listener_.on_usb_arrived(*entry->second.description);
}

void UsbMonitor::forget(UsbLocation location) {
  const auto known = present_.extract(location);
  if (!known.empty() && known.mapped().description) listener_.on_usb_left(*known.mapped().description);
}

}  // namespace periplex::host
