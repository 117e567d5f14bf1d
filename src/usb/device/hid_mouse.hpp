// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "usb/device/hid_pointer.hpp"

namespace periplex::usb::device {

/// A pointer that tells how far it has moved (HID 1.11 appendix B.2).
///
/// In the boot protocol a report is buttons, X and Y; the report protocol adds both wheels. Long motions become several
/// reports, since a distance is a signed byte in both.
class HidMouse final : public HidPointer {
 public:
  HidMouse(std::string_view id, Speed speed, Scheduler& scheduler);

  /// Moves by `dx` to the right and `dy` down, in counts.
  void move_by(int dx, int dy) { move(dx, dy); }

 private:
  [[nodiscard]] Bytes encode(const PointerQueue::Event& event) const override;
};

}  // namespace periplex::usb::device
