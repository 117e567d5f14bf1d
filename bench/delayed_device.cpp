// SPDX-License-Identifier: Apache-2.0
#include "bench/delayed_device.hpp"

#include <algorithm>
#include <cstring>

namespace periplex::bench {
namespace {

constexpr std::size_t kMemory = std::size_t{1} << 20;

}  // namespace

DelayedDevice::DelayedDevice(EventLoop& loop, usb::Speed speed, Nanoseconds delay)
    : loop_(loop), speed_(speed), delay_(delay), timer_(loop.make_timer([this] { answer_due(); })), memory_(kMemory) {}

DelayedDevice::~DelayedDevice() {
  for (Held& held : held_) usb::Transfer::complete(std::move(held.transfer), {usb::Status::disconnected, 0});
}

void DelayedDevice::submit(usb::TransferPtr transfer) {
  const bool is_data = !transfer->setup;
  if (is_data) ++requests_;
  held_.push_back({std::move(transfer), loop_.now() + (is_data ? delay_ : Nanoseconds(0))});
  if (!timer_->armed()) timer_->arm(std::max(Nanoseconds(0), held_.front().due - loop_.now()));
}

void DelayedDevice::cancel(usb::TransferId id) {
  const auto found = std::ranges::find(held_, id, [](const Held& held) { return held.transfer->id(); });
  if (found == held_.end()) return;
  usb::TransferPtr transfer = std::move(found->transfer);
  held_.erase(found);
  loop_.defer([transfer = std::move(transfer)]() mutable {
    usb::Transfer::complete(std::move(transfer), {usb::Status::cancelled, 0});
  });
}

void DelayedDevice::answer_due() {
  while (!held_.empty() && held_.front().due <= loop_.now()) {
    usb::TransferPtr transfer = std::move(held_.front().transfer);
    held_.pop_front();
    std::uint32_t moved = 0;
    for (const MutableByteView span : transfer->data.spans()) {
      const std::size_t size = std::min(span.size(), memory_.size());
      if (transfer->direction() == usb::Direction::in) {
        std::memcpy(span.data(), memory_.data(), size);
      } else {
        std::memcpy(memory_.data(), span.data(), size);
      }
      moved += static_cast<std::uint32_t>(size);
    }
    usb::Transfer::complete(std::move(transfer), {.actual = moved});
  }
  if (!held_.empty()) timer_->arm(std::max(Nanoseconds(0), held_.front().due - loop_.now()));
}

}  // namespace periplex::bench
