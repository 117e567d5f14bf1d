// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "usb/device/hid_pointer.hpp"

namespace periplex::usb::device {

/// A pointer that tells where it is: the guest's pointer stands where the user's does.
///
/// A HID mouse with absolute axes, which Linux, Windows and macOS drive without being told anything; as such it has no
/// boot protocol, and firmware leaves it alone.
class HidTablet final : public HidPointer {
 public:
  /// Both axes go from 0 to this, over the whole of the guest's screen.
  static constexpr int kMaxPosition = 32767;

  HidTablet(std::string_view id, Speed speed, Scheduler& scheduler);

  /// Positions outside the screen are moved to its edge.
  void move_to(int x, int y);

 private:
  [[nodiscard]] Bytes encode(const PointerQueue::Event& event) const override;
};

}  // namespace periplex::usb::device
