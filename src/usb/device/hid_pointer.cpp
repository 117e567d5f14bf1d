// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_pointer.hpp"

namespace periplex::usb::device {
namespace {

std::uint8_t bit_of(PointerButton button) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(button));
}

}  // namespace

bool HidPointer::press(PointerButton button) {
  if (!configured() || !queue_.set_buttons(queue_.buttons() | bit_of(button))) return false;
  reports_waiting();
  return true;
}

void HidPointer::release(PointerButton button) {
  // Without a press it is never refused.
  (void)queue_.set_buttons(queue_.buttons() & static_cast<std::uint8_t>(~bit_of(button)));
  if (configured()) {
    reports_waiting();
  } else {
    queue_.restart(false);
  }
}

void HidPointer::scroll(int wheel, int pan) {
  if (!configured()) return;
  queue_.scroll(wheel, pan);
  reports_waiting();
}

void HidPointer::move(int x, int y) {
  // While nobody listens a position is remembered, for the events that come; a distance is lost.
  queue_.move(x, y);
  if (configured()) {
    reports_waiting();
  } else {
    queue_.restart(false);
  }
}

std::optional<Bytes> HidPointer::next_report() {
  const auto event = queue_.take();
  if (!event) return std::nullopt;
  return encode(*event);
}

void HidPointer::restart_reports() {
  queue_.restart(configured());
}

}  // namespace periplex::usb::device
