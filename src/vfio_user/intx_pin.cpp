// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/intx_pin.hpp"

namespace periplex::vfio_user {

void IntxPin::set_level(bool high) {
  if (high_ == high) return;
  high_ = high;
  update();
}

void IntxPin::unmask() {
  masked_ = false;
  update();
}

void IntxPin::update() {
  if (!high_ || masked_ || !trigger_) return;
  // "VFIO_IRQ_INFO_AUTOMASKED indicates the IRQ type masks itself after being triggered"
  masked_ = true;
  trigger_->signal();
}

void IntxPin::trigger() {
  if (trigger_) trigger_->signal();
}

void IntxPin::arm(EventNotifier trigger) {
  trigger_ = std::move(trigger);
  // Whoever was told of the last edge may be gone: a level that is high is told again.
  unmask();
}

void IntxPin::set_resample(std::optional<EventNotifier> resample) {
  watch_.reset();
  resample_ = std::move(resample);
  if (resample_) watch_ = loop_.watch(resample_->fd(), EPOLLIN, [this](std::uint32_t) { on_resample(); });
}

void IntxPin::on_resample() {
  if (!resample_ || !resample_->drain()) return set_resample(std::nullopt);
  unmask();
}

void IntxPin::disarm() {
  set_resample(std::nullopt);
  trigger_.reset();
  masked_ = false;
}

}  // namespace periplex::vfio_user
