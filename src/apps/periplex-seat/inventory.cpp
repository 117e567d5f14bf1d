// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/inventory.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/log.hpp"
#include "host/evdev_device.hpp"

namespace periplex::apps {
namespace {

/// How long the end waits for devices that are given back.
constexpr Nanoseconds kPatience = std::chrono::seconds(5);
constexpr Nanoseconds kStep = std::chrono::milliseconds(50);
constexpr unsigned kUsbThreads = 8;  // a device that does not answer holds one

class UsbSource final : public seat::Source {
 public:
  UsbSource(const host::UsbPlace& place, host::UsbDescription description)
      : place_(place), description_(std::move(description)) {}

  void open(std::function<void()> gone, seat::OnOpened on_opened) override {
    host::open_usb_device(place_, description_,
                          [gone = std::move(gone), on_opened = std::move(on_opened)](auto device) mutable {
                            if (!device) return on_opened(std::unexpected(std::string(host::describe(device.error()))));
                            (*device)->set_on_gone(std::move(gone));
                            on_opened(std::move(*device));
                          });
  }

 private:
  host::UsbPlace place_;
  host::UsbDescription description_;
};

class InputSource final : public seat::Source {
 public:
  InputSource(EventLoop& loop, host::EvdevDescription description, std::string id, bool grab)
      : loop_(loop), description_(std::move(description)), id_(std::move(id)), grab_(grab) {}

  void open(std::function<void()> gone, seat::OnOpened on_opened) override {
    on_opened(host::EvdevDevice::open(loop_, description_, id_, grab_, std::move(gone)));
  }

 private:
  EventLoop& loop_;
  host::EvdevDescription description_;
  std::string id_;
  bool grab_;
};

std::string join_words(const std::string& first, const std::string& second) {
  if (first.empty() || second.empty() || second.starts_with(first)) return second.empty() ? first : second;
  return fmt::format("{} {}", first, second);
}

}  // namespace

seat::Peripheral to_peripheral(const host::UsbDescription& device) {
  seat::Peripheral peripheral{.kind = seat::Kind::usb,
                              .vendor = device.descriptors.device.vendor_id,
                              .product = device.descriptors.device.product_id,
                              .device_class = device.descriptors.device.device_class,
                              .serial_number = device.serial_number,
                              .place = device.port,
                              .description = join_words(device.manufacturer, device.product)};
  for (const auto& configuration : device.descriptors.configurations) {
    for (const auto& interface : configuration.interfaces) {
      peripheral.interface_classes.push_back(interface.descriptor.interface_class);
    }
  }
  std::ranges::sort(peripheral.interface_classes);
  const auto [first, last] = std::ranges::unique(peripheral.interface_classes);
  peripheral.interface_classes.erase(first, last);
  return peripheral;
}

seat::Peripheral to_peripheral(const host::EvdevDescription& device) {
  return {.kind = seat::Kind::input,
          .vendor = device.vendor,
          .product = device.product,
          .serial_number = device.serial_number,
          .place = device.place.empty() ? device.node : device.place,
          .description = device.name};
}

Inventory::Inventory(EventLoop& loop, const seat::Configuration& configuration, seat::Consent* consent,
                     seat::OffersListener& offers, InventoryListener& listener)
    : loop_(loop),
      configuration_(configuration),
      listener_(listener),
      pool_(loop, kUsbThreads),
      calls_(pool_),
      memory_(host::UsbfsMemory::limit_of_this_computer()),
      offers_(seat::Rules(configuration.rules), consent, offers) {}

Inventory::~Inventory() {
  usb_.reset();
  input_.reset();
  for (const Nanoseconds end = loop_.now() + kPatience; host::open_usb_devices() > 0 && loop_.now() < end;) {
    loop_.run_once(kStep);
  }
}

void Inventory::start() {
  auto usb = host::UsbMonitor::start(loop_, calls_, *this);
  if (usb) {
    usb_ = std::move(*usb);
  } else {
    log::warning("apps", fmt::format("no USB devices: {}", usb.error()));
  }
  host::EvdevMonitorListener& listener = *this;
  if (configuration_.input) input_ = std::make_unique<host::EvdevMonitor>(loop_, listener);
}

void Inventory::plugged(const std::string& place, seat::Peripheral peripheral, std::unique_ptr<seat::Source> source,
                        const Details& details) {
  const std::string id = offers_.arrived(std::move(peripheral), std::move(source));
  ids_[place] = id;
  listener_.on_plugged(offers_.entries().at(id), details);
}

void Inventory::unplugged(const std::string& place) {
  const auto known = ids_.find(place);
  if (known == ids_.end()) return;
  const auto entry = offers_.entries().find(known->second);
  if (entry != offers_.entries().end()) listener_.on_unplugged(entry->second);
  offers_.left(known->second);
  ids_.erase(known);
}

void Inventory::on_usb_arrived(const host::UsbDescription& device) {
  plugged(device.port, to_peripheral(device),
          std::make_unique<UsbSource>(host::UsbPlace{loop_, calls_, memory_}, device),
          {.speed = std::string(usb::name(device.speed)), .drivers = device.drivers, .kind_of_input = {}});
}

void Inventory::on_usb_left(const host::UsbDescription& device) {
  unplugged(device.port);
}

void Inventory::on_input_arrived(const host::EvdevDescription& device) {
  if (device.usb) return;  // it is there as a USB device
  seat::Peripheral peripheral = to_peripheral(device);
  auto source = std::make_unique<InputSource>(loop_, device, seat::identify(peripheral), configuration_.grab_input);
  plugged(device.node, std::move(peripheral), std::move(source),
          {.speed = {}, .drivers = {}, .kind_of_input = std::string(host::name(device.kind))});
}

void Inventory::on_input_left(const host::EvdevDescription& device) {
  unplugged(device.node);
}

}  // namespace periplex::apps
