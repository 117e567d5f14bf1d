// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/image_lock.hpp"
#include "host/io_pool.hpp"
#include "host/terminal.hpp"
#include "loop/event_loop.hpp"
#include "machine/operations.hpp"
#include "machine/presets.hpp"
#include "usb/bus.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"
#include "usb/device/serial.hpp"
#include "usb/device/sound.hpp"
#include "usb/device/storage.hpp"
#include "usb/observed_device.hpp"

namespace periplex::machine {

/// One peripheral: the emulated device, what it was asked to be, and what it stands on.
class Plugged {
 public:
  /// Makes the device; it is in no port yet. `files` are those that `description` names. `label` is for captures. What
  /// guests see of it is as `preset` says, if there is one.
  [[nodiscard]] static Outcome<std::unique_ptr<Plugged>> make(Description description, Files files,
                                                              const usb::DeviceLabel& label, EventLoop& loop,
                                                              host::IoPool& pool, const Preset* preset = nullptr);
  Plugged(const Plugged&) = delete;
  Plugged& operator=(const Plugged&) = delete;

  [[nodiscard]] const std::string& id() const { return description_.id; }
  /// Name of the controller that it is plugged into.
  [[nodiscard]] const std::string& controller() const { return description_.controller; }
  [[nodiscard]] usb::ObservedDevice& device() { return *device_; }
  [[nodiscard]] const usb::ObservedDevice& device() const { return *device_; }
  [[nodiscard]] PeripheralView view() const;

  /// Where it has been plugged in.
  void set_place(std::string controller, usb::PortNumber port, usb::Speed port_speed) {
    description_.controller = std::move(controller);
    port_ = port;
    if (port_speed != device().speed()) port_speed_ = port_speed;
  }

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
                             usb::device::HidMouse*, usb::device::Serial*,
                             usb::device::Sound*>;  // in the order of Description::options

  Plugged(Description description, const Preset* preset, Scheduler& scheduler)
      : description_(std::move(description)), preset_(preset), scheduler_(scheduler) {}

  [[nodiscard]] Outcome<std::unique_ptr<usb::device::BlockBackend>> open_image(UniqueFd image, std::string_view name,
                                                                               host::IoPool& pool);
  [[nodiscard]] Outcome<> make_device(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool);
  [[nodiscard]] Outcome<> make_storage(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool);
  [[nodiscard]] Outcome<> make_serial(Files files, const usb::DeviceLabel& label, EventLoop& loop);
  [[nodiscard]] Outcome<> make_sound(Files files, const usb::DeviceLabel& label, EventLoop& loop, host::IoPool& pool);
  template <typename Device>
  void own(std::unique_ptr<Device> device, const usb::DeviceLabel& label);
  [[nodiscard]] usb::Speed speed() const { return description_.speed.value_or(natural_speed(description_)); }
  [[nodiscard]] usb::device::Storage* storage() const;
  [[nodiscard]] usb::device::EmulatedDevice& emulated() const;

  Description description_;
  const Preset* const preset_;
  Scheduler& scheduler_;
  usb::PortNumber port_;
  std::optional<usb::Speed> port_speed_;
  std::shared_ptr<const host::ImageLock> lock_;
  host::Terminal* terminal_ = nullptr;  // of a serial line; points into device_
  Typed typed_;                         // points into device_
  std::unique_ptr<usb::ObservedDevice> device_;
};

}  // namespace periplex::machine
