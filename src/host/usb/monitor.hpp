// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "host/usb/description.hpp"
#include "host/usb/handle.hpp"
#include "host/usb/libusb_context.hpp"
#include "loop/event_loop.hpp"

namespace periplex::host {

/// Hears of the USB devices of this computer, from inside `UsbMonitor::start` on.
class UsbMonitorListener {
 public:
  virtual void on_usb_arrived(const UsbDescription& device) = 0;
  /// Called once for each that has arrived.
  virtual void on_usb_left(const UsbDescription& device) = 0;

 protected:
  ~UsbMonitorListener() = default;
};

/// Watches devices come and go, through libusb, which hears of them from udev: when permissions have been set. Root
/// hubs are not reported. One per process, before anything else of libusb's.
///
/// To read what the kernel says of a device can take as long as a driver has it locked. What comes later than the start
/// is therefore read on the call thread.
class UsbMonitor {
 public:
  /// Reports what is plugged in already. The error is a sentence.
  [[nodiscard]] static std::expected<std::unique_ptr<UsbMonitor>, std::string> start(EventLoop& loop, CallThread& calls,
                                                                                     UsbMonitorListener& listener);
  UsbMonitor(const UsbMonitor&) = delete;
  UsbMonitor& operator=(const UsbMonitor&) = delete;
  ~UsbMonitor();

 private:
  struct Entry {
    std::uint64_t arrival = 0;                  // tells it from what had its place before
    std::optional<UsbDescription> description;  // empty while it is being read
  };

  UsbMonitor(EventLoop& loop, CallThread& calls, UsbMonitorListener& listener, LibusbContext context);

  static int LIBUSB_CALL on_hotplug(libusb_context* context, libusb_device* device, libusb_hotplug_event event,
                                    void* self);
  void on_event(libusb_device* device, bool arrived);
  void forget(UsbLocation location);
  void on_described(UsbLocation location, std::uint64_t arrival, std::optional<UsbDescription> description);

  CallThread& calls_;
  UsbMonitorListener& listener_;
  LibusbContext context_;
  LibusbEvents events_;
  libusb_hotplug_callback_handle callback_ = 0;
  std::map<UsbLocation, Entry> present_;
  std::uint64_t arrivals_ = 0;
  bool starting_ = true;
  std::shared_ptr<UsbMonitor*> self_;  // expires with this: what is read then is for nobody
};

}  // namespace periplex::host
