// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_mouse.hpp"

#include "usb/device/product_ids.hpp"

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t kReportDescriptor[] = {
    0x05, 0x01,        // Usage Page (Generic Desktop)
    0x09, 0x02,        // Usage (Mouse)
    0xa1, 0x01,        // Collection (Application)
    0x09, 0x01,        //   Usage (Pointer)
    0xa1, 0x00,        //   Collection (Physical)
    0x05, 0x09,        //     Usage Page (Button)
    0x19, 0x01,        //     Usage Minimum (1)
    0x29, 0x05,        //     Usage Maximum (5)
    0x15, 0x00,        //     Logical Minimum (0)
    0x25, 0x01,        //     Logical Maximum (1)
    0x95, 0x05,        //     Report Count (5)
    0x75, 0x01,        //     Report Size (1)
    0x81, 0x02,        //     Input (Data, Variable, Absolute): buttons
    0x95, 0x01,        //     Report Count (1)
    0x75, 0x03,        //     Report Size (3)
    0x81, 0x01,        //     Input (Constant): padding
    0x05, 0x01,        //     Usage Page (Generic Desktop)
    0x09, 0x30,        //     Usage (X)
    0x09, 0x31,        //     Usage (Y)
    0x09, 0x38,        //     Usage (Wheel)
    0x15, 0x81,        //     Logical Minimum (-127)
    0x25, 0x7f,        //     Logical Maximum (127)
    0x75, 0x08,        //     Report Size (8)
    0x95, 0x03,        //     Report Count (3)
    0x81, 0x06,        //     Input (Data, Variable, Relative): motion and wheel
    0x05, 0x0c,        //     Usage Page (Consumer)
    0x0a, 0x38, 0x02,  //     Usage (AC Pan)
    0x95, 0x01,        //     Report Count (1)
    0x81, 0x06,        //     Input (Data, Variable, Relative): pan
    0xc0,              //   End Collection
    0xc0,              // End Collection
};

constexpr HidDescription kMouse{
    .product_id = kMouseProductId,
    .product = "Mouse",
    .subclass = 1,
    .protocol = 2,
    .report_size = 5,
    .interval = std::chrono::milliseconds(4),
    .report_descriptor = kReportDescriptor,
};

}  // namespace

HidMouse::HidMouse(std::string_view id, Speed speed, Scheduler& scheduler)
    : HidPointer(kMouse, PointerQueue::Motion::relative, id, speed, scheduler) {}

Bytes HidMouse::encode(const PointerQueue::Event& event) const {
  ByteWriter report;
  report.u8(event.buttons).u8(static_cast<std::uint8_t>(event.x)).u8(static_cast<std::uint8_t>(event.y));
  if (!boot_protocol()) {
    report.u8(static_cast<std::uint8_t>(event.wheel)).u8(static_cast<std::uint8_t>(event.pan));
  }
  return report.take();
}

}  // namespace periplex::usb::device
