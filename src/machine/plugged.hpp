// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "host/image_lock.hpp"
#include "host/io_pool.hpp"
#include "machine/operations.hpp"
#include "usb/bus.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"
#include "usb/device/storage.hpp"
#include "usb/observed_device.hpp"

namespace periplex::machine {

/// One peripheral: the emulated device, what it was asked to be, and what it stands on.
class Plugged {
 public:
  /// Makes the device; it is in no port yet. `image` is the open file of a disk. `label` is for captures.
  [[nodiscard]] static Outcome<std::unique_ptr<Plugged>> make(Description description, UniqueFd image,
                                                              const usb::DeviceLabel& label, Scheduler& scheduler,
                                                              host::IoPool& pool);
  Plugged(const Plugged&) = delete;
  Plugged& operator=(const Plugged&) = delete;

  [[nodiscard]] const std::string& id() const { return description_.id; }
  [[nodiscard]] usb::ObservedDevice& device() { return *device_; }
  [[nodiscard]] const usb::ObservedDevice& device() const { return *device_; }
  [[nodiscard]] PeripheralView view() const;

  void set_port(usb::PortNumber port) { port_ = port; }

  [[nodiscard]] Outcome<> eject(bool force);
  [[nodiscard]] Outcome<> insert(UniqueFd image, std::string name, host::IoPool& pool);

  [[nodiscard]] bool is_keyboard() const { return std::holds_alternative<Keyboard>(description_.options); }
  /// Whether it can do all of `actions`.
  [[nodiscard]] bool can_point(const std::vector<pointer::Action>& actions) const;
  /// Only for a keyboard.
  [[nodiscard]] Outcome<> type(std::string_view text);
  [[nodiscard]] Outcome<> press(const std::vector<std::string>& chords);
  /// Only if `can_point`.
  [[nodiscard]] Outcome<> point(const std::vector<pointer::Action>& actions);

  /// The lock of a disk's image, shared to survive the disk; for the end of the machine. Null without an image.
  [[nodiscard]] const std::shared_ptr<const host::ImageLock>& lock() const { return lock_; }

 private:
  using Typed = std::variant<usb::device::Storage*, usb::device::HidKeyboard*, usb::device::HidTablet*,
                             usb::device::HidMouse*>;  // in the order of Description::options

  explicit Plugged(Description description) : description_(std::move(description)) {}

  [[nodiscard]] Outcome<std::unique_ptr<usb::device::BlockBackend>> open_image(UniqueFd image, std::string_view name,
                                                                               host::IoPool& pool);
  [[nodiscard]] Outcome<> make_device(UniqueFd image, const usb::DeviceLabel& label, Scheduler& scheduler,
                                      host::IoPool& pool);
  template <typename Device>
  void own(std::unique_ptr<Device> device, const usb::DeviceLabel& label);
  [[nodiscard]] usb::device::Storage* storage() const;
  [[nodiscard]] usb::device::EmulatedDevice& emulated() const;

  Description description_;
  usb::PortNumber port_;
  std::shared_ptr<const host::ImageLock> lock_;
  Typed typed_;  // points into device_
  std::unique_ptr<usb::ObservedDevice> device_;
};

}  // namespace periplex::machine
