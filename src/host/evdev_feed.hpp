// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "usb/device/hid_keyboard.hpp"
#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"

namespace periplex::host {

/// An event of Linux's input layer, without its time (struct input_event).
struct EvdevEvent {
  std::uint16_t type = 0;
  std::uint16_t code = 0;
  std::int32_t value = 0;
};

/// The values an absolute axis can have (struct input_absinfo).
struct EvdevRange {
  std::int32_t minimum = 0;
  std::int32_t maximum = 0;
};

/// Turns one input device's events into what a USB device of ours is told. Key codes travel: no layout is applied, and
/// repetition is the guest's own.
class EvdevFeed {
 public:
  virtual ~EvdevFeed() = default;
  virtual void handle(const EvdevEvent& event) = 0;
  /// Events have been lost: `codes` are all keys and buttons that are down now.
  virtual void set_pressed(std::span<const std::uint16_t> codes) = 0;
};

class EvdevKeyboardFeed final : public EvdevFeed {
 public:
  explicit EvdevKeyboardFeed(usb::device::HidKeyboard& keyboard) : keyboard_(keyboard) {}
  void handle(const EvdevEvent& event) override;
  void set_pressed(std::span<const std::uint16_t> codes) override;

 private:
  usb::device::HidKeyboard& keyboard_;
};

/// Both kinds of pointers. Motion is told when the group of events that it comes in is complete (SYN_REPORT).
class EvdevPointerFeed : public EvdevFeed {
 public:
  void handle(const EvdevEvent& event) final;
  void set_pressed(std::span<const std::uint16_t> codes) final;

 protected:
  explicit EvdevPointerFeed(usb::device::HidPointer& pointer) : pointer_(pointer) {}
  virtual void on_axis(const EvdevEvent& event) = 0;
  virtual void on_group_end() = 0;

 private:
  void on_button(std::uint16_t code, bool down);

  usb::device::HidPointer& pointer_;
  std::set<std::uint16_t> down_;  // codes: several may mean one button
  int wheel_ = 0;
  int pan_ = 0;
};

class EvdevMouseFeed final : public EvdevPointerFeed {
 public:
  explicit EvdevMouseFeed(usb::device::HidMouse& mouse) : EvdevPointerFeed(mouse), mouse_(mouse) {}

 private:
  void on_axis(const EvdevEvent& event) override;
  void on_group_end() override;

  usb::device::HidMouse& mouse_;
  int dx_ = 0;
  int dy_ = 0;
};

class EvdevTabletFeed final : public EvdevPointerFeed {
 public:
  EvdevTabletFeed(usb::device::HidTablet& tablet, EvdevRange x, EvdevRange y)
      : EvdevPointerFeed(tablet), tablet_(tablet), x_range_(x), y_range_(y) {}

 private:
  void on_axis(const EvdevEvent& event) override;
  void on_group_end() override;

  usb::device::HidTablet& tablet_;
  const EvdevRange x_range_;
  const EvdevRange y_range_;
  int x_ = 0;
  int y_ = 0;
  bool moved_ = false;
};

}  // namespace periplex::host
