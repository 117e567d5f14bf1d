// SPDX-License-Identifier: Apache-2.0
#include "usb/device/pointer_queue.hpp"

#include <algorithm>
#include <limits>

namespace periplex::usb::device {
namespace {

int saturating_add(int a, int b) {
  const auto sum = std::int64_t{a} + b;
  return static_cast<int>(
      std::clamp<std::int64_t>(sum, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

/// Takes what one report can tell off `rest`.
int take_step(int& rest) {
  const int step = std::clamp(rest, -PointerQueue::kMaxStep, PointerQueue::kMaxStep);
  rest -= step;
  return step;
}

}  // namespace

void PointerQueue::move(int x, int y) {
  if (motion_ == Motion::absolute) {
    state_.x = x;
    state_.y = y;
    Event& motion = open_motion();
    motion.x = x;
    motion.y = y;
  } else if (x != 0 || y != 0) {
    Event& motion = open_motion();
    motion.x = saturating_add(motion.x, x);
    motion.y = saturating_add(motion.y, y);
  }
}

void PointerQueue::scroll(int wheel, int pan) {
  if (wheel == 0 && pan == 0) return;
  Event& motion = open_motion();
  motion.wheel = saturating_add(motion.wheel, wheel);
  motion.pan = saturating_add(motion.pan, pan);
}

bool PointerQueue::set_buttons(std::uint8_t buttons) {
  if (buttons == state_.buttons) return true;
  const bool full = events_.size() >= kMaxEvents;
  if (full && (buttons & ~state_.buttons) != 0) return false;
  state_.buttons = buttons;
  buttons_behind_ = full;
  if (!full) push_buttons();
  return true;
}

std::optional<PointerQueue::Event> PointerQueue::take() {
  if (events_.empty()) return std::nullopt;
  Event& oldest = events_.front().event;
  Event report = oldest;
  report.wheel = take_step(oldest.wheel);
  report.pan = take_step(oldest.pan);
  bool done = oldest.wheel == 0 && oldest.pan == 0;
  if (motion_ == Motion::relative) {
    report.x = take_step(oldest.x);
    report.y = take_step(oldest.y);
    done = done && oldest.x == 0 && oldest.y == 0;
  }
  if (done) events_.pop_front();
  if (buttons_behind_ && events_.size() < kMaxEvents) {
    buttons_behind_ = false;
    push_buttons();
  }
  return report;
}

void PointerQueue::restart(bool announce) {
  events_.clear();
  buttons_behind_ = false;
  if (announce && state_.buttons != 0) push_buttons();
}

PointerQueue::Event& PointerQueue::open_motion() {
  // An event of buttons stays at the place where they changed: a click must not move with the pointer.
  if (events_.empty() || events_.back().buttons_changed) events_.push_back({state_, false});
  return events_.back().event;
}

void PointerQueue::push_buttons() {
  events_.push_back({state_, true});
}

}  // namespace periplex::usb::device
