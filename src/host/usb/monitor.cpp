// SPDX-License-Identifier: Apache-2.0
#include "host/usb/monitor.hpp"

#include <array>
#include <fmt/format.h>

namespace periplex::host {
namespace {

constexpr std::size_t kMostPorts = 7;  // tiers of a bus (USB 2.0 §4.1.1)

}  // namespace

std::expected<std::unique_ptr<UsbMonitor>, std::string> UsbMonitor::start(EventLoop& loop,
                                                                          UsbMonitorListener& listener) {
  int error = 0;
  LibusbContext context = make_libusb_context(true, error);
  if (context == nullptr) {
    return std::unexpected(fmt::format("libusb does not work on this computer: {}", libusb_error_name(error)));
  }
  if (libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) == 0) {
    return std::unexpected("this libusb does not tell when devices come and go");
  }
  auto monitor = std::unique_ptr<UsbMonitor>(new UsbMonitor(loop, listener, std::move(context)));
  error = libusb_hotplug_register_callback(monitor->context_.get(),
                                           LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
                                           LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
                                           LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, monitor.get(), &monitor->callback_);
  if (error != 0) return std::unexpected(fmt::format("libusb does not watch devices: {}", libusb_error_name(error)));
  return monitor;
}

UsbMonitor::UsbMonitor(EventLoop& loop, UsbMonitorListener& listener, LibusbContext context)
    : listener_(listener), context_(std::move(context)), events_(loop, context_.get()) {}

UsbMonitor::~UsbMonitor() {
  if (callback_ != 0) libusb_hotplug_deregister_callback(context_.get(), callback_);
}

int UsbMonitor::on_hotplug(libusb_context*, libusb_device* device, libusb_hotplug_event event, void* self) {
  static_cast<UsbMonitor*>(self)->on_event(device, event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
  return 0;  // go on
}

void UsbMonitor::on_event(libusb_device* device, bool arrived) {
  const UsbLocation location{.bus = libusb_get_bus_number(device), .address = libusb_get_device_address(device)};
  if (const auto known = present_.find(location); known != present_.end()) {
    const UsbDescription gone = std::move(known->second);
    present_.erase(known);
    listener_.on_usb_left(gone);
  }
  if (!arrived) return;
  std::array<std::uint8_t, kMostPorts> ports{};
  const int count = libusb_get_port_numbers(device, ports.data(), static_cast<int>(ports.size()));
  if (count <= 0) return;  // a root hub
  auto description = read_description(port_name(location.bus, std::span(ports).first(static_cast<std::size_t>(count))));
  // It may have gone meanwhile, and another one come to its place: that one is told of next.
  if (!description || description->location != location) return;
  listener_.on_usb_arrived(present_.insert_or_assign(location, std::move(*description)).first->second);
}

}  // namespace periplex::host
