// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/frame_counter.hpp"

namespace periplex::usb::ehci {

void FrameCounter::start() {
  if (running_) return;
  running_ = true;
  started_ = clock_.now();
}

void FrameCounter::stop() {
  counted_ = elapsed();
  running_ = false;
}

std::uint64_t FrameCounter::microframe() const {
  return static_cast<std::uint64_t>(elapsed() / kMicroframe);
}

Nanoseconds FrameCounter::until_next_frame() const {
  return kFrame - elapsed() % kFrame;
}

void FrameCounter::hold_back(std::uint64_t frame) {
  const std::uint64_t last = frame * kMicroframesPerFrame + kMicroframesPerFrame - 1;
  if (microframe() <= last) return;
  counted_ = static_cast<std::int64_t>(last) * kMicroframe;
  if (running_) started_ = clock_.now();
}

void FrameCounter::set_index(std::uint64_t index) {
  const std::uint64_t forward = (index - microframe()) % kIndices;
  counted_ = (microframe() + forward) * kMicroframe;
  if (running_) started_ = clock_.now();
}

}  // namespace periplex::usb::ehci
