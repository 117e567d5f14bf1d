// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_keyboard.hpp"

#include <algorithm>

#include "usb/device/product_ids.hpp"

namespace periplex::usb::device {
namespace {

/// HID 1.11 appendix B.1, with all keys of the usage page in the array.
constexpr std::uint8_t kReportDescriptor[] = {
    0x05, 0x01,        // Usage Page (Generic Desktop)
    0x09, 0x06,        // Usage (Keyboard)
    0xa1, 0x01,        // Collection (Application)
    0x05, 0x07,        //   Usage Page (Key Codes)
    0x19, 0xe0,        //   Usage Minimum (left Ctrl)
    0x29, 0xe7,        //   Usage Maximum (right GUI)
    0x15, 0x00,        //   Logical Minimum (0)
    0x25, 0x01,        //   Logical Maximum (1)
    0x75, 0x01,        //   Report Size (1)
    0x95, 0x08,        //   Report Count (8)
    0x81, 0x02,        //   Input (Data, Variable, Absolute): modifiers
    0x95, 0x01,        //   Report Count (1)
    0x75, 0x08,        //   Report Size (8)
    0x81, 0x01,        //   Input (Constant): reserved
    0x95, 0x05,        //   Report Count (5)
    0x75, 0x01,        //   Report Size (1)
    0x05, 0x08,        //   Usage Page (LEDs)
    0x19, 0x01,        //   Usage Minimum (Num Lock)
    0x29, 0x05,        //   Usage Maximum (Kana)
    0x91, 0x02,        //   Output (Data, Variable, Absolute): lights
    0x95, 0x01,        //   Report Count (1)
    0x75, 0x03,        //   Report Size (3)
    0x91, 0x01,        //   Output (Constant): padding
    0x95, 0x06,        //   Report Count (6)
    0x75, 0x08,        //   Report Size (8)
    0x15, 0x00,        //   Logical Minimum (0)
    0x26, 0xff, 0x00,  //   Logical Maximum (255)
    0x05, 0x07,        //   Usage Page (Key Codes)
    0x19, 0x00,        //   Usage Minimum (0)
    0x2a, 0xff, 0x00,  //   Usage Maximum (255)
    0x81, 0x00,        //   Input (Data, Array): keys
    0xc0,              // End Collection
};

constexpr std::uint8_t kLedBits = 0x1f;
constexpr std::byte kErrorRollOver{0x01};

constexpr HidDescription kKeyboard{
    .product_id = kKeyboardProductId,
    .product = "Keyboard",
    .subclass = 1,
    .protocol = 1,
    .report_size = HidKeyboard::kReportSize,
    .interval = std::chrono::milliseconds(8),
    .report_descriptor = kReportDescriptor,
};

std::uint8_t modifier_bit(KeyUsage key) {
  return static_cast<std::uint8_t>(1u << (key.value - kFirstModifier.value));
}

}  // namespace

HidKeyboard::HidKeyboard(std::string_view id, Speed speed, Scheduler& scheduler)
    : HidDevice(kKeyboard, id, speed, scheduler) {}

bool HidKeyboard::press(KeyUsage key) {
  if (!is_key(key) || room() == 0) return false;
  if (is_modifier(key)) {
    modifiers_ |= modifier_bit(key);
  } else if (std::ranges::find(down_, key) == down_.end()) {
    down_.push_back(key);
  }
  state_changed();
  return true;
}

void HidKeyboard::release(KeyUsage key) {
  if (is_modifier(key)) modifiers_ &= static_cast<std::uint8_t>(~modifier_bit(key));
  std::erase(down_, key);
  state_changed();
}

void HidKeyboard::release_all() {
  modifiers_ = 0;
  down_.clear();
  state_changed();
}

std::size_t HidKeyboard::room() const {
  return configured() ? kMaxReports - reports_.size() : 0;
}

void HidKeyboard::state_changed() {
  if (!configured()) return;
  enqueue_state();
  reports_waiting();
}

void HidKeyboard::enqueue_state() {
  if (reports_.size() == kMaxReports) {
    state_behind_ = true;
    return;
  }
  state_behind_ = false;
  // With more keys down than a report can hold, their changes make no difference to it.
  if (report() == last_queued_) return;
  last_queued_ = report();
  reports_.push_back(last_queued_);
}

HidKeyboard::Report HidKeyboard::report() const {
  Report bytes{};
  bytes[0] = std::byte{modifiers_};
  const auto keys = std::span(bytes).subspan(2);
  if (down_.size() > kReportKeys) {
    // "The keyboard must report a phantom state indexing Usage(ErrorRollOver) in all array fields whenever the number
    // of keys pressed exceeds the Report Count" (HID 1.11 appendix C).
    std::ranges::fill(keys, kErrorRollOver);
  } else {
    std::ranges::transform(down_, keys.begin(), [](KeyUsage key) { return std::byte{key.value}; });
  }
  return bytes;
}

Bytes HidKeyboard::current_report() const {
  const Report bytes = report();
  return {bytes.begin(), bytes.end()};
}

std::optional<Bytes> HidKeyboard::next_report() {
  if (reports_.empty()) return std::nullopt;
  const Report oldest = reports_.front();
  reports_.pop_front();
  if (state_behind_) enqueue_state();
  return Bytes(oldest.begin(), oldest.end());
}

void HidKeyboard::restart_reports() {
  reports_.clear();
  state_behind_ = false;
  last_queued_ = {};
  // Keys that are held go on being held.
  if (configured()) enqueue_state();
}

void HidKeyboard::on_reset() {
  HidDevice::on_reset();
  change_leds(0);
}

bool HidKeyboard::set_output_report(ByteView report) {
  if (report.size() != 1) return false;
  change_leds(std::to_integer<std::uint8_t>(report[0]) & kLedBits);
  return true;
}

std::optional<Bytes> HidKeyboard::output_report() const {
  return Bytes{std::byte{led_bits_}};
}

void HidKeyboard::change_leds(std::uint8_t bits) {
  if (std::exchange(led_bits_, bits) == bits) return;
  leds_ = {.num_lock = (bits & 0x01) != 0,
           .caps_lock = (bits & 0x02) != 0,
           .scroll_lock = (bits & 0x04) != 0,
           .compose = (bits & 0x08) != 0,
           .kana = (bits & 0x10) != 0};
  if (on_leds_) on_leds_(leds_);
}

}  // namespace periplex::usb::device
