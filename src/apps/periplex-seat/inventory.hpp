// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/evdev_monitor.hpp"
#include "host/io_pool.hpp"
#include "host/usb/monitor.hpp"
#include "host/usb/open_device.hpp"
#include "host/usb/pool_calls.hpp"
#include "loop/event_loop.hpp"
#include "seat/configuration.hpp"
#include "seat/offers.hpp"

namespace periplex::apps {

/// What people want to know of a peripheral beside what rules can know.
struct Details {
  std::string speed;                 ///< USB only
  std::vector<std::string> drivers;  ///< of this computer that use it; USB only
  std::string kind_of_input;         ///< keyboard, mouse or tablet; input devices only
};

class InventoryListener {
 public:
  virtual void on_plugged(const seat::Offers::Entry& entry, const Details& details) = 0;
  virtual void on_unplugged(const seat::Offers::Entry& entry) = 0;

 protected:
  ~InventoryListener() = default;
};

/// Everything at this seat that rules decide on: USB devices, and input devices that are no USB devices. What is
/// offered goes to the `OffersListener`, ready to be opened.
class Inventory final : private host::UsbMonitorListener, private host::EvdevMonitorListener {
 public:
  /// The listeners hear of what is plugged in already from inside `start`.
  Inventory(EventLoop& loop, const seat::Configuration& configuration, seat::Consent* consent,
            seat::OffersListener& offers, InventoryListener& listener);
  Inventory(const Inventory&) = delete;
  Inventory& operator=(const Inventory&) = delete;
  /// Lets the loop run until the kernel's drivers have their devices back, for a moment at most. Whoever has opened
  /// devices has closed them by now.
  ~Inventory();

  /// Begins to look. A computer without USB, or a container that sees none, may have input devices still: the log
  /// tells.
  void start();
  [[nodiscard]] seat::Offers& offers() { return offers_; }

 private:
  void on_usb_arrived(const host::UsbDescription& device) override;
  void on_usb_left(const host::UsbDescription& device) override;
  void on_input_arrived(const host::EvdevDescription& device) override;
  void on_input_left(const host::EvdevDescription& device) override;
  void plugged(const std::string& place, seat::Peripheral peripheral, std::unique_ptr<seat::Source> source,
               const Details& details);
  void unplugged(const std::string& place);

  EventLoop& loop_;
  const seat::Configuration configuration_;
  InventoryListener& listener_;
  host::IoPool pool_;
  host::PoolCalls calls_;
  host::UsbfsMemory memory_;
  seat::Offers offers_;
  std::map<std::string, std::string> ids_;  // by the place: "1-2.3", "event3"
  std::unique_ptr<host::UsbMonitor> usb_;
  std::unique_ptr<host::EvdevMonitor> input_;
};

/// What rules are shown of a device.
[[nodiscard]] seat::Peripheral to_peripheral(const host::UsbDescription& device);
[[nodiscard]] seat::Peripheral to_peripheral(const host::EvdevDescription& device);

}  // namespace periplex::apps
