// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "usb/device/hid_device.hpp"
#include "usb/device/pointer_queue.hpp"

namespace periplex::usb::device {

/// Buttons of a pointer, by their bit in a report; number 1 of the button page is `left`.
enum class PointerButton : std::uint8_t { left = 0, right = 1, middle = 2, side = 3, extra = 4 };

/// What tablet and mouse have in common: five buttons, a wheel, and a wheel that turns sideways.
///
/// While no driver in the guest uses the device nothing is queued, and presses are refused.
class HidPointer : public HidDevice {
 public:
  /// `false` if it was refused: no driver in the guest uses the device, or too many events wait for it.
  [[nodiscard]] bool press(PointerButton button);
  void release(PointerButton button);
  /// Turns the wheels: `wheel` away from the user, `pan` to the right, in notches.
  void scroll(int wheel, int pan);
  /// So many presses, releases and motions are surely taken.
  [[nodiscard]] std::size_t room() const { return queue_.room(); }

 protected:
  HidPointer(const HidDescription& hid, PointerQueue::Motion motion, std::string_view id, Speed speed,
             Scheduler& scheduler)
      : HidDevice(hid, id, speed, scheduler), queue_(motion) {}

  /// The report that tells of `event`.
  [[nodiscard]] virtual Bytes encode(const PointerQueue::Event& event) const = 0;
  void move(int x, int y);
  /// A position that is known although nobody listens yet is what GET_REPORT answers.
  [[nodiscard]] Bytes current_report() const final { return encode(queue_.state()); }

 private:
  std::optional<Bytes> next_report() final;
  void restart_reports() final;

  PointerQueue queue_;
};

}  // namespace periplex::usb::device
