// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/microframe_index.hpp"

#include <algorithm>

#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr Nanoseconds kMicroframe = std::chrono::microseconds(125);
constexpr std::uint64_t kPeriod = 1u << 14;  // microframes until the 14-bit index wraps

}  // namespace

MicroframeIndex::MicroframeIndex(RegisterFile& registers, std::uint32_t base, Scheduler& scheduler,
                                 std::function<void()> on_wrap)
    : scheduler_(scheduler), on_wrap_(std::move(on_wrap)), wrap_(scheduler.make_timer([this] {
        on_wrap_();
        arm();
      })) {
  registers.add(kMfindex, base).on_read([this] { return now(); });
}

Nanoseconds MicroframeIndex::elapsed() const {
  return counted_ + (running_ ? scheduler_.now() - started_ : Nanoseconds(0));
}

std::uint64_t MicroframeIndex::count() const {
  return static_cast<std::uint64_t>(elapsed() / kMicroframe);
}

std::uint64_t MicroframeIndex::now() const {
  return count() % kPeriod;
}

Nanoseconds MicroframeIndex::until(std::uint64_t target) const {
  return std::max(Nanoseconds(0), kMicroframe * static_cast<std::int64_t>(target) - elapsed());
}

void MicroframeIndex::start() {
  if (running_) return;
  running_ = true;
  started_ = scheduler_.now();
  arm();
}

void MicroframeIndex::stop() {
  if (!running_) return;
  counted_ += scheduler_.now() - started_;
  running_ = false;
  wrap_->cancel();
}

void MicroframeIndex::reset() {
  stop();
  counted_ = {};
  wrap_event_ = false;
}

void MicroframeIndex::enable_wrap_event(bool enabled) {
  if (wrap_event_ == enabled) return;
  wrap_event_ = enabled;
  arm();
}

void MicroframeIndex::arm() {
  if (!running_ || !wrap_event_) return wrap_->cancel();
  wrap_->arm(kMicroframe * static_cast<std::int64_t>(kPeriod - now()));
}

}  // namespace periplex::usb::xhci
