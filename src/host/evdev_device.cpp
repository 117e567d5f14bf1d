// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_device.hpp"

#include <linux/input-event-codes.h>

namespace periplex::host {

std::expected<std::unique_ptr<EvdevDevice>, std::string> EvdevDevice::open(EventLoop& loop,
                                                                           const EvdevDescription& description,
                                                                           std::string_view id, bool grab,
                                                                           std::function<void()> gone) {
  auto file = EvdevNode::open(description.node);
  if (!file) return std::unexpected(std::move(file.error()));
  auto device = std::unique_ptr<EvdevDevice>(new EvdevDevice(loop, std::move(*file), description.kind, id, grab));
  device->node_.start(*device->feed_, std::move(gone));
  return device;
}

EvdevDevice::EvdevDevice(EventLoop& loop, UniqueFd file, EvdevKind kind, std::string_view id, bool grab)
    : node_(loop, std::move(file), grab) {
  // Full speed, which every controller has; a report takes a millisecond at most.
  constexpr auto kSpeed = usb::Speed::full;
  switch (kind) {
    case EvdevKind::keyboard: {
      auto keyboard = std::make_unique<usb::device::HidKeyboard>(id, kSpeed, loop);
      keyboard->set_on_leds([this](const usb::device::KeyboardLeds& leds) { node_.show_leds(leds); });
      feed_ = std::make_unique<EvdevKeyboardFeed>(*keyboard);
      device_ = std::move(keyboard);
      return;
    }
    case EvdevKind::mouse: {
      auto mouse = std::make_unique<usb::device::HidMouse>(id, kSpeed, loop);
      feed_ = std::make_unique<EvdevMouseFeed>(*mouse);
      device_ = std::move(mouse);
      return;
    }
    case EvdevKind::tablet: {
      auto tablet = std::make_unique<usb::device::HidTablet>(id, kSpeed, loop);
      feed_ = std::make_unique<EvdevTabletFeed>(*tablet, node_.range(ABS_X), node_.range(ABS_Y));
      device_ = std::move(tablet);
      return;
    }
  }
}

}  // namespace periplex::host
