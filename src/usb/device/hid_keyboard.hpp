// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "usb/device/hid_device.hpp"
#include "usb/device/key_usage.hpp"

namespace periplex::usb::device {

/// The lights of a keyboard (HID 1.11 appendix B.1), in the order of the report's bits.
struct KeyboardLeds {
  bool num_lock = false;
  bool caps_lock = false;
  bool scroll_lock = false;
  bool compose = false;
  bool kana = false;
  friend bool operator==(const KeyboardLeds&, const KeyboardLeds&) = default;
};

/// A keyboard whose reports are the same in boot and report protocol (HID 1.11 appendices B.1 and C).
///
/// Every change of a key is one report, delivered in order. A guest that asks slowly loses none of them: up to
/// `kMaxReports` wait for it, then further presses are refused. Releases are never refused; when there is no room for
/// them they become one report of the state they lead to.
class HidKeyboard final : public HidDevice {
 public:
  static constexpr std::size_t kMaxReports = 8192;
  static constexpr std::size_t kReportKeys = 6;
  static constexpr std::size_t kReportSize = 2 + kReportKeys;

  HidKeyboard(std::string_view id, Speed speed, Scheduler& scheduler);

  /// Presses `key`; nothing changes if it is down already. `false` if it was refused: there is no such key, no driver
  /// in the guest uses the keyboard, or too many reports wait for it.
  [[nodiscard]] bool press(KeyUsage key);
  void release(KeyUsage key);
  void release_all();

  /// How many more presses and releases would be kept just now; 0 while no driver uses the keyboard.
  [[nodiscard]] std::size_t room() const;

  [[nodiscard]] KeyboardLeds leds() const { return leds_; }
  /// Called when the guest, or a reset, changes them.
  void set_on_leds(std::function<void(KeyboardLeds)> on_leds) { on_leds_ = std::move(on_leds); }

 private:
  using Report = std::array<std::byte, kReportSize>;

  [[nodiscard]] Report report() const;
  [[nodiscard]] Bytes current_report() const override;
  std::optional<Bytes> next_report() override;
  void restart_reports() override;
  bool set_output_report(ByteView report) override;
  [[nodiscard]] std::optional<Bytes> output_report() const override;
  void on_reset() override;

  void state_changed();
  void enqueue_state();
  void change_leds(std::uint8_t bits);

  std::uint8_t modifiers_ = 0;
  std::vector<KeyUsage> down_;  // without modifiers, in the order of pressing
  std::deque<Report> reports_;
  Report last_queued_{};
  bool state_behind_ = false;  // the state has no report yet because there was no room
  std::uint8_t led_bits_ = 0;
  KeyboardLeds leds_;
  std::function<void(KeyboardLeds)> on_leds_;
};

}  // namespace periplex::usb::device
