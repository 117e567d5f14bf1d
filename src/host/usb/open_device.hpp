// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string_view>

#include "host/usb/description.hpp"
#include "host/usb/device.hpp"
#include "host/usb/handle.hpp"
#include "host/usb/memory.hpp"
#include "loop/event_loop.hpp"

namespace periplex::host {

enum class UsbError : std::uint8_t {
  not_permitted,  ///< this user may not use it
  gone,           ///< it is not there any more
  in_use,         ///< another program has it
  failed,         ///< anything else
};

/// A sentence for the person at the computer.
[[nodiscard]] std::string_view describe(UsbError error);

using OnUsbOpened = std::move_only_function<void(std::expected<std::unique_ptr<UsbDevice>, UsbError>)>;

/// What devices are opened with. All of it must outlive them, and `open_usb_devices` tell when they are closed.
struct UsbPlace {
  EventLoop& loop;
  CallThread& calls;
  UsbfsMemory& memory;
};

/// Opens the device that `description` tells of, and takes its interfaces from the kernel's drivers. `on_opened` is
/// called on the loop, later.
void open_usb_device(const UsbPlace& place, const UsbDescription& description, OnUsbOpened on_opened);

/// How many are open in this process, or on their way to be closed: they give the kernel's drivers back first, for
/// which the loop must run.
[[nodiscard]] unsigned open_usb_devices();

}  // namespace periplex::host
