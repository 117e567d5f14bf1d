// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_feed.hpp"

#include <algorithm>
#include <linux/input-event-codes.h>

#include "host/evdev_keys.hpp"

namespace periplex::host {
namespace {

constexpr std::int32_t kReleased = 0;
constexpr std::int32_t kPressed = 1;  // 2 is a repetition

/// More than this in one group is no motion of a hand; it keeps sums far from their limits.
constexpr int kMostMotion = 1 << 20;

int add(int sum, std::int32_t value) {
  return std::clamp(sum + std::clamp(value, -kMostMotion, kMostMotion), -kMostMotion, kMostMotion);
}

int scale(std::int32_t value, EvdevRange range) {
  const std::int64_t width = std::int64_t{range.maximum} - range.minimum;
  if (width <= 0) return 0;
  const std::int64_t place = std::clamp<std::int64_t>(std::int64_t{value} - range.minimum, 0, width);
  return static_cast<int>((place * usb::device::HidTablet::kMaxPosition + width / 2) / width);
}

}  // namespace

void EvdevKeyboardFeed::handle(const EvdevEvent& event) {
  if (event.type != EV_KEY) return;
  const auto key = usage_of_key(event.code);
  if (!key) return;
  if (event.value == kPressed) (void)keyboard_.press(*key);
  if (event.value == kReleased) keyboard_.release(*key);
}

void EvdevKeyboardFeed::set_pressed(std::span<const std::uint16_t> codes) {
  keyboard_.release_all();
  for (const std::uint16_t code : codes) {
    if (const auto key = usage_of_key(code)) (void)keyboard_.press(*key);
  }
}

void EvdevPointerFeed::handle(const EvdevEvent& event) {
  if (event.type == EV_KEY && event.value != 2) on_button(event.code, event.value == kPressed);
  if (event.type == EV_REL && event.code == REL_WHEEL) wheel_ = add(wheel_, event.value);
  if (event.type == EV_REL && event.code == REL_HWHEEL) pan_ = add(pan_, event.value);
  if (event.type == EV_REL || event.type == EV_ABS) on_axis(event);
  if (event.type != EV_SYN || event.code != SYN_REPORT) return;
  on_group_end();
  if (wheel_ != 0 || pan_ != 0) pointer_.scroll(std::exchange(wheel_, 0), std::exchange(pan_, 0));
}

void EvdevPointerFeed::on_button(std::uint16_t code, bool down) {
  const auto button = button_of_key(code);
  if (!button) return;
  // A press happens where the pointer is by then.
  on_group_end();
  if (down) {
    down_.insert(code);
    (void)pointer_.press(*button);
    return;
  }
  down_.erase(code);
  const bool held = std::ranges::any_of(down_, [&](std::uint16_t other) { return button_of_key(other) == button; });
  if (!held) pointer_.release(*button);
}

void EvdevPointerFeed::set_pressed(std::span<const std::uint16_t> codes) {
  const std::set<std::uint16_t> before = down_;
  for (const std::uint16_t code : before) {
    if (std::ranges::find(codes, code) == codes.end()) on_button(code, false);
  }
  for (const std::uint16_t code : codes) {
    if (!before.contains(code)) on_button(code, true);
  }
}

void EvdevMouseFeed::on_axis(const EvdevEvent& event) {
  if (event.type != EV_REL) return;
  if (event.code == REL_X) dx_ = add(dx_, event.value);
  if (event.code == REL_Y) dy_ = add(dy_, event.value);
}

void EvdevMouseFeed::on_group_end() {
  if (dx_ != 0 || dy_ != 0) mouse_.move_by(std::exchange(dx_, 0), std::exchange(dy_, 0));
}

void EvdevTabletFeed::on_axis(const EvdevEvent& event) {
  if (event.type != EV_ABS) return;
  if (event.code == ABS_X) x_ = scale(event.value, x_range_);
  if (event.code == ABS_Y) y_ = scale(event.value, y_range_);
  moved_ = moved_ || event.code == ABS_X || event.code == ABS_Y;
}

void EvdevTabletFeed::on_group_end() {
  if (std::exchange(moved_, false)) tablet_.move_to(x_, y_);
}

}  // namespace periplex::host
